import { binding } from './binding.js'
import type { StaleReason } from './errors.js'
import { SLOTS } from './fd-table.js'
import type { InterestList } from './interest-list.js'
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
export const FRESH = 1
export const DISARMED = 2
export const CLOSED = 3
export const REPLACED = 4
export const REMOVED = 5

export const REASONS: Record<number, StaleReason> = {
  [CLOSED]: 'closed',
  [REPLACED]: 'replaced',
  [REMOVED]: 'removed',
}

/** The kernel is asked before each event whether the number still names the file. */
export const VERIFIED = 1
/** It stays with the number, whatever file comes under that. */
export const FOLLOWS = 2
/** The number is owned: what it means is known without asking. */
export const TRUSTED = 4

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
  token: number
  /** @internal The events as a signed word. */
  mask: number
  /** @internal */
  status = ACTIVE
  /** @internal */
  flags: number

  /** @internal */
  constructor(
    list: InterestList<T>,
    target: Target,
    fd: number,
    token: number,
    mask: number,
    flags: number,
    data: T,
  ) {
    this.fd = fd
    this.data = data
    this.list = list
    this.target = target
    this.token = token
    this.mask = mask
    this.flags = flags
  }

  /** The generation of the descriptor that is registered, 1 to 2^32 - 1. */
  get generation(): number {
    void this.currentStatus
    return this.token >>> 0
  }

  /** The mask that was asked for, unsigned. */
  get events(): number {
    return this.mask >>> 0
  }

  /** As far as genpoll knows; `verify()` asks the kernel. */
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

  /**
   * Asks the kernel whether the number still names the file that was registered. If it doesn't, the
   * registration is stale from then on, or with `onReplaced: 'follow'` goes over to the new file.
   *
   * @returns `'current'`; `'replaced'`: the number named another file; `'closed'`: it named none.
   * @throws {StaleRegistrationError} if it was removed.
   */
  verify(): 'current' | 'replaced' | 'closed' {
    return this.list.verify(this)
  }

  /** @internal */
  hasToken(token: number): boolean {
    if (generations[this.fd] === token) return this.token === token
    return this.currentStatus < CLOSED && this.token === token
  }

  /** @internal What other threads do to the descriptor shows in the table alone. */
  get currentStatus(): number {
    if (this.status >= CLOSED) return this.status
    if (this.list.handle.closed) return REMOVED
    return generations[this.fd] === this.token ? this.status : this.list.learn(this)
  }
}

/** The number of a target. */
export function numberOf(target: Target, name = 'target'): number {
  const fd = typeof target === 'object' && target !== null ? target.fd : target
  if (typeof fd !== 'number')
    throw invalidType(name, 'a descriptor number or an object with one as fd', target)
  return integer(fd, name, 0, SLOTS - 1)
}
