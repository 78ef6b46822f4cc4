import { binding } from './binding.js'
import { KCMP_FILE } from './constants.js'
import { EOPNOTSUPP } from './errno.js'
import { check, UnsupportedError } from './errors.js'
import { hasDupfdQuery, isAvailable } from './probe.js'
import { int32 } from './validate.js'

const F_DUPFD_QUERY = 1027
const F_GETFD = 1

/**
 * Whether two descriptors name one open file description: one is a dup of the other, or both were
 * inherited or received from the same place. Asked of the kernel: with F_DUPFD_QUERY (Linux 6.10),
 * else kcmp(2), else by the entries of an epoll.
 *
 * @throws {ErrnoError} `EBADF`; `EMFILE`, where an epoll has to tell.
 * @throws {UnsupportedError} if none of the three can tell: the first two are missing or forbidden,
 *   and neither file can be polled.
 * @example sameFile(1, 2) // does stderr go where stdout goes?
 * @see https://man7.org/linux/man-pages/man2/kcmp.2.html
 */
export function sameFile(fdA: number, fdB: number): boolean {
  for (const [fd, name] of [
    [fdA, 'fdA'],
    [fdB, 'fdB'],
  ] as const) {
    check(binding.fcntl(int32(fd, name), F_GETFD, 0), 'fcntl', fd)
  }
  if (hasDupfdQuery(fdA)) return check(binding.fcntl(fdA, F_DUPFD_QUERY, fdB), 'fcntl', fdA) === 1
  if (isAvailable('kcmp')) {
    const rc = binding.kcmp(process.pid, process.pid, KCMP_FILE, fdA, fdB)
    if (rc >= 0) return rc === 0
  }
  const rc = binding.same_file_epoll(fdA, fdB)
  if (rc === EOPNOTSUPP) {
    throw new UnsupportedError(
      'Nothing here can tell whether two descriptors that can’t be polled name the same file: ' +
        'F_DUPFD_QUERY needs Linux 6.10, and kcmp is missing or forbidden',
    )
  }
  return check(rc, 'epoll_ctl', fdA) === 1
}
