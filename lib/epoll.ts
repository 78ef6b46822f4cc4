import { binding, pinBuffer, pinEvents } from './binding.js'
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLONESHOT } from './constants.js'
import { check, fail } from './errors.js'
import { OwnedFd } from './fd.js'
import { generationOf } from './fd-table.js'
import {
  ACTIVE,
  DISARMED,
  InterestList,
  numberOf,
  Registration,
  type Target,
} from './registration.js'
import { type Signal, signalNumbers, toMask } from './signals.js'
import { control, epoll_create1, failControl, poll } from './sys/epoll.js'
import { boolean, integer, invalidType, mask32, milliseconds, object } from './validate.js'

const { generations, isMainThread, registers, wideRegisters } = binding

export interface EpollOptions {
  /** How many events one wait reads at most, 1 to 65,536. Default 256. */
  maxEvents?: number | undefined
}

/** Called for each event, with the mask that the kernel reported, unsigned. */
export type Visit<T> = (registration: Registration<T>, events: number) => void

export interface WaitOptions {
  /**
   * Signals to block while it waits, and no others but those that a `SignalFd` reads. The wait then
   * ends with `EINTR` when a signal is handled, or when a `SignalFd` is opened or closed meanwhile.
   * Block those that matter in the thread before (`sys.sigprocmask`): a wait may be several native
   * ones, and what comes before or between them is handled without ending it.
   */
  sigmask?: Iterable<Signal> | undefined
}

/** What an `Epoll` has done so far. */
export interface EpollStats {
  /** Native waits. */
  waits: number
  /** Events handed to a visitor. */
  delivered: number
  /** Events that were dropped because their descriptor had been closed, recycled or removed. */
  stale: number
}

/** How the kernel polls network devices while it waits: `struct epoll_params`. */
export interface BusyPollParams {
  /** For how long, in microseconds; 0: not at all. */
  usecs: number
  /** How many packets a turn, 0 to 65,535 (more than 64 need CAP_NET_ADMIN). */
  budget: number
  /** Polling goes before interrupts. */
  prefer: boolean
}

const TURN_MS = 10
const TIMED_OUT = -1

function maskOf(options: WaitOptions): bigint | undefined {
  const { sigmask } = object(options)
  if (sigmask === undefined) return undefined
  const mask = toMask(signalNumbers(sigmask, 'sigmask'))
  // What a SignalFd reads stays blocked, here too: it would end the process otherwise.
  binding.signals_blocked()
  return mask | wideRegisters[0]!
}

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

class EpollFd extends OwnedFd {
  constructor() {
    super(epoll_create1(EPOLL_CLOEXEC), true, 'Epoll')
  }
}

/**
 * An epoll whose events never reach the wrong handler: each carries the generation of the descriptor
 * that was registered, and is delivered only if that is still what the number means at the moment
 * its handler is about to run.
 *
 * @typeParam T What each registration carries for you: a handler, a connection, a name.
 * @example
 * using epoll = new Epoll<(events: number) => void>()
 * using bell = new EventFd()
 * epoll.add(bell, EPOLLIN, () => console.log(bell.read()))
 * bell.write(3)
 * epoll.wait(-1, (registration, events) => registration.data(events))
 * @see https://man7.org/linux/man-pages/man7/epoll.7.html
 */
export class Epoll<T = unknown> {
  readonly #list: InterestList<T>
  readonly #out: Uint32Array
  // Node's loop is in the interest list, for a wait that blocks in a worker.
  #isTerminable = false
  // It has asked for attention, and can't be heard a second time before it gets some.
  #isHostPending = false
  #waits = 0
  #delivered = 0
  #stale = 0

  /** @throws {ErrnoError} `EMFILE`, `ENFILE`, `ENOMEM`. */
  constructor(options: EpollOptions = {}) {
    const { maxEvents = 256 } = object(options)
    this.#out = new Uint32Array(3 * integer(maxEvents, 'options.maxEvents', 1, 65536))
    this.#list = new InterestList(new EpollFd())
  }

  /**
   * The epoll's own descriptor: readable while an event is pending.
   *
   * @throws {ClosedError} once it is closed.
   */
  get fd(): number {
    return this.#list.handle.fd
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#list.handle.closed
  }

  /** How many registrations are alive. */
  get size(): number {
    return this.closed ? 0 : this.#list.size
  }

  /** Counters since it was made. */
  get stats(): EpollStats {
    return { waits: this.#waits, delivered: this.#delivered, stale: this.#stale }
  }

  /**
   * Adds a descriptor to the interest list.
   *
   * @param target A descriptor number below 2^20, or anything with a numeric `fd`. An owned one
   *   leaves the list by itself when it is closed.
   * @param events A mask of 32 bits, such as `EPOLLIN | EPOLLET`.
   * @param data Handed back with every event, as `registration.data`.
   * @throws {ErrnoError} `EBADF` not open; `EEXIST` in the list already; `EPERM` a regular file or
   *   directory; `EINVAL` itself, or EPOLLEXCLUSIVE with what it doesn't go with; `ELOOP` epolls that
   *   watch each other, or more than five deep; `ENOSPC` the user's limit; `ENOMEM`.
   * @throws {ClosedError} if it, or the target, is closed.
   * @see https://man7.org/linux/man-pages/man2/epoll_ctl.2.html
   */
  add(target: Target, events: number, data: T): Registration<T> {
    const fd = numberOf(target)
    return this.#list.add(target, fd, mask32(events, 'events'), data)
  }

  /**
   * Adds many descriptors with one native call: all of them, or none if one can't be added.
   *
   * @param entries `[target, events, data]` each.
   * @returns The registrations, in order.
   * @throws as `add`.
   */
  addAll(entries: Iterable<readonly [target: Target, events: number, data: T]>): Registration<T>[] {
    if (typeof entries !== 'object' || entries === null || !(Symbol.iterator in entries)) {
      throw invalidType('entries', 'an iterable of [target, events, data]', entries)
    }
    const list = this.#list
    const made: Registration<T>[] = []
    for (const entry of entries) {
      if (!Array.isArray(entry))
        throw invalidType('entries', 'of [target, events, data] each', entry)
      const [target, events, data] = entry as [Target, number, T]
      const fd = numberOf(target)
      made.push(
        new Registration(list, target, fd, generationOf(fd), mask32(events, 'events'), data),
      )
    }
    // Numbers that were in the list before need the care that `add` takes.
    if (made.some(({ fd }) => list.registrations[fd] !== undefined)) return this.#addEach(made)

    const triples = new Int32Array(3 * made.length)
    made.forEach(({ fd, token, mask }, i) => {
      triples.set([mask, fd, token], 3 * i)
    })
    pinBuffer(triples, triples.byteLength)
    const { fd: epfd } = list.handle
    const added = check(binding.epoll_add_all(epfd, made.length), 'epoll_ctl')
    if (added < made.length) {
      const errno = registers[1]!
      for (const { fd } of made.slice(0, added)) control(epfd, EPOLL_CTL_DEL, fd, 0, 0, 0)
      failControl(errno, EPOLL_CTL_ADD, made[added]!.fd)
    }
    for (const registration of made) list.keep(registration)
    return made
  }

  #addEach(wanted: readonly Registration<T>[]): Registration<T>[] {
    const added: Registration<T>[] = []
    try {
      for (const { target, fd, mask, data } of wanted) {
        added.push(this.#list.add(target, fd, mask, data))
      }
    } catch (error) {
      for (const registration of added) registration.remove()
      throw error
    }
    return added
  }

  /** The living registration of a descriptor, if it has one here. */
  get(target: Target): Registration<T> | undefined {
    return this.#list.get(numberOf(target))
  }

  /**
   * Waits for events and calls `visit` for each that is still meant for its registration.
   *
   * What `visit` closes, recycles, removes or modifies takes effect at once, for the other events of
   * the same batch too. If it throws, the error leaves `wait`, and the next call delivers the rest of
   * the batch; so does a call inside `visit`. In a worker, `terminate()` ends a wait of any length.
   *
   * @param timeoutMs Fractions are rounded up to the nanosecond, so it never ends early. 0 looks once,
   *   a negative number waits until something is delivered.
   * @returns The number of events delivered: 0 at the time-out, or if all that came was stale and
   *   `timeoutMs` is 0.
   * @throws {ErrnoError} `EINTR`, only with a `sigmask`.
   * @throws {ClosedError} if it is closed.
   * @see https://man7.org/linux/man-pages/man2/epoll_wait.2.html
   */
  wait(timeoutMs: number, visit: Visit<T>, options?: WaitOptions): number {
    if (typeof visit !== 'function') throw invalidType('visit', 'of type function', visit)
    milliseconds(timeoutMs, 'timeoutMs', Number.NEGATIVE_INFINITY)
    const mask = options === undefined ? undefined : maskOf(options)
    const epfd = this.fd
    if (this.#list.next < this.#list.count) {
      const delivered = this.#deliver(visit)
      if (delivered > 0) return delivered
    }
    // A main thread has nobody to be terminated by, so it needn't listen for that while it blocks.
    if (isMainThread || timeoutMs === 0 || this.#isTerminable) {
      return this.#waitOn(epfd, timeoutMs, mask, visit)
    }
    return this.#waitTerminably(epfd, timeoutMs, mask, visit)
  }

  #waitOn(epfd: number, timeoutMs: number, mask: bigint | undefined, visit: Visit<T>): number {
    const deadline = timeoutMs > 0 ? performance.now() + timeoutMs : 0
    let leftMs = timeoutMs
    let delivered = this.#turn(epfd, leftMs, mask, visit)
    while (delivered === 0 && leftMs !== 0) {
      leftMs = left(timeoutMs, deadline)
      delivered = this.#turn(epfd, leftMs, mask, visit)
    }
    return Math.max(0, delivered)
  }

  /** As `#waitOn`, with Node's loop in the interest list: the worker may be told to end. */
  #waitTerminably(
    epfd: number,
    timeoutMs: number,
    mask: bigint | undefined,
    visit: Visit<T>,
  ): number {
    const delivered = this.#waitOn(epfd, 0, mask, visit)
    if (delivered > 0) return delivered
    check(binding.host_attach(epfd), 'epoll_ctl', epfd)
    this.#isTerminable = true
    try {
      const deadline = timeoutMs > 0 ? performance.now() + timeoutMs : 0
      let leftMs = timeoutMs
      let turnMs = timeoutMs
      let delivered = this.#turn(epfd, turnMs, mask, visit)
      // Each jump back is where V8 looks whether the worker has been terminated.
      while (delivered === TIMED_OUT ? turnMs !== leftMs : delivered === 0 && leftMs !== 0) {
        leftMs = left(timeoutMs, deadline)
        turnMs = this.#isHostPending ? turnOf(leftMs) : leftMs
        delivered = this.#turn(epfd, turnMs, mask, visit)
      }
      return Math.max(0, delivered)
    } finally {
      // Not reached when the worker is terminated: its end closes the epoll as a whole.
      this.#isTerminable = this.#isHostPending = false
      if (!this.closed) binding.host_detach(epfd)
    }
  }

  /** One native wait. Returns how many of its events were delivered, or `TIMED_OUT` if it had none. */
  #turn(epfd: number, timeoutMs: number, mask: bigint | undefined, visit: Visit<T>): number {
    const list = this.#list
    list.settle()
    this.#waits++
    pinEvents(this.#out)
    const count = poll(epfd, timeoutMs, mask)
    if (count < 0) fail(count, 'epoll_pwait', { fd: epfd })
    if (count === 0) return TIMED_OUT
    list.next = 0
    list.count = count
    return this.#deliver(visit)
  }

  /**
   * The one place from which handlers are called. How far it has come is kept in the list, not here:
   * a visitor may throw, close the epoll, or wait for more itself.
   */
  #deliver(visit: Visit<T>): number {
    const list = this.#list
    const { registrations } = list
    const out = this.#out
    const before = this.#delivered
    while (list.next < list.count) {
      const at = 3 * list.next++
      const token = out[at + 2]! | 0
      const registration = registrations[out[at + 1]!]
      if (
        registration !== undefined &&
        registration.token === token &&
        generations[registration.fd] === token
      ) {
        if (registration.status !== ACTIVE) continue
        if ((registration.mask & EPOLLONESHOT) !== 0) registration.status = DISARMED
        this.#delivered++
        visit(registration, out[at]!)
      } else if (token !== 0) {
        this.#stale++
      } else {
        this.#isHostPending = true
      }
    }
    return this.#delivered - before
  }

  /**
   * Makes waits poll the network devices behind the registered sockets (EPIOCSPARAMS), or without an
   * argument tells how they do (EPIOCGPARAMS).
   *
   * @throws {ErrnoError} `EINVAL`; `ENOTTY` before Linux 6.9; `EPERM` a budget above 64 without
   *   CAP_NET_ADMIN.
   * @see https://man7.org/linux/man-pages/man2/ioctl_eventpoll.2.html
   */
  busyPoll(): BusyPollParams
  busyPoll(params: BusyPollParams): void
  busyPoll(params?: BusyPollParams): BusyPollParams | undefined {
    const epfd = this.fd
    if (params === undefined) {
      check(binding.epoll_get_params(epfd), 'ioctl', epfd)
      return { usecs: registers[1]! >>> 0, budget: registers[2]!, prefer: registers[3] === 1 }
    }
    const { usecs, budget, prefer } = object(params, 'params')
    integer(usecs, 'params.usecs', 0, 0x7fffffff)
    integer(budget, 'params.budget', 0, 0xffff)
    const flag = boolean(prefer, 'params.prefer', false) ? 1 : 0
    check(binding.epoll_set_params(epfd, usecs, budget, flag), 'ioctl', epfd)
    return undefined
  }

  /**
   * Closes it. The descriptors that it watched stay open; their registrations are `'removed'`. A
   * second call does nothing.
   */
  close(): void {
    this.#list.count = 0
    this.#list.handle.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
