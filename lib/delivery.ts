import { binding, pinEvents } from './binding.js'
import { EPOLLONESHOT } from './constants.js'
import { ELOOP } from './errno.js'
import { check, fail } from './errors.js'
import type { InterestList } from './interest-list.js'
import { ACTIVE, CLOSED, DISARMED, type Registration, VERIFIED } from './registration.js'
import { hasLibuv } from './runtime.js'
import { poll } from './sys/epoll.js'
import { since, type Zombies } from './zombies.js'

const { generations, isMainThread } = binding

/** Called for each event, with the mask that the kernel reported, unsigned. */
export type Visit<T> = (registration: Registration<T>, events: number) => void

/** The data of an entry that is there while a question is asked (src/interest_list.h). */
const PROBE = 0xffffffff
const TURN_MS = 10
const TIMED_OUT = -1
/** How long to look away from an epoll that reports nothing but the entries of other processes. */
const PAUSE_MS = 5
const pause = new Int32Array(new SharedArrayBuffer(4))

/** What is left of a timeout, in milliseconds. */
function left(timeoutMs: number, deadline: number): number {
  return timeoutMs > 0 ? Math.max(0, deadline - performance.now()) : timeoutMs
}

/**
 * How long to wait at a time once something is pending on Node's loop. libuv doesn't ring twice for
 * what it has rung for, and a termination can come by the same way: it has to be looked for.
 */
function turnOf(leftMs: number): number {
  return leftMs < 0 ? TURN_MS : Math.min(leftMs, TURN_MS)
}

/** The waits of an `Epoll`, and what becomes of the events that they bring. */
export class Delivery<T> {
  waits = 0
  delivered = 0
  stale = 0
  // Node's loop has asked for attention, and can't be heard a second time before it gets some.
  #isHostPending = false
  // By the processor clock: when the running turn began, and when the last one that brought only
  // stale events was over.
  #turnSince = 0
  #staleSince: number | undefined
  readonly #list: InterestList<T>
  readonly #zombies: Zombies<T>
  readonly #out: Uint32Array

  constructor(list: InterestList<T>, zombies: Zombies<T>, maxEvents: number) {
    this.#list = list
    this.#zombies = zombies
    this.#out = new Uint32Array(3 * maxEvents)
  }

  /** `Epoll.wait` on checked arguments. */
  wait(timeoutMs: number, mask: bigint | undefined, visit: Visit<T>): number {
    const epfd = this.#list.handle.fd
    this.#staleSince = undefined
    if (this.#list.isPending) {
      const delivered = this.#deliver(visit)
      if (delivered > 0 || this.#isOver) return delivered
    }
    // A main thread has nobody to be terminated by, so it needn't listen for that while it blocks.
    if (isMainThread || timeoutMs === 0 || this.#list.hasHost) {
      return this.#waitOn(epfd, timeoutMs, mask, visit)
    }
    return this.#waitTerminably(epfd, timeoutMs, mask, visit)
  }

  #waitOn(epfd: number, timeoutMs: number, mask: bigint | undefined, visit: Visit<T>): number {
    const deadline = timeoutMs > 0 ? performance.now() + timeoutMs : 0
    let leftMs = timeoutMs
    let delivered = this.#turn(epfd, leftMs, mask, visit)
    while (delivered === 0 && leftMs !== 0 && !this.#isOver) {
      leftMs = left(timeoutMs, deadline)
      delivered = this.#turn(epfd, leftMs, mask, visit)
    }
    return Math.max(0, delivered)
  }

  /** Whether there is no reason to wait on. */
  get #isOver(): boolean {
    return this.#list.handle.closed || this.#list.isInterrupted
  }

  /** As `#waitOn`, with Node's loop in the interest list: the worker may be told to end. */
  #waitTerminably(
    epfd: number,
    timeoutMs: number,
    mask: bigint | undefined,
    visit: Visit<T>,
  ): number {
    const delivered = this.#waitOn(epfd, 0, mask, visit)
    if (delivered > 0 || this.#isOver) return delivered
    // ELOOP: Node's loop watches one that watches this one. Then a termination has to be looked for.
    const rc = hasLibuv ? binding.host_attach(epfd) : ELOOP
    if (rc !== ELOOP) check(rc, 'epoll_ctl', epfd)
    this.#list.hasHost = rc === 0
    this.#isHostPending = rc !== 0
    try {
      const deadline = timeoutMs > 0 ? performance.now() + timeoutMs : 0
      let leftMs = timeoutMs
      let turnMs = rc === 0 ? leftMs : turnOf(leftMs)
      let delivered = this.#turn(epfd, turnMs, mask, visit)
      // Each jump back is where V8 looks whether the worker has been terminated.
      while (delivered === TIMED_OUT ? turnMs !== leftMs : delivered === 0 && leftMs !== 0) {
        if (this.#isOver) break
        leftMs = left(timeoutMs, deadline)
        /* c8 ignore next: whether Node has anything pending is up to Node. */
        turnMs = this.#isHostPending ? turnOf(leftMs) : leftMs
        delivered = this.#turn(epfd, turnMs, mask, visit)
      }
      return Math.max(0, delivered)
    } finally {
      // Not reached when the worker is terminated: its end closes the epoll as a whole.
      this.#list.hasHost = this.#isHostPending = false
      if (rc === 0 && !this.#list.handle.closed) binding.host_detach(epfd)
    }
  }

  /** One native wait. Returns how many of its events were delivered, or `TIMED_OUT` if it had none. */
  #turn(epfd: number, timeoutMs: number, mask: bigint | undefined, visit: Visit<T>): number {
    const list = this.#list
    list.settle()
    this.waits++
    const isMeasured = this.#zombies.areThere
    if (isMeasured && !this.#startMeasuring()) return 0
    pinEvents(this.#out)
    const count = poll(epfd, timeoutMs, mask)
    if (count < 0) fail(count, 'epoll_pwait', { fd: epfd })
    list.next = 0
    list.count = count
    if (isMeasured) return this.#deliverMeasured(count, visit)
    return count === 0 ? TIMED_OUT : this.#deliver(visit)
  }

  /** While entries that can't be deleted wake us, what that costs is measured. False: it was closed. */
  #startMeasuring(): boolean {
    if (this.#zombies.isDue) {
      this.#zombies.rebuild()
      if (this.#list.handle.closed) return false // by an onStale
      this.#staleSince = undefined
    }
    this.#turnSince = this.#staleSince ?? binding.cpu_clock()
    this.#staleSince = undefined
    return true
  }

  #deliverMeasured(count: number, visit: Visit<T>): number {
    if (count === 0) {
      this.#zombies.charge(0)
      return TIMED_OUT
    }
    // To ask for the time costs a good part of a wake-up.
    const pollNs = count > 1 ? since(this.#turnSince) : 0
    const staleBefore = this.stale
    const delivered = this.#deliver(visit)
    const stale = this.stale - staleBefore
    if (stale < count) {
      this.#zombies.charge((pollNs * stale) / count)
    } else {
      this.#staleSince = binding.cpu_clock()
      this.#zombies.charge((this.#staleSince - this.#turnSince) >>> 0)
      if (!this.#zombies.isOurs) Atomics.wait(pause, 0, 0, PAUSE_MS)
    }
    return delivered
  }

  /**
   * The one place from which handlers are called. How far it has come is kept in the list, not here:
   * a visitor may throw, close the epoll, or wait for more itself.
   */
  #deliver(visit: Visit<T>): number {
    const list = this.#list
    const { registrations } = list
    const out = this.#out
    const before = this.delivered
    while (list.next < list.count) {
      const at = 3 * list.next++
      const token = out[at + 2]! | 0
      const registration = registrations[out[at + 1]!]
      if (
        (registration === undefined ||
          registration.token !== token ||
          generations[registration.fd] !== token) &&
        !this.#isMeant(registration, out[at + 1]!, token, out[at]!)
      ) {
        continue
      }
      const meant = registration!
      if (meant.status !== ACTIVE) continue
      // In this order: another thread may replace the file before the kernel is asked.
      if ((meant.flags & VERIFIED) !== 0 && !(list.confirm(meant) && meant.hasToken(token))) {
        this.#dropEnded(meant.fd, token, out[at]!)
        continue
      }
      if ((meant.mask & EPOLLONESHOT) !== 0) meant.status = DISARMED
      this.delivered++
      visit(meant, out[at]!)
    }
    return this.delivered - before
  }

  /** Whether an event that the table doesn't vouch for is meant for a registration all the same. */
  #isMeant(
    registration: Registration<T> | undefined,
    fd: number,
    token: number,
    events: number,
  ): boolean {
    const list = this.#list
    if (token === 0 && fd === 0 && list.hasHost) {
      this.#isHostPending = true
      return false
    }
    // Another thread’s question, whether the number could be registered here.
    if (token === 0 && fd === PROBE) return false
    if (registration !== undefined) {
      const former = registration.token
      // Asking makes it learn what other threads have done to it.
      const isAlive = registration.currentStatus < CLOSED
      if (isAlive && registration.token === token) return true
      const hadIt =
        former === token || (isAlive && list.past.hasMoved(fd, token, registration.token))
      if (hadIt) {
        this.#dropEnded(fd, token, events)
        return false
      }
    }
    const isDeleted = list.past.wasDeleted(fd, token)
    if (isDeleted === true) this.stale++
    else this.#drop(fd, token, events, isDeleted === undefined)
    return false
  }

  /** Drops an event whose registration has just ended, or gone over to another file. */
  #dropEnded(fd: number, token: number, events: number): void {
    if (this.#list.past.graveOf(fd, token) !== undefined) this.#drop(fd, token, events, false)
    else this.stale++
  }

  #drop(fd: number, token: number, events: number, isCertain: boolean): void {
    this.stale++
    this.#zombies.meet(fd, token, events, isCertain)
  }
}
