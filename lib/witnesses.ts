import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL } from './constants.js'
import { EBADF } from './errno.js'
import { OwnedFd } from './fd.js'
import type { Registration } from './registration.js'
import { control, epoll_create1, failControl } from './sys/epoll.js'

class WitnessFd extends OwnedFd {
  constructor() {
    super(epoll_create1(EPOLL_CLOEXEC), true, 'Epoll')
  }
}

/** An epoll that never has two entries under one number. */
class Witness {
  readonly handle = new WitnessFd()
  readonly registrations = new Map<number, Registration<unknown>>()
  /** Numbers whose entry couldn't be deleted. */
  readonly left = new Set<number>()

  hasSeen(fd: number): boolean {
    return this.registrations.has(fd) || this.left.has(fd)
  }
}

/**
 * Whether a number still names its file is asked of the interest list itself, and that answers yes if
 * it has *an* entry for what the number names. Where the entry of a former file may be left under the
 * same number, that isn't enough: the number may have gone back to that file. Such registrations have
 * an entry in another epoll too, where they are alone under their number, and that is asked instead.
 * An entry keeps no file open, as a dup would.
 */
export class Witnesses {
  readonly #witnesses = new Set<Witness>()

  /** While the number of a registration names its file for certain. */
  add(registration: Registration<unknown>): void {
    this.drop(registration)
    const { fd } = registration
    let witness = [...this.#witnesses].find((witness) => !witness.hasSeen(fd))
    if (witness === undefined) {
      witness = new Witness()
      this.#witnesses.add(witness)
    }
    witness.registrations.set(fd, registration)
    const rc = control(witness.handle.fd, EPOLL_CTL_ADD, fd, 0, 0, 0)
    // EBADF: closed in between, and it will be found so.
    /* c8 ignore next: takes all memory, or all watches of the user. */
    if (rc < 0 && rc !== EBADF) failControl(rc, EPOLL_CTL_ADD, fd)
  }

  /** `EEXIST` if the number names the file that was registered; `undefined` if there is no witness. */
  probe(registration: Registration<unknown>): number | undefined {
    const epfd = this.#of(registration)?.handle.fd
    if (epfd === undefined) return undefined
    const { fd } = registration
    const rc = control(epfd, EPOLL_CTL_ADD, fd, 0, 0, 0)
    if (rc === 0) control(epfd, EPOLL_CTL_DEL, fd, 0, 0, 0)
    return rc
  }

  drop(registration: Registration<unknown>): void {
    const witness = this.#of(registration)
    if (witness === undefined) return
    const { fd } = registration
    witness.registrations.delete(fd)
    if (witness.registrations.size === 0) this.#close(witness)
    else if (control(witness.handle.fd, EPOLL_CTL_DEL, fd, 0, 0, 0) < 0) witness.left.add(fd)
  }

  /** Nothing is left under any number but what is registered. */
  clear(): void {
    for (const witness of this.#witnesses) this.#close(witness)
  }

  #of(registration: Registration<unknown>): Witness | undefined {
    for (const witness of this.#witnesses) {
      if (witness.registrations.get(registration.fd) === registration) return witness
    }
    return undefined
  }

  #close(witness: Witness): void {
    this.#witnesses.delete(witness)
    witness.handle.close()
  }
}
