import { styleText } from 'node:util'
import { EPOLLIN } from '../constants.js'
import { Epoll } from '../epoll.js'
import type { OwnedFd } from '../fd.js'
import { SignalFd } from '../signalfd.js'
import { Failure } from './failure.js'
import { eventNames, rounded, table } from './format.js'
import { Output } from './output.js'

/** How long the tour waits for anything. */
const PATIENCE_MS = 5000
const INTERRUPTED = 130

type Handler = (events: number) => void

/** A row of the table at the end. */
type Sighting = Record<'source' | 'number' | 'generation' | 'events' | 'read' | 'ms', string>

/** What the steps of the demo share: one epoll, the narration, and the table of what was seen. */
export class Tour {
  readonly epoll = new Epoll<Handler>()
  readonly #start = performance.now()
  readonly #sightings: Sighting[] = []
  readonly #stop = new SignalFd(['SIGINT', 'SIGTERM'])
  readonly #output = new Output([this.#stop])

  constructor() {
    this.epoll.add(this.#stop, EPOLLIN, () => {
      throw new Failure('interrupted', INTERRUPTED)
    })
  }

  /** Says what comes next. */
  tell(title: string, ...lines: string[]): void {
    this.#print(`\n${styleText('bold', title)}`, ...lines.map((line) => `  ${line}`))
  }

  /** Says what came. */
  show(line: string): void {
    this.#print(styleText('green', `  → ${line}`))
  }

  /** Waits for handlers to be called, and calls them. */
  wait(): number {
    return this.epoll.wait(PATIENCE_MS, ({ data }, events) => data(events))
  }

  /** Ends the tour unless something is as it should be. */
  check(isTrue: boolean, otherwise: string): void {
    if (!isTrue) throw new Failure(otherwise)
  }

  /** Waits until a descriptor is readable, and notes what `read` says it held. */
  expect(source: string, target: OwnedFd, read: () => string): void {
    const { fd, generation } = target
    const registration = this.epoll.add(target, EPOLLIN, (events) => {
      this.note(source, fd, String(generation), events, read())
    })
    this.check(this.wait() === 1, `${source}: nothing came in ${PATIENCE_MS} ms`)
    registration.remove()
  }

  note(source: string, fd: number, generation: string, events: number, read: string): void {
    const names = eventNames(events).map((name) => `EPOLL${name.toUpperCase()}`)
    const ms = rounded(performance.now() - this.#start).toFixed(1)
    this.show(`${names.join(' | ')} on descriptor ${fd}: ${read}`)
    this.#sightings.push({ source, number: `${fd}`, generation, events: names.join(' '), read, ms })
  }

  /** The table of what was seen. */
  sum(): void {
    const [head, ...rows] = table(this.#sightings)
    this.#print('', styleText('underline', head!), ...rows)
  }

  close(): void {
    this.#output.close()
    this.#stop.close()
    this.epoll.close()
  }

  #print(...lines: string[]): void {
    this.#output.write(`${lines.join('\n')}\n`)
  }
}
