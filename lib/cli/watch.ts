import { EPOLLET, EPOLLIN, EPOLLONESHOT } from '../constants.js'
import { Epoll } from '../epoll.js'
import type { OwnedFd } from '../fd.js'
import type { Registration, Target } from '../registration.js'
import { SignalFd } from '../signalfd.js'
import { signalName, signalNumber } from '../signals.js'
import { TimerFd } from '../timerfd.js'
import { type WatchArguments, watchArguments } from './arguments.js'
import { Failure, rethrowUnless, Stopped, UsageError } from './failure.js'
import { eventNames, rounded } from './format.js'
import { Output } from './output.js'
import {
  watchEdges,
  watchFifo,
  watchLevel,
  watchProcess,
  watchSignal,
  watchStdin,
  watchTimer,
} from './sources.js'

/** What a line tells beside what all of them do. */
type Fields = Record<string, unknown>
type Handler = (events: number, registration: Registration<Handler>) => void

/** One run of `genpoll watch`: the epoll, what is in it, and the lines that come out. */
export class Watch {
  readonly #start = performance.now()
  readonly #epoll = new Epoll<Handler>()
  readonly #owned = new Set<OwnedFd>()
  readonly #sources = new Set<Registration<Handler>>()
  readonly #output: Output
  #linesLeft: number

  constructor({ count, forMs, signals }: WatchArguments) {
    this.#linesLeft = count
    const stopping = [signalNumber('SIGINT', ''), signalNumber('SIGTERM', '')]
    const enders: OwnedFd[] = [new SignalFd(stopping.filter((signal) => !signals.has(signal)))]
    if (forMs !== undefined) enders.push(timer(forMs))
    this.#output = new Output(enders)
    for (const ender of enders) this.own(ender)
    for (const ender of [...enders, this.#output.epoll]) this.#epoll.add(ender, EPOLLIN, stop)
  }

  /** Closes a descriptor at the end. */
  own<D extends OwnedFd>(descriptor: D): D {
    this.#owned.add(descriptor)
    return descriptor
  }

  /** Watches a descriptor; what `read` returns is printed with the event, unless it is null. */
  add(
    source: string,
    target: Target,
    mask: number,
    read: (events: number, registration: Registration<Handler>) => Fields | null,
  ): Registration<Handler> {
    const registration = this.#epoll.add(target, mask, (events, self) => {
      const fields = read(events, self)
      if (fields !== null) this.print(source, self, events, fields)
    })
    this.#sources.add(registration)
    return registration
  }

  /** Watches it no longer. */
  end(registration: Registration<Handler>): void {
    registration.remove()
    this.#sources.delete(registration)
  }

  /** Calls a function once, unless the timer that is returned is closed before. */
  later(delayMs: number, then: () => void): TimerFd {
    const alarm = this.own(timer(delayMs))
    this.#epoll.add(alarm, EPOLLIN, () => {
      this.#owned.delete(alarm)
      alarm.close()
      then()
    })
    return alarm
  }

  print(
    source: string,
    { fd, generation }: Registration<Handler>,
    events: number,
    fields: Fields,
  ): void {
    const t = rounded(performance.now() - this.#start)
    const line = { t, source, fd, generation, events: eventNames(events), ...fields }
    this.#output.write(`${JSON.stringify(line)}\n`)
    if (--this.#linesLeft === 0) stop()
  }

  /** Until it is stopped, or nothing is left. */
  run(): void {
    while (this.#sources.size > 0) {
      this.#epoll.wait(-1, (registration, events) => registration.data(events, registration))
    }
  }

  close(): void {
    for (const descriptor of this.#owned) descriptor.close()
    this.#output.close()
    this.#epoll.close()
  }
}

function stop(): never {
  throw new Stopped()
}

function timer(delayMs: number): TimerFd {
  const made = new TimerFd()
  made.set({ delayMs })
  return made
}

/** `genpoll watch` */
export function watch(args: string[]): void {
  const options = watchArguments(args)
  const watch = new Watch(options)
  try {
    for (const fd of options.descriptors) {
      const isLevel = (fd.mask & (EPOLLET | EPOLLONESHOT)) === 0
      opening(`--fd ${fd.fd}`, () => (isLevel ? watchLevel : watchEdges)(watch, fd))
    }
    for (const ms of options.intervalsMs) watchTimer(watch, ms)
    for (const signal of options.signals) {
      opening(`--signal ${signalName(signal)}`, () => watchSignal(watch, signal))
    }
    for (const pid of options.pids) opening(`--pid ${pid}`, () => watchProcess(watch, pid))
    for (const path of options.paths) opening(`--fifo ${path}`, () => watchFifo(watch, path))
    if (options.stdin) opening('--stdin', () => watchStdin(watch))
    watch.run()
  } catch (error) {
    rethrowUnless(error instanceof Stopped, error)
  } finally {
    watch.close()
  }
}

const ADVICE: Record<string, string> = {
  EBADF: 'not open here; open it in the shell, as in: genpoll watch --fd 3 3<fifo',
  EEXIST: 'given twice',
  ENOENT: 'no such file; make it with mkfifo',
  EPERM:
    "a regular file, a directory or /dev/null is always ready and can't be watched; a pipe can: " +
    'cat FILE | genpoll watch --stdin',
  ESRCH: 'no such process',
}

/** What goes wrong while something is opened becomes a line that begins with its option. */
function opening(option: string, open: () => void): void {
  try {
    open()
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (error instanceof RangeError) throw new UsageError(`${option}: ${message}`)
    const advice = ADVICE[code]
    throw new Failure(`${option}: ${advice === undefined ? message : `${code}: ${advice}`}`)
  }
}
