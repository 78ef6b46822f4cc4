// Connections that read, write, pause and change what they wait for at random: whatever a handler is
// told was asked for, and every byte and every end arrives.

import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  Loop,
  type Source,
  type WatchSource,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { test } from './fixtures/check.js'
import { Descriptors } from './fixtures/kernel.js'
import { randomFrom, seed } from './fixtures/random.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { shutdown, tcpPair } from './fixtures/tcp.js'

const CONNECTIONS = 5
const BYTES = 50_000
const ALWAYS = EPOLLERR | EPOLLHUP
const buffer = Buffer.alloc(4096)

/** One end of a connection. */
class End {
  received = 0
  unasked = 0
  readonly over: Promise<void>
  #mask = 0
  /** What is still to happen. */
  #open = EPOLLIN | EPOLLOUT | EPOLLRDHUP
  readonly #source: WatchSource
  readonly #ticking: Source
  #end = () => {}

  constructor(
    loop: Loop,
    readonly fd: number,
    readonly random: () => number,
    private toSend: number,
  ) {
    this.over = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#source = loop.watch(fd, 0, (events) => this.#onEvents(events))
    this.#ticking = loop.every(0.5, () => this.#ask())
  }

  /** Waits for some of what is still to happen, or for nothing, until it asks anew. */
  #ask(): void {
    this.#mask = this.#open & (this.random() * 2 ** 16)
    if (this.#open === 0) {
      this.#source.remove()
      this.#ticking.remove()
      this.#end()
    } else {
      this.#source.modify(this.#mask)
    }
  }

  #onEvents(events: number): void {
    if ((events & ~(this.#mask | ALWAYS)) !== 0) this.unasked++
    this.#open &= ~(events & EPOLLRDHUP)
    // Some readiness isn't used.
    const used = events & this.#open
    if ((used & EPOLLIN) !== 0 && this.random() < 0.8) this.#read()
    if ((used & EPOLLOUT) !== 0 && this.random() < 0.8) this.#write()
    if (this.random() < 0.5) this.#ask()
  }

  #read(): void {
    const count = sys.read(this.fd, buffer, 0, 1 + Math.floor(this.random() * buffer.length))
    if (count === 0) this.#open &= ~EPOLLIN
    this.received += count ?? 0
  }

  #write(): void {
    const length = Math.min(this.toSend, 1 + Math.floor(this.random() * buffer.length))
    if (length > 0) this.toSend -= sys.write(this.fd, buffer, 0, length) ?? 0
    if (this.toSend > 0) return
    shutdown(this.fd, 'WR')
    this.#open &= ~EPOLLOUT
  }
}

const WAYS: Record<string, (t: Test, loop: Loop) => void> = {
  run: runToEnd,
  start: (_t, loop) => loop.start(),
}

/** Lets connections go on to their ends, with so many bytes sent to and fro. */
async function play(t: Test, way: string, forth: number, back: number): Promise<void> {
  const random = randomFrom(seed)
  using fds = new Descriptors()
  using loop = new Loop()
  const ends: End[] = []
  for (let i = 0; i < CONNECTIONS; i++) {
    const [here, there] = await tcpPair(fds)
    ends.push(new End(loop, here, random, forth), new End(loop, there, random, back))
  }
  WAYS[way]!(t, loop)
  await Promise.all(ends.map(({ over }) => over))
  t.strictSame(
    ends.map(({ received, unasked }) => [received, unasked]),
    ends.map((_, i) => [i % 2 === 0 ? back : forth, 0]),
  )
}

for (const way of Object.keys(WAYS)) {
  test(`C470 5 connections that send both ways, by ${way} (GENPOLL_SEED=${seed})`, (t) =>
    play(t, way, BYTES, BYTES))

  test(`C471 5 connections that send one way, by ${way} (GENPOLL_SEED=${seed})`, (t) =>
    play(t, way, BYTES, 0))
}
