import { EPOLLIN } from '../constants.js'
import type { AddOptions, EpollOptions } from '../epoll-options.js'
import { PidFd } from '../pidfd.js'
import { numberOf, type Target } from '../registration.js'
import { SignalFd } from '../signalfd.js'
import { type Signal, signalNumbers } from '../signals.js'
import { invalidType, mask32, milliseconds, object, outOfRange } from '../validate.js'
import { type IterateOptions, iterate, type ReadyOptions, ready, type Watcher } from './promises.js'
import { Runner } from './runner.js'
import {
  type ChildHandler,
  ChildSource,
  type DeferHandler,
  DeferSource,
  type SignalHandler,
  SignalSource,
  type Source,
  type TimerHandler,
  type WatchHandler,
  WatchSource,
} from './source.js'
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
  readonly #runner: Runner
  readonly #watcher: Watcher

  /** @throws {ErrnoError} `EMFILE`, `ENFILE`, `ENOMEM`. */
  constructor(options: LoopOptions = {}) {
    const { auditMs = 0, ...rest } = object(options)
    milliseconds(auditMs, 'options.auditMs')
    const runner = new Runner(rest)
    this.#runner = runner
    this.#watcher = {
      owner: runner,
      register: (target, events, source) => this.#register(target, events, source),
    }
    if (auditMs > 0) this.every(auditMs, () => this.#audit()).unref()
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#runner.closed
  }

  /** Names this loop for `wake(waker)` in other threads. */
  get waker(): Waker {
    return this.#runner.waker
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
    this.#runner.assertOpen()
    const source = new WatchSource(this.#runner, callable(handler))
    this.#register(target, mask, source, options)
    return source
  }

  /** Calls a handler once, after so many milliseconds, fractions allowed; never early. */
  after(ms: number, handler: TimerHandler): Source {
    this.#runner.assertOpen()
    return this.#runner.schedule(milliseconds(ms, 'ms'), false, callable(handler))
  }

  /**
   * Calls a handler every so many milliseconds, fractions allowed: at start + ms, start + 2 ms, and so
   * on, never early and without drifting. What comes too late is told as more than one expiration.
   *
   * @param ms More than 0.
   */
  every(ms: number, handler: TimerHandler): Source {
    if (milliseconds(ms, 'ms') === 0) throw outOfRange('ms', '> 0', ms)
    this.#runner.assertOpen()
    return this.#runner.schedule(ms, true, callable(handler))
  }

  /**
   * Calls a handler for each of these signals that the process gets, and takes them from everybody
   * else: see `SignalFd`. Where two loops ask for the same signal, each one that comes is heard by one
   * of them.
   *
   * @param signals One or more, by name or number.
   * @throws as `SignalFd`; `RangeError` for none at all: the loop would wait for ever.
   */
  signal(signals: Signal | Iterable<Signal>, handler: SignalHandler): Source {
    this.#runner.assertOpen()
    callable(handler)
    const isOne = typeof signals === 'string' || typeof signals === 'number'
    const numbers = signalNumbers(isOne ? [signals] : signals, 'signals')
    if (numbers.length === 0) throw outOfRange('signals', 'at least one signal', numbers)
    const descriptor = new SignalFd(numbers)
    const source = new SignalSource(this.#runner, descriptor, handler)
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
    this.#runner.assertOpen()
    callable(handler)
    const descriptor = new PidFd(pid)
    const source = new ChildSource(this.#runner, descriptor, handler)
    this.#register(descriptor, EPOLLIN, source)
    return source
  }

  /** Calls a handler once, after the events that are being delivered. */
  defer(handler: DeferHandler): Source {
    this.#runner.assertOpen()
    const source = new DeferSource(this.#runner, callable(handler))
    this.#runner.defer(source)
    return source
  }

  #register(
    target: Target,
    events: number,
    source: WatchSource | SignalSource | ChildSource,
    options?: AddOptions,
  ): void {
    try {
      source.registration = this.#runner.epoll.add(target, events, source, options)
    } catch (error) {
      source.discard()
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
    this.#runner.run()
  }

  /**
   * Waits for events once and calls their handlers. Returns too when the loop is woken, or a watched
   * descriptor was closed.
   *
   * @param timeoutMs Fractions allowed; 0 looks once, a negative number waits as long as it takes.
   * @returns How many handlers were called.
   * @throws as `run`.
   */
  runOnce(timeoutMs = -1): number {
    return this.#runner.runOnce(milliseconds(timeoutMs, 'timeoutMs', Number.NEGATIVE_INFINITY))
  }

  /**
   * Has Node's own loop call the handlers, beside everything else, until `stop()`. Keeps Node alive
   * while anything referenced is left.
   *
   * @throws {ClosedError} if it is closed.
   */
  start(): void {
    this.#runner.start()
  }

  /** Ends `run()` when the running batch is through, or takes the loop off Node's. */
  stop(): void {
    this.#runner.stop()
  }

  /** Ends the wait of `run` or `runOnce`, in this thread or by `wake(loop.waker)` in another. */
  wake(): void {
    this.#runner.assertOpen()
    this.#runner.wake()
  }

  /** Undoes `unref()`. */
  ref(): this {
    this.#runner.isReferenced = true
    return this
  }

  /** Neither does Node stay alive for this loop, nor does `run()` go on, whatever its sources. */
  unref(): this {
    this.#runner.isReferenced = false
    return this
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
    this.#runner.assertOpen()
    return ready(this.#watcher, target, mask, { signal, timeoutMs })
  }

  /**
   * The events of a descriptor, one mask after the other. Registered while it is iterated over; what
   * comes between two steps is told by the next. `return()` ends a step that is pending as well.
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
    numberOf(target)
    const mask = mask32(events, 'events')
    abortable(signal)
    this.#runner.assertOpen()
    return iterate(this.#watcher, target, mask, { signal })
  }

  #audit(): void {
    this.#runner.calls-- // it is nobody's handler
    this.#runner.epoll.audit({ repair: true })
  }

  /**
   * Ends all sources, and closes what the loop has opened: watched descriptors stay open. A second call
   * does nothing.
   */
  close(): void {
    this.#runner.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function callable<F>(handler: F): F {
  if (typeof handler !== 'function') throw invalidType('handler', 'of type function', handler)
  return handler
}

function abortable(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw invalidType('options.signal', 'an AbortSignal', signal)
}
