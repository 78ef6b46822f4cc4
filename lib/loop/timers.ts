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
/** What comes more often than that can't be told apart. */
const LEAST_MS = 1e-6

class ClockFd extends OwnedFd {
  constructor() {
    super(opened(timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), true, 'Loop')
  }
}

/** @internal A timer of a loop. Times are those of `performance.now()`. */
export class Timer extends Source {
  /** How often it has fired. */
  #count = 0
  readonly #startMs: number
  readonly #intervalMs: number
  readonly #isRepeated: boolean
  readonly handler: TimerHandler
  readonly #timers: Timers

  constructor(
    owner: Owner,
    timers: Timers,
    intervalMs: number,
    isRepeated: boolean,
    handler: TimerHandler,
  ) {
    super('GENPOLL_TIMER', owner)
    this.#startMs = performance.now()
    this.#intervalMs = isRepeated ? Math.max(LEAST_MS, intervalMs) : intervalMs
    this.#isRepeated = isRepeated
    this.handler = handler
    this.#timers = timers
  }

  /** When it is due. From the start each time: what is added up drifts. */
  get dueMs(): number {
    return this.#startMs + (this.#count + 1) * this.#intervalMs
  }

  fire(nowMs: number): void {
    let expirations = 1
    if (this.#isRepeated) {
      expirations += Math.floor((nowMs - this.dueMs) / this.#intervalMs)
      this.#count += expirations
      this.#timers.add(this)
    } else {
      this.discard()
    }
    this.owner.note(this)
    this.runInAsyncScope(this.handler, undefined, expirations, this)
  }

  override end(): void {
    if (!this.isActive) return
    super.end()
    this.#timers.noteRemoved()
  }
}

/** All timers of a loop, on one timerfd. */
export class Timers implements Listener {
  readonly #clock = new ClockFd()
  #queue = new FlatQueue<Timer>()
  #removed = 0
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
    const timer = new Timer(owner, this, ms, isRepeated, handler)
    this.add(timer)
    return timer
  }

  add(timer: Timer): void {
    this.#queue.push(timer, timer.dueMs)
  }

  /** One that is in the queue isn't active any more. */
  noteRemoved(): void {
    this.#removed++
    if (this.#removed <= MOST_REMOVED || 2 * this.#removed <= this.#queue.length) return
    const { ids, length } = this.#queue
    this.#queue = new FlatQueue()
    this.#removed = 0
    for (let i = 0; i < length; i++) if (ids[i]!.isActive) this.add(ids[i]!)
  }

  /** Sets the clock. One that rang too early, for a timer that was removed, is set then. */
  arm(): void {
    if (!this.isDirty) return
    this.#armedMs = this.#queue.peekValue()!
    // Rounded up: never early. 0 would disarm it.
    const ns = Math.max(1, Math.ceil((this.#armedMs - performance.now()) * 1e6))
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
    while (this.#queue.length > 0 && this.#queue.peekValue()! <= nowMs) {
      const timer = this.#queue.pop()!
      if (timer.isActive) timer.fire(nowMs)
      else this.#removed--
    }
    this.#queue.shrink() // it keeps what was taken from it
  }

  end(): void {}

  close(): void {
    const { ids, length } = this.#queue
    this.#queue = new FlatQueue()
    for (let i = 0; i < length; i++) ids[i]!.end()
    this.#clock.close()
  }
}
