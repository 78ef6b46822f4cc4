import { binding, pinBuffer } from './binding.js'
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from './constants.js'
import { EBADF, EEXIST, EMFILE, ENFILE, ENOENT } from './errno.js'
import { atCaller, ClosedError, check, fail, StaleRegistrationError } from './errors.js'
import { OwnedFd } from './fd.js'
import { Past } from './past.js'
import {
  ACTIVE,
  CLOSED,
  FOLLOWS,
  FRESH,
  REASONS,
  REMOVED,
  REPLACED,
  Registration,
  type Target,
  TRUSTED,
  VERIFIED,
} from './registration.js'
import { failControl } from './sys/epoll.js'

const { generations, registers } = binding

const native = {
  add: binding.interest_add,
  modify: binding.interest_modify,
  remove: binding.interest_remove,
  probe: binding.interest_probe,
}
/** Results of `interest_add` and the like beside 0 and -errno. */
const NOT_CURRENT = 1
const OWNED = 1
const RECYCLED = 2
const MAY_HAUNT = 4

/**
 * Of which registrations the kernel is asked, before each event, whether their number still names
 * their file: of those that genpoll doesn't own, of all, or of none.
 */
export type Verify = 'foreign' | 'always' | 'never'

/** What `add` is told of a registration, checked. */
export interface Wish<T> {
  readonly target: Target
  readonly fd: number
  readonly mask: number
  readonly data: T
}

/**
 * An interest list (epoll(7)) as JavaScript knows it: the registrations of one epoll, by descriptor
 * number. It holds the epoll's own descriptor, so that a registration outlives its `Epoll` safely.
 */
export class InterestList<T> {
  /** The batch that was read last: its events [next, count) are still to be delivered. */
  next = 0
  count = 0
  /** What the kernel had when the first stale event of the running batch was dropped. */
  fdinfo: string | undefined
  /** Node's loop is in it too, while a wait blocks in a worker. */
  hasHost = false
  /** The epoll is watched by Node's loop, which has to look away while it is replaced. */
  host: { pause(): void; resume(): void } | undefined
  /** Called for each registration that ends. */
  onEnd: ((registration: Registration<T>) => void) | undefined
  /** The wait that is going on is to return, whether it has delivered anything or not. */
  isInterrupted = false
  /** Nobody is told any more why. */
  isClosing = false
  readonly registrations: (Registration<T> | undefined)[] = []
  readonly past = new Past()
  readonly #fresh: Registration<T>[] = []

  constructor(
    readonly handle: OwnedFd,
    readonly verification: Verify,
    /** Other processes use the epoll too. */
    readonly isShared: boolean,
  ) {
    check(binding.interest_open(handle.fd, isShared ? 1 : 0), 'epoll_create1')
  }

  /** Whether events of the running batch are still to be delivered. */
  get isPending(): boolean {
    return this.next < this.count
  }

  /** How many registrations are alive, in all threads' opinion. */
  get size(): number {
    return check(binding.interest_size(this.handle.fd), 'epoll_ctl')
  }

  /** The living registration under a number. */
  get(fd: number): Registration<T> | undefined {
    const found = this.registrations[fd]
    return found === undefined || found.currentStatus >= CLOSED ? undefined : found
  }

  /** All that are alive. */
  living(): Registration<T>[] {
    return this.registrations.filter(
      (registration): registration is Registration<T> =>
        registration !== undefined && registration.currentStatus < CLOSED,
    )
  }

  add(wish: Wish<T>, follows: number): Registration<T> {
    const { target, fd, mask, data } = wish
    registers[0] = this.handle.fd
    registers[1] = fd
    registers[2] = mask
    registers[3] = expectationOf(target)
    registers[4] = follows
    native.add()
    const rc = registers[0]!
    if (rc !== 0) this.#failAdd(rc, target, fd)
    return this.#keep(target, fd, registers[1]!, mask, registers[2]!, follows, data)
  }

  /** All of them, or none. */
  addAll(wishes: readonly Wish<T>[], follows: number): Registration<T>[] {
    const epfd = this.handle.fd
    const triples = new Int32Array(3 * wishes.length)
    wishes.forEach(({ target, fd, mask }, i) => {
      triples.set([mask, fd, expectationOf(target)], 3 * i)
    })
    pinBuffer(triples, triples.byteLength)
    const rc = binding.interest_add_all(epfd, wishes.length, follows)
    if (rc !== 0) {
      /* c8 ignore next: a process that was forked off isn't told which (test/fork.ts). */
      const { target, fd } = wishes[registers[1]!] ?? wishes[0]!
      this.#failAdd(rc, target, fd)
    }
    return wishes.map(({ target, fd, mask, data }, i) =>
      this.#keep(target, fd, triples[3 * i + 2]!, mask, triples[3 * i]!, follows, data),
    )
  }

  #failAdd(rc: number, target: Target, fd: number): never {
    if (rc === NOT_CURRENT) {
      const former = this.registrations[fd]
      if (former !== undefined && (registers[2]! & RECYCLED) !== 0)
        this.#end(former, REPLACED, false)
      throw atCaller(new ClosedError((target as OwnedFd).constructor.name))
    }
    // Telling the number from what it named before may need a descriptor (src/witness.h).
    if (rc === EMFILE || rc === ENFILE) fail(rc, 'epoll_create1')
    return failControl(rc, EPOLL_CTL_ADD, fd)
  }

  /** Puts an entry that the kernel has taken into the list. */
  #keep(
    target: Target,
    fd: number,
    token: number,
    mask: number,
    findings: number,
    follows: number,
    data: T,
  ): Registration<T> {
    const isOwned = (findings & OWNED) !== 0
    let flags = (isOwned ? TRUSTED : 0) | (follows === 0 ? 0 : FOLLOWS)
    const { verification } = this
    if (verification === 'always' || (verification === 'foreign' && flags !== TRUSTED)) {
      flags |= VERIFIED
    }
    const { registrations } = this
    const former = registrations[fd]
    if (former !== undefined) {
      const status =
        (findings & RECYCLED) !== 0 ? REPLACED : former.token === token ? REMOVED : CLOSED
      this.#end(former, status, (findings & MAY_HAUNT) === 0)
    }
    // Filled up without gaps: an array with holes beyond its end turns into a dictionary.
    while (registrations.length <= fd) registrations.push(undefined)
    const registration = new Registration(this, target, fd, token, mask, flags, data)
    registrations[fd] = registration
    this.#refresh(registration)
    return registration
  }

  modify(registration: Registration<T>, mask: number): void {
    this.#assertAlive(registration)
    const { fd } = registration
    registers[0] = this.handle.fd
    registers[1] = fd
    registers[2] = registration.token
    registers[3] = mask
    native.modify()
    const rc = registers[0]!
    if (rc === NOT_CURRENT || rc === ENOENT || rc === EBADF) {
      if (rc === NOT_CURRENT) this.learn(registration)
      else this.#miss(registration, rc)
      // If it lives on, its number was replaced, and the registration with it.
      this.modify(registration, mask)
      return
    }
    if (rc < 0) failControl(rc, EPOLL_CTL_MOD, fd)
    registration.mask = mask
    this.#refresh(registration)
  }

  remove(registration: Registration<T>): boolean {
    if (registration.status >= CLOSED || this.handle.closed) return false
    const isAlive = registration.currentStatus < CLOSED
    const { fd, token } = registration
    registers[0] = this.handle.fd
    registers[1] = fd
    registers[2] = token
    native.remove()
    const rc = registers[0]!
    // Replaced or closed by another thread in between.
    /* c8 ignore next: a matter of microseconds. */
    if (rc === NOT_CURRENT) return isAlive && this.remove(registration)
    const isGone = rc === ENOENT || rc === EBADF
    if (rc < 0 && !isGone) failControl(rc, EPOLL_CTL_DEL, fd)
    if (isAlive && isGone && !isTrusted(registration)) {
      this.#end(registration, rc === EBADF ? CLOSED : REPLACED, false)
    } else if (isAlive) {
      this.#end(registration, REMOVED, true)
    }
    return !isGone
  }

  /**
   * The kernel's word: whether a registration's number names the file that was registered. If not,
   * it is lost, or follows.
   */
  confirm(registration: Registration<T>): boolean {
    const rc = this.probe(registration)
    if (rc === EEXIST) return true
    this.lose(registration)
    return false
  }

  /**
   * `EEXIST` if the number names the file that was registered, `ENOENT` if it does and somebody else
   * has deleted the entry, `EBADF` if it names none, anything else if it names another.
   */
  probe(registration: Registration<T>): number {
    registers[0] = this.handle.fd
    registers[1] = registration.fd
    registers[2] = registration.token
    native.probe()
    if (registers[0] !== NOT_CURRENT) return registers[0]!
    // Replaced or closed by genpoll, in another thread.
    if (this.learn(registration) >= CLOSED) return EBADF
    /* c8 ignore next: that it was replaced meanwhile is a matter of microseconds. */
    return EEXIST
  }

  verify(registration: Registration<T>): 'current' | 'replaced' | 'closed' {
    const status = registration.currentStatus
    if (status === REMOVED) this.#assertAlive(registration)
    if (status >= CLOSED) return status === CLOSED ? 'closed' : 'replaced'
    const rc = this.probe(registration)
    if (rc === EEXIST) return 'current'
    if (this.isShared) this.#miss(registration, rc)
    else this.lose(registration)
    if (registration.status === REMOVED) this.#assertAlive(registration)
    return rc === EBADF ? 'closed' : 'replaced'
  }

  /**
   * The kernel has denied that the number of a registration names the file that was registered: ends
   * the registration, or lets it follow, unless another thread has done so, or the file is back.
   */
  lose(registration: Registration<T>): void {
    const { fd, token, flags, status } = registration
    if (status >= CLOSED) return
    if ((flags & FOLLOWS) !== 0) {
      this.#follow(registration)
      return
    }
    const rc = binding.interest_lose(this.handle.fd, fd, token)
    // Another thread has come to know, or the file is back.
    /* c8 ignore next: since the question before, a matter of microseconds. */
    if (rc === NOT_CURRENT || rc === EEXIST) this.learn(registration)
    else this.#end(registration, rc === EBADF ? CLOSED : REPLACED, false)
  }

  /** The kernel has no entry for what a registration's number names. */
  #miss(registration: Registration<T>, errno: number): void {
    if (errno === EBADF || !isTrusted(registration)) {
      this.lose(registration)
    } else if (this.#drop(registration)) {
      this.#end(registration, REMOVED, true)
    }
  }

  /** Forgets an entry that another process has deleted; false if it is there, or known to have ended. */
  #drop({ fd, token }: Registration<T>): boolean {
    const rc = binding.interest_drop(this.handle.fd, fd, token)
    return rc !== EEXIST && rc !== NOT_CURRENT
  }

  /** Registers what the number names now. */
  #follow(registration: Registration<T>): void {
    const { fd, token, mask } = registration
    const rc = binding.interest_follow(this.handle.fd, fd, token, mask)
    if (rc < 0) {
      this.#end(registration, rc === EBADF ? CLOSED : REPLACED, false)
    } else if (registers[1] !== token) {
      this.past.bury(fd, token, 'replaced', this.isPending)
      registration.token = registers[1]!
    }
  }

  /** Puts back what another process has deleted. */
  restore(registration: Registration<T>): void {
    if (!this.#drop(registration)) return
    const { fd, token, mask } = registration
    registers[0] = this.handle.fd
    registers[1] = fd
    registers[2] = mask
    registers[3] = token
    registers[4] = Number((registration.flags & FOLLOWS) !== 0)
    native.add()
    /* c8 ignore next: closed by another thread meanwhile, or no memory. */
    if (registers[0] !== 0) this.#end(registration, REMOVED, true)
  }

  /**
   * The table has another generation than a registration: the number was closed, retired, or replaced
   * by `Epoll.replace`, in whichever thread. Finds out which; returns the status.
   */
  learn(registration: Registration<T>): number {
    const { fd, token } = registration
    const isCurrent = check(binding.interest_find(this.handle.fd, fd), 'epoll_ctl') === 1
    const newest = registers[1]!
    if (isCurrent) {
      if (newest !== token) {
        this.past.noteMoved(fd, token)
        registration.token = newest
      }
      // A number whose generations are used up can't be told from its former self by those alone.
      if (generations[fd] === 0) registration.flags |= VERIFIED
    } else if ((registration.flags & FOLLOWS) !== 0 && registers[2] === 1) {
      this.#follow(registration)
    } else {
      // Closing through genpoll deletes the entry; what else makes it dead leaves it there.
      this.#end(registration, CLOSED, newest !== token)
    }
    return registration.status
  }

  /** Ends the life of a registration that is still in the list. */
  #end(registration: Registration<T>, status: number, isDeleted: boolean): void {
    const { fd, token } = registration
    registration.status = status
    this.registrations[fd] = undefined
    if (isDeleted) this.past.noteDeleted(fd, token, this.isPending)
    else this.past.bury(fd, token, REASONS[status]!, this.isPending)
    this.onEnd?.(registration)
  }

  #assertAlive(registration: Registration<T>): void {
    const status = registration.currentStatus
    if (status < CLOSED) return
    const { fd, token } = registration
    const details = { fd, generation: token >>> 0, op: 'EPOLL_CTL_MOD' }
    throw atCaller(new StaleRegistrationError(REASONS[status]!, details))
  }

  /**
   * Adding and modifying make the kernel look at the file again. An event of the running batch was
   * read before that and isn't meant for what the registration is now, so it is passed over: if it
   * still holds, the next wait reports it anew.
   */
  #refresh(registration: Registration<T>): void {
    registration.status = ACTIVE
    if (!this.isPending) return
    registration.status = FRESH
    this.#fresh.push(registration)
  }

  /** Called before another batch is read: what was fresh is active from then on. */
  settle(): void {
    while (this.#fresh.length > 0) {
      const registration = this.#fresh.pop()!
      if (registration.status === FRESH) registration.status = ACTIVE
    }
    this.past.settle()
    this.fdinfo = undefined
  }
}

/**
 * Whether a number is owned, and believed to name what it did without asking the kernel: if its entry
 * is gone, then another process has deleted it.
 */
export function isTrusted({ flags }: { readonly flags: number }): boolean {
  return (flags & (TRUSTED | VERIFIED)) === TRUSTED
}

/** The generation that a target's number has to have still; 0 for a plain number. */
function expectationOf(target: Target): number {
  return target instanceof OwnedFd ? target.generation : 0
}
