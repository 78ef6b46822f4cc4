import { binding } from '../binding.js'
import { EPOLLET, EPOLLIN } from '../constants.js'
import { Epoll } from '../epoll.js'
import type { EpollOptions } from '../epoll-options.js'
import { atCaller, ClosedError, check } from '../errors.js'
import { EventFd } from '../eventfd.js'
import { type FdToken, fdTable } from '../fd-table.js'
import type { InterestList } from '../interest-list.js'
import type { Registration } from '../registration.js'
import { withCode } from '../validate.js'
import { Host } from './host.js'
import type { DeferSource, Listener, Owner, Source } from './source.js'
import { type Timer, Timers } from './timers.js'

/** The turns of a loop: what it waits on, and whose thread does the waiting. */
export class Runner implements Owner {
  /** How many handlers were called. */
  calls = 0
  readonly epoll: Epoll<Listener>
  /** Names the loop to other threads. */
  readonly waker: FdToken
  readonly #list: InterestList<Listener>
  readonly #bell: EventFd
  readonly #timers: Timers
  #deferred: DeferSource[] = []
  /** Those that are being called, the next one first. */
  #due: DeferSource[] = []
  #references = 0
  #isReferenced = true
  #isRunning = false
  #isStopping = false
  #isWoken = false
  #isArming = false
  #host: Host | undefined
  /** Whose handler was called last in this turn. */
  #last: Source | undefined

  constructor(options: EpollOptions) {
    const made: { close(): void }[] = []
    const keep = <T extends { close(): void }>(one: T): T => {
      made.unshift(one)
      return one
    }
    try {
      this.epoll = keep(new Epoll<Listener>({ ...options, ...this.#hearStale(options) }))
      this.#timers = keep(new Timers())
      this.#bell = keep(new EventFd())
      // Edges: what rings needn't be read, and is set again before it rings again.
      this.epoll.addAll([
        [this.#bell, EPOLLIN | EPOLLET, { dispatch: () => this.#learn(), end: () => {} }],
        [this.#timers, EPOLLIN | EPOLLET, this.#timers],
      ])
    } catch (error) {
      for (const one of made) one.close()
      throw error
    }
    check(binding.interest_bell(this.epoll.fd, this.#bell.fd), 'epoll_ctl')
    this.#list = Epoll.listOf(this.epoll)
    this.#list.onEnd = ({ data }) => data.end()
    this.waker = Object.freeze(fdTable.token(this.#bell.fd))
  }

  /** What an onStale throws isn't the fault of the handler that was called last. */
  #hearStale({ onStale }: EpollOptions): EpollOptions {
    if (typeof onStale !== 'function') return {}
    return {
      onStale: (report) => {
        this.#last = undefined
        onStale(report)
      },
    }
  }

  get closed(): boolean {
    return this.#list.handle.closed
  }

  assertOpen(): void {
    if (this.closed) throw atCaller(new ClosedError('Loop'))
  }

  note(source: Source): void {
    this.calls++
    this.#last = source
  }

  count(change: number): void {
    this.#references += change
    const hasReason = this.#hasReason
    if (this.#host !== undefined) this.#host.isReferenced = hasReason
    // By what a wait has learnt there may be nothing left to wait for.
    if (!hasReason) this.#list.isInterrupted = true
  }

  noteTimerRemoved(): void {
    this.#timers.noteRemoved()
  }

  set isReferenced(isReferenced: boolean) {
    this.#isReferenced = isReferenced
    this.count(0)
  }

  /** Whether there is a reason to go on. */
  get #hasReason(): boolean {
    return this.#references > 0 && this.#isReferenced
  }

  schedule(ms: number, isRepeated: boolean, handler: Timer['handler']): Timer {
    const timer = this.#timers.make(this, ms, isRepeated, handler)
    if (!this.#timers.isDirty) return timer
    // An onStale may do this within a wait.
    this.#list.isInterrupted = true
    // Many may be made at once.
    if (this.#host !== undefined && !this.#isRunning && !this.#isArming) {
      this.#isArming = true
      process.nextTick(() => {
        this.#isArming = false
        if (!this.closed) this.#timers.arm()
      })
    }
    return timer
  }

  defer(source: DeferSource): void {
    this.#deferred.push(source)
    this.#list.isInterrupted = true
    if (this.#host !== undefined && !this.#isRunning) this.wake()
  }

  /** `Loop.run`. */
  run(): void {
    this.#enter()
    this.#isStopping = false
    try {
      while (this.#hasReason && !this.#isStopping && !this.closed) this.#turn(-1)
    } finally {
      this.#leave()
    }
  }

  /** `Loop.runOnce`. */
  runOnce(timeoutMs: number): number {
    this.#enter()
    const before = this.calls
    const deadline = performance.now() + timeoutMs
    let leftMs = timeoutMs
    const hadReason = this.#hasReason
    const isOver = () =>
      this.calls > before ||
      leftMs === 0 ||
      this.#isWoken ||
      this.#isStopping ||
      this.closed ||
      (hadReason && !this.#hasReason)
    this.#isWoken = this.#isStopping = false
    try {
      this.#turn(leftMs)
      // The clock may ring for a timer that was removed.
      while (!isOver()) {
        if (timeoutMs > 0) leftMs = Math.max(0, deadline - performance.now())
        this.#turn(leftMs)
      }
    } finally {
      this.#leave()
    }
    return this.calls - before
  }

  #leave(): void {
    this.#isRunning = false
    this.#last = undefined
  }

  #enter(): void {
    this.#assertIdle()
    this.#isRunning = true
  }

  #assertIdle(): void {
    this.assertOpen()
    if (!this.#isRunning && this.#host === undefined) return
    const why = this.#isRunning ? 'a handler of it is running' : 'it was started; stop() it first'
    throw atCaller(withCode(new Error(`The Loop can’t be run: ${why}`), 'ERR_LOOP_RUNNING'))
  }

  #turn(timeoutMs: number): void {
    if (this.#timers.isDirty) this.#timers.arm()
    this.#list.isInterrupted = false
    this.#last = undefined
    this.epoll.wait(this.#deferred.length > 0 ? 0 : timeoutMs, visit)
    if (this.#deferred.length > 0) this.#runDeferred()
  }

  /** Those that are there by now. One that throws leaves the rest for the next turn. */
  #runDeferred(): void {
    this.#due = this.#deferred.reverse()
    this.#deferred = []
    try {
      while (this.#due.length > 0) this.#due.pop()!.run()
    } finally {
      if (this.#due.length > 0)
        this.#deferred = this.#due.splice(0).reverse().concat(this.#deferred)
    }
  }

  /** `Loop.start`. */
  start(): void {
    this.assertOpen()
    if (this.#host !== undefined) return
    this.#assertIdle()
    this.#host = this.#list.host = new Host(this.epoll.fd, () => this.#onReady())
    this.count(0)
    this.#prepare()
  }

  /** Node's loop has found something. One batch at a time: others want their turn as well. */
  #onReady(): void {
    this.#isRunning = true
    do {
      try {
        this.#turn(0)
      } catch (error) {
        this.#report(error)
      }
    } while (!this.closed && this.#list.isPending)
    this.#leave()
    if (!this.closed) this.#prepare()
  }

  /** Who listens for it does so in the context of the handler that has thrown, as everywhere in Node. */
  #report(error: unknown): void {
    if (this.#last === undefined) binding.report_exception(error)
    else this.#last.runInAsyncScope(binding.report_exception, undefined, error)
  }

  /** Before Node's loop waits for us. */
  #prepare(): void {
    this.#timers.arm()
    // What a run() that threw has left of its batch isn't told by the kernel a second time.
    if (this.#deferred.length > 0 || this.#list.isPending) this.wake()
  }

  /** `Loop.stop`. */
  stop(): void {
    this.#isStopping = this.#list.isInterrupted = true
    const host = this.#host
    this.#host = this.#list.host = undefined
    host?.stop()
  }

  wake(): void {
    this.#bell.write()
  }

  /** Registrations have ended by what happened to their descriptors, or we were woken. */
  #learn(): void {
    this.#isWoken = true
    const { fd } = this.epoll
    for (;;) {
      const ended = binding.interest_ended(fd)
      if (ended < 0) return
      const registration = this.#list.registrations[ended]
      // Whoever is closing the number may not have come to the table yet: this waits for it.
      try {
        if (registration !== undefined) this.#list.learn(registration)
        /* c8 ignore start: a signal source whose signals can't be unblocked. */
      } catch (error) {
        this.wake() // for the others
        throw error
      }
      /* c8 ignore stop */
    }
  }

  close(): void {
    if (this.closed) return
    this.stop()
    const list = this.#list
    list.isClosing = true
    binding.interest_bell(this.epoll.fd, -1)
    for (const { data } of list.living()) data.end()
    for (const source of [...this.#due.splice(0), ...this.#deferred.splice(0)]) source.end()
    this.epoll.close()
    this.#timers.close()
    this.#bell.close()
  }
}

function visit({ data }: Registration<Listener>, events: number): void {
  data.dispatch(events)
}
