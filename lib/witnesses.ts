import { binding } from './binding.js'
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL } from './constants.js'
import { EEXIST, ENOENT } from './errno.js'
import { OwnedFd } from './fd.js'
import { isAvailable } from './probe.js'
import type { Registration } from './registration.js'
import { control, epoll_create1 } from './sys/epoll.js'

class Witness extends OwnedFd {
  constructor() {
    super(epoll_create1(EPOLL_CLOEXEC), true)
  }
}

/**
 * Whether a number still names its file is asked of the interest list itself, and that answers yes if
 * it has *an* entry for what the number names. Where the entry of a former file may be left under the
 * same number, that isn't enough: the number may have gone back to that file. Such a registration gets
 * an epoll with no other entry than its own, to be asked instead. An entry keeps no file open, as a
 * dup would.
 */
export class Witnesses {
  readonly #witnesses = new Map<Registration<unknown>, Witness>()
  /** Those of which it isn't known whether they are needed. */
  readonly #unsure = new Set<Registration<unknown>>()

  /** While the number of a registration names its file for certain. */
  add(registration: Registration<unknown>): void {
    this.drop(registration)
    const witness = new Witness()
    this.#witnesses.set(registration, witness)
    this.#unsure.add(registration)
    control(witness.fd, EPOLL_CTL_ADD, registration.fd, 0, 0, 0)
  }

  /** `EEXIST` if the number names the file that was registered; `undefined` if there is no witness. */
  probe(registration: Registration<unknown>, epfd: number): number | undefined {
    const witness = this.#witnesses.get(registration)
    if (witness === undefined) return undefined
    const rc = control(witness.fd, EPOLL_CTL_ADD, registration.fd, 0, 0, 0)
    if (rc === 0) control(witness.fd, EPOLL_CTL_DEL, registration.fd, 0, 0, 0)
    if (rc === EEXIST && this.#unsure.delete(registration) && isAlone(epfd, registration.fd)) {
      this.drop(registration)
    }
    return rc
  }

  drop(registration: Registration<unknown>): void {
    this.#witnesses.get(registration)?.close()
    this.#witnesses.delete(registration)
    this.#unsure.delete(registration)
  }

  /** Nothing is left under any number but what is registered. */
  clear(): void {
    for (const registration of this.#witnesses.keys()) this.drop(registration)
  }
}

/** Whether an epoll has one entry under a number; takes time by the number of all entries. */
function isAlone(epfd: number, fd: number): boolean {
  if (!isAvailable('kcmp')) return false
  const { pid } = process
  const rc = binding.kcmp_epoll(pid, pid, fd, epfd, fd, 1)
  return rc === ENOENT
}
