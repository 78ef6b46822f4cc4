import { binding } from './binding.js'
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from './constants.js'
import { EBADF, EEXIST, ENOENT } from './errno.js'
import { atCaller, ClosedError, type StaleReason, StaleRegistrationError } from './errors.js'
import { OwnedFd } from './fd.js'
import { addHolder, fdTable, generationOf, type Holder, SLOTS } from './fd-table.js'
import { control, failControl } from './sys/epoll.js'
import { integer, invalidType, mask32 } from './validate.js'

const { generations } = binding

/** What can be watched: a descriptor number, or anything that has one (a `FileHandle`, an `Fd`). */
export type Target = number | { readonly fd: number }

/**
 * `'active'`: in the interest list. `'disarmed'`: a one-shot that has fired; `modify` arms it again.
 * `'stale'`: its descriptor was closed or replaced. `'removed'`: it was taken out.
 */
export type RegistrationState = 'active' | 'disarmed' | 'stale' | 'removed'

// Small integers rather than strings, and one comparison on the way to the handler.
export const ACTIVE = 0
/** Active, but added or modified since the running batch was read: see `InterestList.refresh`. */
const FRESH = 1
export const DISARMED = 2
const CLOSED = 3
const REPLACED = 4
const REMOVED = 5

const REASONS: Record<number, StaleReason> = {
  [CLOSED]: 'closed',
  [REPLACED]: 'replaced',
  [REMOVED]: 'removed',
}

/**
 * One entry of an interest list: which descriptor, for which events, with what data.
 *
 * Made by `Epoll.add`.
 */
export class Registration<T> {
  /** The descriptor's number. */
  readonly fd: number
  /** What was given to `add`; may be changed. */
  data: T

  /** @internal */
  readonly list: InterestList<T>
  /** @internal Keeps an owned descriptor from being collected while it is watched. */
  readonly target: Target
  /** @internal The generation as a signed word. */
  readonly token: number
  /** @internal The events as a signed word. */
  mask: number
  /** @internal */
  status = ACTIVE

  /** @internal */
  constructor(
    list: InterestList<T>,
    target: Target,
    fd: number,
    token: number,
    mask: number,
    data: T,
  ) {
    this.fd = fd
    this.data = data
    this.list = list
    this.target = target
    this.token = token
    this.mask = mask
  }

  /** The generation of the descriptor that was registered, 1 to 2^32 - 1. */
  get generation(): number {
    return this.token >>> 0
  }

  /** The mask that was asked for, unsigned. */
  get events(): number {
    return this.mask >>> 0
  }

  get state(): RegistrationState {
    switch (this.currentStatus) {
      case ACTIVE:
      case FRESH:
        return 'active'
      case DISARMED:
        return 'disarmed'
      case REMOVED:
        return 'removed'
      default:
        return 'stale'
    }
  }

  /**
   * Asks for other events, and arms a disarmed one-shot again.
   *
   * @param events A mask of 32 bits.
   * @throws {StaleRegistrationError} if the registration is stale or removed.
   * @throws {ErrnoError} `EINVAL` (EPOLLEXCLUSIVE can't be modified), `ENOMEM`.
   * @see https://man7.org/linux/man-pages/man2/epoll_ctl.2.html
   */
  modify(events: number): void {
    this.list.modify(this, mask32(events, 'events'))
  }

  /**
   * Takes it out of the interest list.
   *
   * @returns Whether the kernel held it; `false` if it was stale or removed before.
   */
  remove(): boolean {
    return this.list.remove(this)
  }

  /** @internal A close in another thread shows in the table alone, and that of the `Epoll` there. */
  get currentStatus(): number {
    if (this.status >= CLOSED) return this.status
    if (this.list.handle.closed) return REMOVED
    return generations[this.fd] === this.token ? this.status : CLOSED
  }
}

/**
 * An interest list (epoll(7)) as JavaScript knows it: the registrations of one epoll, by descriptor
 * number. It holds the epoll's own descriptor, so that a registration outlives its `Epoll` safely.
 */
export class InterestList<T> implements Holder {
  /** How many registrations are alive. */
  size = 0
  /** The batch that was read last: its events [next, count) are still to be delivered. */
  next = 0
  count = 0
  readonly registrations: (Registration<T> | undefined)[] = []
  readonly #fresh: Registration<T>[] = []

  constructor(readonly handle: OwnedFd) {
    addHolder(this)
  }

  /** The living registration under a number. */
  get(fd: number): Registration<T> | undefined {
    const found = this.registrations[fd]
    return found === undefined || found.currentStatus >= CLOSED ? undefined : found
  }

  add(target: Target, fd: number, mask: number, data: T): Registration<T> {
    const epfd = this.handle.fd
    let token = generationOf(fd)
    const former = this.registrations[fd]
    let rc = control(epfd, EPOLL_CTL_ADD, fd, mask, fd, token)
    if (former !== undefined && (rc === 0 || (rc === EEXIST && former.token !== token))) {
      // The number has been here before. Either the kernel has dropped the former entry with its
      // file, or that file is back under a number which was given a new generation.
      const isRecycled = rc === 0 && former.token === token
      this.#bury(former, isRecycled ? REPLACED : CLOSED)
      if (isRecycled) {
        // Closed and recycled without genpoll: the token has to change, or the former registration's
        // last events would pass for the new one's.
        fdTable.retire(fd)
        token = generationOf(fd)
        if (target instanceof OwnedFd && target.closed) {
          control(epfd, EPOLL_CTL_DEL, fd, 0, 0, 0)
          throw new ClosedError(target.constructor.name)
        }
      }
      if (isRecycled || rc === EEXIST) rc = control(epfd, EPOLL_CTL_MOD, fd, mask, fd, token)
    }
    if (rc < 0) failControl(rc, EPOLL_CTL_ADD, fd)
    return this.keep(new Registration(this, target, fd, token, mask, data))
  }

  /** Puts an entry that the kernel has taken into the list. */
  keep(registration: Registration<T>): Registration<T> {
    const { registrations } = this
    // Filled up without gaps: an array with holes beyond its end turns into a dictionary.
    while (registrations.length <= registration.fd) registrations.push(undefined)
    registrations[registration.fd] = registration
    this.size++
    this.#refresh(registration)
    return registration
  }

  modify(registration: Registration<T>, mask: number): void {
    this.#assertAlive(registration)
    const { fd, token } = registration
    const rc = control(this.handle.fd, EPOLL_CTL_MOD, fd, mask, fd, token)
    if (rc === ENOENT || rc === EBADF) {
      this.#bury(registration, rc === EBADF ? CLOSED : REPLACED)
      this.#assertAlive(registration)
    }
    if (rc < 0) failControl(rc, EPOLL_CTL_MOD, fd)
    registration.mask = mask
    this.#refresh(registration)
  }

  remove(registration: Registration<T>): boolean {
    if (registration.status >= CLOSED || this.handle.closed) return false
    const { fd, currentStatus } = registration
    // Even if the table calls it stale: a number that was retired may still name the same file.
    const rc = control(this.handle.fd, EPOLL_CTL_DEL, fd, 0, 0, 0)
    if (rc === ENOENT || rc === EBADF) {
      this.#bury(registration, rc === EBADF ? CLOSED : REPLACED)
      return false
    }
    if (rc < 0) failControl(rc, EPOLL_CTL_DEL, fd)
    this.#bury(registration, currentStatus >= CLOSED ? CLOSED : REMOVED)
    return true
  }

  letGo(fd: number): number {
    const registration = this.registrations[fd]
    if (registration === undefined || this.handle.closed) return 0
    const isCurrent = registration.currentStatus < CLOSED
    const rc = control(this.handle.fd, EPOLL_CTL_DEL, fd, 0, 0, 0)
    this.#bury(registration, isCurrent && rc === ENOENT ? REPLACED : CLOSED)
    // Of a number that was retired, the kernel's no is no news.
    return isCurrent ? rc : 0
  }

  /** Ends the life of a registration that is still in the list. */
  #bury(registration: Registration<T>, status: number): void {
    registration.status = status
    this.registrations[registration.fd] = undefined
    this.size--
  }

  #assertAlive(registration: Registration<T>): void {
    const status = registration.currentStatus
    if (status < CLOSED) return
    const { fd, generation } = registration
    const details = { fd, generation, op: 'EPOLL_CTL_MOD' }
    throw atCaller(new StaleRegistrationError(REASONS[status]!, details))
  }

  /**
   * Adding and modifying make the kernel look at the file again. An event of the running batch was
   * read before that and isn't meant for what the registration is now, so it is passed over: if it
   * still holds, the next wait reports it anew.
   */
  #refresh(registration: Registration<T>): void {
    registration.status = ACTIVE
    if (this.next >= this.count) return
    registration.status = FRESH
    this.#fresh.push(registration)
  }

  /** Called before another batch is read: what was fresh is active from then on. */
  settle(): void {
    while (this.#fresh.length > 0) {
      const registration = this.#fresh.pop()!
      if (registration.status === FRESH) registration.status = ACTIVE
    }
  }
}

/** The number of a target. */
export function numberOf(target: Target, name = 'target'): number {
  const fd = typeof target === 'object' && target !== null ? target.fd : target
  if (typeof fd !== 'number')
    throw invalidType(name, 'a descriptor number or an object with one as fd', target)
  return integer(fd, name, 0, SLOTS - 1)
}
