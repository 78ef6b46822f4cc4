import { type AuditReport, audit, repair } from './audit.js'
import { binding } from './binding.js'
import { EPOLL_CLOEXEC, EPOLL_CTL_DEL } from './constants.js'
import { Delivery, type Visit } from './delivery.js'
import {
  type AddOptions,
  type AdoptOptions,
  type AuditOptions,
  type BusyPollParams,
  type EpollOptions,
  type EpollStats,
  maskOf,
  type WaitOptions,
} from './epoll-options.js'
import { EINVAL, ENOENT, EPERM } from './errno.js'
import { check, fail } from './errors.js'
import { EventFd } from './eventfd.js'
import { OwnedFd, opened } from './fd.js'
import { InterestList, type Wish } from './interest-list.js'
import { numberOf, type Registration, type Target } from './registration.js'
import { control, epoll_create1 } from './sys/epoll.js'
import { boolean, integer, invalidType, mask32, milliseconds, object, oneOf } from './validate.js'
import { Zombies } from './zombies.js'

const { registers } = binding

const F_GETFD = 1

class EpollFd extends OwnedFd {
  constructor(fd: number, isNew: boolean) {
    super(fd, isNew, 'Epoll')
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
  readonly #zombies: Zombies<T>
  readonly #delivery: Delivery<T>

  /**
   * Takes over an epoll that another process has made: one that was inherited, or received over a
   * socket. What is in it already isn't registered here; `audit()` lists it. If the other process
   * deletes an entry of ours, `audit()` calls it `'lost'`.
   *
   * @param fd Its number.
   * @throws {ErrnoError} `EBADF` not open; `EEXIST` owned already; `EINVAL` not an epoll.
   */
  static adopt<T = unknown>(fd: number, options: AdoptOptions = {}): Epoll<T> {
    integer(fd, 'fd', 0, 0x7fffffff)
    const takeOver = boolean(object(options).takeOver, 'options.takeOver', false)
    check(binding.fcntl(fd, F_GETFD, 0), 'adopt', fd)
    const bell = new EventFd()
    const rc = control(fd, EPOLL_CTL_DEL, bell.fd, 0, 0, 0)
    bell.close()
    if (rc !== ENOENT) fail(EINVAL, 'adopt', { fd, hint: 'not an epoll' })
    return new Epoll<T>(options, { fd, takeOver })
  }

  /** @internal */
  static listOf<T>(epoll: Epoll<T>): InterestList<T> {
    return epoll.#list
  }

  /** @throws {ErrnoError} `EMFILE`, `ENFILE`, `ENOMEM`. */
  constructor(options?: EpollOptions)
  /** @internal */
  constructor(options: EpollOptions, adopted: { fd: number; takeOver: boolean })
  constructor(options: EpollOptions = {}, adopted?: { fd: number; takeOver: boolean }) {
    const { maxEvents = 256, verify, onStale } = object(options)
    integer(maxEvents, 'options.maxEvents', 1, 65536)
    const verification = oneOf(verify, 'options.verify', ['foreign', 'always', 'never'])
    if (onStale !== undefined && typeof onStale !== 'function') {
      throw invalidType('options.onStale', 'of type function', onStale)
    }
    const isNew = adopted === undefined
    const handle = new EpollFd(isNew ? opened(epoll_create1, EPOLL_CLOEXEC) : adopted.fd, isNew)
    this.#list = new InterestList(handle, verification, !isNew)
    this.#zombies = new Zombies(this.#list, onStale, isNew || adopted.takeOver)
    this.#delivery = new Delivery(this.#list, this.#zombies, maxEvents)
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
    const { waits, delivered, stale } = this.#delivery
    return { waits, delivered, stale, rebuilds: this.#zombies.rebuilds }
  }

  /**
   * Adds a descriptor to the interest list.
   *
   * @param target A descriptor number below 2^20, or anything with a numeric `fd`. An owned one
   *   leaves the list by itself when it is closed.
   * @param events A mask of 32 bits, such as `EPOLLIN | EPOLLET`.
   * @param data Handed back with every event, as `registration.data`.
   * @param options What happens when another file comes under the number.
   * @throws {ErrnoError} `EBADF` not open; `EEXIST` in the list already; `EPERM` a regular file or
   *   directory; `EINVAL` itself, or EPOLLEXCLUSIVE with what it doesn't go with; `ELOOP` epolls that
   *   watch each other, or more than five deep; `ENOSPC` the user's limit; `ENOMEM`.
   * @throws {ClosedError} if it, or the target, is closed.
   * @see https://man7.org/linux/man-pages/man2/epoll_ctl.2.html
   */
  add(target: Target, events: number, data: T, options?: AddOptions): Registration<T> {
    const fd = numberOf(target)
    const mask = mask32(events, 'events')
    return this.#list.add({ target, fd, mask, data }, followsOf(options))
  }

  /**
   * Adds many descriptors with one native call: all of them, or none if one can't be added.
   *
   * @param entries `[target, events, data]` each.
   * @returns The registrations, in order.
   * @throws as `add`.
   */
  addAll(
    entries: Iterable<readonly [target: Target, events: number, data: T]>,
    options?: AddOptions,
  ): Registration<T>[] {
    if (typeof entries !== 'object' || entries === null || !(Symbol.iterator in entries)) {
      throw invalidType('entries', 'an iterable of [target, events, data]', entries)
    }
    const wishes: Wish<T>[] = []
    for (const entry of entries) {
      if (!Array.isArray(entry))
        throw invalidType('entries', 'of [target, events, data] each', entry)
      const [target, events, data] = entry as [Target, number, T]
      wishes.push({ target, fd: numberOf(target), mask: mask32(events, 'events'), data })
    }
    return this.#list.addAll(wishes, followsOf(options))
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
    return this.#delivery.wait(timeoutMs, mask, visit)
  }

  /**
   * Compares the kernel's interest list with the registrations here: `/proc/self/fdinfo` is read once,
   * and the kernel asked for each entry whether its number still names its file.
   *
   * @returns What was found, before any repair.
   * @throws {UnsupportedError} without /proc.
   * @example
   * const { counts } = epoll.audit({ repair: true })
   * if (counts.replaced > 0) console.warn(`${counts.replaced} descriptors were replaced`)
   */
  audit(options: AuditOptions = {}): AuditReport {
    const isRepair = boolean(object(options).repair, 'options.repair', false)
    const list = this.#list
    const found = audit(list)
    if (isRepair) {
      repair(list, this.#zombies, found)
      if (this.#zombies.areThere && this.#zombies.isOurs) this.rebuild()
    }
    return found.report
  }

  /**
   * Puts a new epoll with the living registrations in the place of the old, under its number. That is
   * how entries go that epoll_ctl(2) can't name any more; it is done of itself when it pays.
   * Edge-triggered registrations that are ready report once more.
   *
   * @throws {ErrnoError} `EMFILE`, `ENOMEM`, `ENOSPC`, with nothing changed; `EPERM` if the epoll was
   *   adopted and not taken over.
   */
  rebuild(): void {
    const { fd } = this
    if (!this.#zombies.isOurs) {
      fail(EPERM, 'rebuild', { fd, hint: 'another process uses it; adopt it with takeOver' })
    }
    const rc = this.#zombies.rebuild()
    if (rc < 0) fail(rc, this.#zombies.failed, { fd })
  }

  /**
   * Makes the number of `fd` name the file of `newFd`, as dup3(2) does, and takes the registrations
   * along: here and in every other `Epoll` of the process they stay, under a new generation. No event
   * of the old file is delivered after that, and none of the new one is lost. An `Fd` that owns the
   * number owns it still.
   *
   * @throws {ErrnoError} `EBADF` `newFd` isn't open; `EINVAL` both are the same; `ENOENT` `fd` isn't
   *   registered here; `EPERM`, `ELOOP`, `ENOSPC` the new file can't be registered. Nothing is changed
   *   then.
   * @see https://man7.org/linux/man-pages/man2/dup.2.html
   */
  replace(newFd: Target, fd: Target): void {
    const original = numberOf(newFd, 'newFd')
    const number = numberOf(fd, 'fd')
    void this.fd
    if (this.#list.get(number) === undefined) {
      fail(ENOENT, 'dup3', { fd: number, hint: 'it isn’t registered here' })
    }
    check(binding.fd_replace(original, number), 'dup3', original)
    void this.#list.get(number)
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
    const list = this.#list
    // Nobody else can delete ours from an epoll that lives on in another process.
    if (list.isShared && !this.closed) {
      for (const registration of list.living()) registration.remove()
    }
    list.count = 0
    list.handle.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function followsOf(options: AddOptions = {}): number {
  const { onReplaced } = object(options)
  return oneOf(onReplaced, 'options.onReplaced', ['stale', 'follow']) === 'follow' ? 1 : 0
}
