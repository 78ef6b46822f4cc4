import FlatQueue from 'flatqueue'
import { binding } from '../binding.js'
import { CLOCK_MONOTONIC, TFD_CLOEXEC, TFD_NONBLOCK } from '../constants.js'
import { check } from '../errors.js'
import { OwnedFd, opened } from '../fd.js'
import { timerfd_create } from '../sys/timerfd.js'
import { type Listener, type Owner, Source, type TimerHandler } from './source.js'

const { registers } = binding

/** So many timers that were removed may be left in the queue, and as many as are in use. */
const MOST_REMOVED = 64
/** An empty queue keeps room for so many. */
const MOST_KEPT = 256
/** What comes more often than that can't be told apart. */
const LEAST_MS = 1e-6

/** Where many are due one after the other, they are fired together, up to that late. */
const MANY = 8
const REST_MS = 0.25

class ClockFd extends OwnedFd {
  constructor() {
    super(opened(timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), true, 'Loop')
  }
}

/** @internal A timer of a loop that fires once. Times are those of `performance.now()`. */
export class Timer extends Source {
  constructor(
    owner: Owner,
    readonly handler: TimerHandler,
  ) {
    super('GENPOLL_TIMER', owner)
  }

  fire(_timers: Timers, _nowMs: number): void {
    this.discard()
    this.call(1)
  }

  protected call(expirations: number): void {
    this.owner.note(this)
    this.runInAsyncScope(this.handler, undefined, expirations, this)
  }

  override end(): void {
    if (!this.isActive) return
    super.end()
    this.owner.noteTimerRemoved()
  }
}

/** One that fires again and again. */
class Ticker extends Timer {
  /** How often it has fired. */
  #count = 0

  constructor(
    owner: Owner,
    handler: TimerHandler,
    readonly startMs: number,
    readonly intervalMs: number,
  ) {
    super(owner, handler)
  }

  /** From the start each time: what is added up drifts. */
  get dueMs(): number {
    return this.startMs + (this.#count + 1) * this.intervalMs
  }

  override fire(timers: Timers, nowMs: number): void {
    const expirations = 1 + Math.floor((nowMs - this.dueMs) / this.intervalMs)
    this.#count += expirations
    timers.add(this, this.dueMs)
    this.call(expirations)
  }
}

/** All timers of a loop, on one timerfd. */
export class Timers implements Listener {
  readonly #clock = new ClockFd()
  #queue = new FlatQueue<Timer>()
  #removed = 0
  /** The clock doesn't ring before. */
  #restMs = 0
  /** When the clock rings. */
  #armedMs = Number.POSITIVE_INFINITY

  get fd(): number {
    return this.#clock.fd
  }

  /** Whether the clock has to be set before the next wait. */
  get isDirty(): boolean {
    return this.#queue.length > 0 && this.#queue.peekValue()! < this.#armedMs
  }

  make(owner: Owner, ms: number, isRepeated: boolean, handler: TimerHandler): Timer {
    const nowMs = performance.now()
    if (!isRepeated) return this.add(new Timer(owner, handler), nowMs + ms)
    const ticker = new Ticker(owner, handler, nowMs, Math.max(LEAST_MS, ms))
    return this.add(ticker, ticker.dueMs)
  }

  add(timer: Timer, dueMs: number): Timer {
    this.#queue.push(timer, dueMs)
    return timer
  }

  /** One that is in the queue isn't active any more. */
  noteRemoved(): void {
    this.#removed++
    if (this.#removed <= MOST_REMOVED || 2 * this.#removed <= this.#queue.length) return
    const { ids, values, length } = this.#queue
    this.#queue = new FlatQueue()
    this.#removed = 0
    for (let i = 0; i < length; i++) if (ids[i]!.isActive) this.add(ids[i]!, values[i]!)
  }

  /** Sets the clock. One that rang too early, for a timer that was removed, is set then. */
  arm(): void {
    if (!this.isDirty) return
    this.#armedMs = this.#queue.peekValue()!
    const ringMs = Math.max(this.#armedMs, this.#restMs)
    // Rounded up: never early. 0 would disarm it.
    const ns = Math.max(1, Math.ceil((ringMs - performance.now()) * 1e6))
    // Halves of the wide registers 0 and 1.
    registers[8] = (ns % 2 ** 32) | 0
    registers[9] = ns / 2 ** 32
    registers[10] = registers[11] = 0
    check(binding.timerfd_settime(this.fd, 0), 'timerfd_settime', this.fd)
  }

  /** The clock has rung. A handler that throws leaves the rest to the next time: it rings at once. */
  dispatch(): void {
    this.#armedMs = Number.POSITIVE_INFINITY
    const nowMs = performance.now()
    let fired = 0
    // A handler may have it replaced, by removing many.
    while (this.#queue.length > 0 && this.#queue.peekValue()! <= nowMs) {
      const queue = this.#queue
      const timer = queue.pop()!
      queue.ids[queue.length] = undefined as never // it would keep what was taken from it
      fired++
      if (timer.isActive) timer.fire(this, nowMs)
      else this.#removed--
    }
    this.#restMs = fired < MANY ? 0 : nowMs + REST_MS
    if (this.#queue.length === 0 && this.#queue.ids.length > MOST_KEPT) this.#queue.shrink()
  }

  end(): void {}

  close(): void {
    const { ids, length } = this.#queue
    this.#queue = new FlatQueue()
    for (let i = 0; i < length; i++) ids[i]!.end()
    this.#clock.close()
  }
}
