import { binding } from './binding.js'
import { ENOSYS, EPERM } from './errno.js'

const ARCH = process.arch as 'x64' | 'arm64'

/** The system calls that an older kernel or a sandbox may lack, by their numbers. */
const OPTIONAL = {
  epoll_pwait2: 441,
  pidfd_open: 434,
  close_range: 436,
  pidfd_getfd: 438,
  kcmp: { x64: 312, arm64: 272 }[ARCH],
} as const
const SYS_fcntl = { x64: 72, arm64: 25 }[ARCH]
const F_DUPFD_QUERY = 1027

const known = new Map<number, boolean>()

function remember(number: number, find: () => boolean): boolean {
  let answer = known.get(number)
  if (answer === undefined) {
    answer = find()
    known.set(number, answer)
  }
  return answer
}

/**
 * Whether an optional system call can be used here. Asked once, when it is first wanted, with
 * arguments that it can only refuse. Sandboxes older than a call answer EPERM where a kernel says
 * ENOSYS.
 */
export function isAvailable(call: keyof typeof OPTIONAL): boolean {
  const number = OPTIONAL[call]
  return remember(number, () => {
    const rc = binding.probe(number, -1, -1, -1)
    return rc !== ENOSYS && rc !== EPERM
  })
}

/** Whether `fcntl(fd, F_DUPFD_QUERY, other)` can be used (Linux 6.10). Asked with an open descriptor. */
export function hasDupfdQuery(fd: number): boolean {
  return remember(F_DUPFD_QUERY, () => binding.probe(SYS_fcntl, fd, F_DUPFD_QUERY, fd) === 1)
}
