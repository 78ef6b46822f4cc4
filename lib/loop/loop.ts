import { binding } from '../binding.js'
import { EPOLLET, EPOLLIN } from '../constants.js'
import { Epoll } from '../epoll.js'
import type { AddOptions, EpollOptions } from '../epoll-options.js'
import { atCaller, ClosedError, check } from '../errors.js'
import { EventFd } from '../eventfd.js'
import { fdTable } from '../fd-table.js'
import { PidFd } from '../pidfd.js'
import type { Registration, Target } from '../registration.js'
import { SignalFd } from '../signalfd.js'
import type { Signal } from '../signals.js'
import { invalidType, mask32, milliseconds, object, outOfRange, withCode } from '../validate.js'
import { Host } from './host.js'
import {
  type IterateOptions,
  iterate,
  type PendingSource,
  type ReadyOptions,
  ready,
  type Watcher,
} from './promises.js'
import {
  type ChildHandler,
  ChildSource,
  type DeferHandler,
  DeferSource,
  type Listener,
  type SignalHandler,
  SignalSource,
  type Source,
  type TimerHandler,
  type WatchHandler,
  WatchSource,
} from './source.js'
import { Timer, Timers } from './timers.js'
import type { Waker } from './wake.js'

export interface LoopOptions extends EpollOptions {
  /**
   * How often to compare the interest list with the kernel's and put right what was replaced, closed
   * or deleted without genpoll (`Epoll.audit`), in milliseconds. Default 0: never.
   */
  auditMs?: number | undefined
}

/**
 * An event loop on an `Epoll`: handlers for descriptors, timers, signals and the ends of processes.
 * `run()` owns the thread until there is nothing left to wait for; `start()` rides on Node's own loop,
 * beside everything else that the program does.
 *
 * Handlers run in the context, `AsyncLocalStorage` included, of the call that registered them. One
 * that throws ends `run()` with its error, and is an uncaught exception after `start()`; the other
 * events of the batch are delivered either way: with the next `run()`, or at once.
 *
 * @example
 * const loop = new Loop()
 * loop.watch(bell, EPOLLIN, () => console.log(bell.read()))
 * loop.every(1000, () => bell.write())
 * loop.signal(['SIGINT'], () => loop.close())
 * loop.run()
 */
export class Loop {
  readonly #epoll: Epoll<Listener>
  readonly #bell = new EventFd()
  readonly #timers = new Timers()
  readonly #waker: Waker
  readonly #owner: Watcher
  #deferred: DeferSource[] = []
  #references = 0
  #isReferenced = true
  #isRunning = false
  #isStopping = false
  #isWoken = false
  #isArming = false
  #host: Host | undefined

  /** @throws {ErrnoError} `EMFILE`, `ENFILE`, `ENOMEM`. */
  constructor(options: LoopOptions = {}) {
    const { auditMs = 0, ...rest } = object(options)
    milliseconds(auditMs, 'options.auditMs')
    this.#epoll = new Epoll(rest)
    const list = Epoll.listOf(this.#epoll)
    list.onEnd = ({ data }) => data.end()
    const loop = this
    this.#owner = {
      calls: 0,
      count: (change) => this.#count(change),
      get closed() {
        return loop.closed
      },
      after: (ms, handler) => this.after(ms, handler),
      register: (target, events, source) => this.#register(target, events, source),
    }
    const heard = { dispatch: () => this.#learn(), end: () => {} }
    this.#epoll.addAll([
      [this.#bell, EPOLLIN | EPOLLET, heard],
      [this.#timers, EPOLLIN | EPOLLET, this.#timers],
    ])
    check(binding.interest_bell(this.#epoll.fd, this.#bell.fd), 'epoll_ctl')
    this.#waker = Object.freeze(fdTable.token(this.#bell.fd))
    if (auditMs > 0) this.every(auditMs, () => this.#audit()).unref()
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#epoll.closed
  }

  /** Names this loop for `wake(waker)` in other threads. */
  get waker(): Waker {
    return this.#waker
  }

  /**
   * Calls a handler for the events of a descriptor.
   *
   * @param target A descriptor number below 2^20, or anything with a numeric `fd`. It stays open when
   *   the source is removed. An owned one (an `Fd`, an `EventFd`) takes its source along when it is
   *   closed.
   * @param events A mask of 32 bits, such as `EPOLLIN | EPOLLET`. With EPOLLONESHOT, `source.modify`
   *   arms it again.
   * @param options What happens when another file comes under the number.
   * @throws as `Epoll.add`.
   */
  watch(target: Target, events: number, handler: WatchHandler, options?: AddOptions): WatchSource {
    const mask = mask32(events, 'events')
    const source = new WatchSource(this.#owner, callable(handler))
    this.#register(target, mask, source, options)
    return source
  }

  /** Calls a handler once, after so many milliseconds, fractions allowed; never early. */
  after(ms: number, handler: TimerHandler): Source {
    return this.#schedule(milliseconds(ms, 'ms'), false, handler)
  }

  /**
   * Calls a handler every so many milliseconds, fractions allowed: at start + ms, start + 2 ms, and so
   * on, never early and without drifting. What comes too late is told as more than one expiration.
   *
   * @param ms More than 0.
   */
  every(ms: number, handler: TimerHandler): Source {
    if (milliseconds(ms, 'ms') === 0) throw outOfRange('ms', '> 0', ms)
    return this.#schedule(ms, true, handler)
  }

  #schedule(ms: number, isRepeated: boolean, handler: TimerHandler): Source {
    this.#assertOpen()
    const timer = new Timer(this.#owner, this.#timers, ms, isRepeated, callable(handler))
    this.#timers.add(timer)
    // Many may be made at once.
    if (this.#host !== undefined && !this.#isRunning && !this.#isArming && this.#timers.isDirty) {
      this.#isArming = true
      process.nextTick(() => {
        this.#isArming = false
        if (!this.closed) this.#timers.arm()
      })
    }
    return timer
  }

  /**
   * Calls a handler for each of these signals that the process gets, and takes them from everybody
   * else: see `SignalFd`. Where two loops ask for the same signal, each one that comes is heard by one
   * of them.
   *
   * @throws as `SignalFd`.
   */
  signal(signals: Signal | Iterable<Signal>, handler: SignalHandler): Source {
    this.#assertOpen()
    callable(handler)
    const isOne = typeof signals === 'string' || typeof signals === 'number'
    const descriptor = new SignalFd(isOne ? [signals] : signals)
    const source = new SignalSource(this.#owner, descriptor, handler)
    this.#register(descriptor, EPOLLIN, source)
    return source
  }

  /**
   * Calls a handler once, when a process has ended. It needn't be a child, and isn't reaped: Node's own
   * `'exit'` event comes as well.
   *
   * @throws as `PidFd`.
   */
  child(pid: number, handler: ChildHandler): Source {
    this.#assertOpen()
    callable(handler)
    const descriptor = new PidFd(pid)
    const source = new ChildSource(this.#owner, descriptor, handler)
    this.#register(descriptor, EPOLLIN, source)
    return source
  }

  /** Calls a handler once, after the events that are being delivered. */
  defer(handler: DeferHandler): Source {
    this.#assertOpen()
    const source = new DeferSource(this.#owner, callable(handler))
    this.#deferred.push(source)
    if (this.#host !== undefined && !this.#isRunning) this.wake()
    return source
  }

  #register(
    target: Target,
    events: number,
    source: WatchSource | SignalSource | ChildSource,
    options?: AddOptions,
  ): void {
    try {
      source.registration = this.#epoll.add(target, events, source, options)
    } catch (error) {
      source.discard()
      if (!(source instanceof WatchSource)) source.descriptor.close()
      throw error
    }
  }

  /**
   * Waits and calls handlers until `stop()`, or until nothing referenced is left. Blocks the thread:
   * what Node itself has to deliver waits until it returns. In a worker, `terminate()` ends it.
   *
   * @throws what a handler throws; the rest of its batch comes with the next call.
   * @throws {ClosedError} if it is closed.
   */
  run(): void {
    this.#enter()
    this.#isStopping = false
    try {
      while (this.#references > 0 && this.#isReferenced && !this.#isStopping && !this.closed) {
        this.#turn(-1)
      }
    } finally {
      this.#isRunning = false
    }
  }

  /**
   * Waits for events once and calls their handlers, or returns when the loop is woken.
   *
   * @param timeoutMs Fractions allowed; 0 looks once, a negative number waits as long as it takes.
   * @returns How many handlers were called.
   * @throws as `run`.
   */
  runOnce(timeoutMs = -1): number {
    milliseconds(timeoutMs, 'timeoutMs', Number.NEGATIVE_INFINITY)
    this.#enter()
    const before = this.#owner.calls
    const deadline = performance.now() + timeoutMs
    let leftMs = timeoutMs
    this.#isWoken = false
    try {
      this.#turn(leftMs)
      // The clock may ring for a timer that was removed.
      while (this.#owner.calls === before && leftMs !== 0 && !this.#isWoken && !this.closed) {
        if (timeoutMs > 0) leftMs = Math.max(0, deadline - performance.now())
        this.#turn(leftMs)
      }
    } finally {
      this.#isRunning = false
    }
    return this.#owner.calls - before
  }

  #enter(): void {
    this.#assertOpen()
    if (!this.#isRunning && this.#host === undefined) {
      this.#isRunning = true
      return
    }
    const why = this.#isRunning ? 'a handler of it is running' : 'it was started; stop() it first'
    throw atCaller(withCode(new Error(`The Loop can’t be run: ${why}`), 'ERR_LOOP_RUNNING'))
  }

  #turn(timeoutMs: number): void {
    this.#timers.arm()
    this.#epoll.wait(this.#deferred.length > 0 ? 0 : timeoutMs, visit)
    if (this.#deferred.length > 0) this.#runDeferred()
  }

  /** Those that are there by now. One that throws leaves the rest for the next turn. */
  #runDeferred(): void {
    const due = this.#deferred
    this.#deferred = []
    let next = 0
    try {
      while (next < due.length) due[next++]!.run()
    } finally {
      if (next < due.length) this.#deferred.unshift(...due.slice(next))
    }
  }

  /**
   * Has Node's own loop call the handlers, beside everything else, until `stop()`. Keeps Node alive
   * while anything referenced is left.
   *
   * @throws {ClosedError} if it is closed.
   */
  start(): void {
    this.#assertOpen()
    if (this.#host !== undefined) return
    this.#enter()
    this.#isRunning = false
    const host = new Host(this.#epoll.fd, () => this.#onReady())
    this.#host = host
    Epoll.listOf(this.#epoll).host = host
    host.isReferenced = this.#references > 0 && this.#isReferenced
    this.#timers.arm()
    if (this.#deferred.length > 0) this.wake()
  }

  /** Node's loop has found something. One batch at a time: others want their turn as well. */
  #onReady(): void {
    this.#isRunning = true
    do {
      try {
        this.#turn(0)
      } catch (error) {
        binding.report_exception(error)
      }
    } while (!this.closed && Epoll.listOf(this.#epoll).isPending)
    this.#isRunning = false
    if (this.closed) return
    this.#timers.arm()
    if (this.#deferred.length > 0) this.wake()
  }

  /** Ends `run()` when the running batch is through, or takes the loop off Node's. */
  stop(): void {
    this.#isStopping = true
    const host = this.#host
    if (host === undefined) return
    this.#host = Epoll.listOf(this.#epoll).host = undefined
    host.stop()
  }

  /** Ends the wait of `run` or `runOnce`, in this thread or by `wake(loop.waker)` in another. */
  wake(): void {
    this.#assertOpen()
    this.#bell.write()
  }

  /** Undoes `unref()`. */
  ref(): this {
    this.#isReferenced = true
    this.#count(0)
    return this
  }

  /** Neither does Node stay alive for this loop, nor does `run()` go on, whatever its sources. */
  unref(): this {
    this.#isReferenced = false
    this.#count(0)
    return this
  }

  #count(change: number): void {
    this.#references += change
    if (this.#host === undefined) return
    this.#host.isReferenced = this.#references > 0 && this.#isReferenced
  }

  /**
   * Waits for events of a descriptor once.
   *
   * @returns The mask that the kernel reported, or 0 at the time-out.
   * @throws {StaleRegistrationError} if the descriptor is closed or replaced meanwhile.
   * @throws {ClosedError} if the loop is. Everything that `Epoll.add` throws, and the signal's reason,
   *   is a rejection too.
   * @example
   * const events = await loop.ready(socket, EPOLLIN, { timeoutMs: 500 })
   */
  async ready(target: Target, events: number, options: ReadyOptions = {}): Promise<number> {
    const { signal, timeoutMs } = object(options)
    const mask = mask32(events, 'events')
    if (timeoutMs !== undefined) milliseconds(timeoutMs, 'options.timeoutMs')
    abortable(signal)?.throwIfAborted()
    this.#assertOpen()
    return ready(this.#owner, target, mask, { signal, timeoutMs })
  }

  /**
   * The events of a descriptor, one mask after the other. Registered while it is iterated over; what
   * comes between two steps is told by the next.
   *
   * @throws as `ready`, at the step that finds it.
   * @example
   * for await (const events of loop.iterate(socket, EPOLLIN)) {
   *   if (socket.read(buffer) === 0) break
   * }
   */
  iterate(
    target: Target,
    events: number,
    options: IterateOptions = {},
  ): AsyncGenerator<number, void, undefined> {
    const { signal } = object(options)
    const mask = mask32(events, 'events')
    abortable(signal)
    this.#assertOpen()
    return iterate(this.#owner, target, mask, { signal })
  }

  /** Registrations have ended by what happened to their descriptors, or we were woken. */
  #learn(): void {
    this.#isWoken = true
    const { fd } = this.#epoll
    for (;;) {
      const ended = binding.interest_ended(fd)
      if (ended < 0) return
      this.#epoll.get(ended)
    }
  }

  #audit(): void {
    this.#owner.calls-- // it is nobody's handler
    this.#epoll.audit({ repair: true })
  }

  #assertOpen(): void {
    if (this.closed) throw atCaller(new ClosedError('Loop'))
  }

  /**
   * Ends all sources, and closes what the loop has opened: watched descriptors stay open. A second call
   * does nothing.
   */
  close(): void {
    if (this.closed) return
    this.stop()
    const list = Epoll.listOf(this.#epoll)
    list.isClosing = true
    binding.interest_bell(this.#epoll.fd, -1)
    for (const { data } of list.living()) data.end()
    for (const source of this.#deferred.splice(0)) source.end()
    this.#epoll.close()
    this.#timers.close()
    this.#bell.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function visit({ data }: Registration<Listener>, events: number): void {
  data.dispatch(events)
}

function callable<F>(handler: F): F {
  if (typeof handler !== 'function') throw invalidType('handler', 'of type function', handler)
  return handler
}

function abortable(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw invalidType('options.signal', 'an AbortSignal', signal)
}
