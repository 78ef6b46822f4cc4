import type { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ENOENT } from './errno.js'

/** The kernel's error names, as in `errno(3)`. */
export type ErrnoCode = keyof typeof constants.errno

/** What an {@link ErrnoError} tells beside its code, where it applies. */
export interface ErrnoDetails {
  /** The descriptor that the call was about. */
  fd?: number | undefined
  /** The operation, as `'EPOLL_CTL_ADD'`. */
  op?: string | undefined
  /** The generation of the descriptor that the call was about. */
  generation?: number | undefined
  /** What the error means here, in words; becomes part of the message. */
  hint?: string | undefined
}

/** Where Node has no text. */
const TEXTS: Partial<Record<ErrnoCode, string>> = {
  ECHILD: 'no child processes',
  ENOMSG: 'no message of desired type',
  ESTALE: 'stale file handle',
}

/** What an error means whichever call it comes from. */
const HINTS: Partial<Record<ErrnoCode, string>> = {
  ESTALE: 'this process was forked without exec, and genpoll’s descriptors are its parent’s',
}

let codes: Map<number, ErrnoCode> | undefined

/** `-22` → `'EINVAL'`. Made on the first error: nobody pays for it on import. */
function codeOf(errno: number): ErrnoCode {
  codes ??= new Map(
    Object.entries(process.getBuiltinModule('node:os').constants.errno)
      // Two names for one number: the field says EAGAIN and EOPNOTSUPP.
      .filter(([code]) => code !== 'EWOULDBLOCK' && code !== 'ENOTSUP')
      .map(([code, number]) => [-number, code as ErrnoCode]),
  )
  return codes.get(errno) ?? (`E${-errno}` as ErrnoCode)
}

/**
 * A system call that failed, in the shape of Node's own system errors.
 *
 * `EPERM: operation not permitted, epoll_ctl EPOLL_CTL_ADD fd 7`
 *
 * @example
 * try {
 *   epoll.add(7, EPOLLIN, undefined)
 * } catch (error) {
 *   if (!isErrno(error, 'EPERM')) throw error
 * }
 * @see https://man7.org/linux/man-pages/man3/errno.3.html
 */
export class ErrnoError extends Error {
  /** The kernel's name for the error, as `'EINVAL'`. */
  readonly code: ErrnoCode
  /** Its number, negative as in Node: `-22`. */
  readonly errno: number
  /** The system call that failed, as `'epoll_ctl'`. */
  readonly syscall: string
  declare readonly fd?: number
  declare readonly op?: string
  declare readonly generation?: number

  /** @param errno The negative error number. */
  constructor(errno: number, syscall: string, details: ErrnoDetails = {}) {
    const code = codeOf(errno)
    const text =
      process.getBuiltinModule('node:util').getSystemErrorMap().get(errno)?.[1] ??
      TEXTS[code] ??
      'unknown error'
    const { fd, op, generation, hint = HINTS[code] } = details
    super(
      `${code}: ${text}, ${syscall}${op === undefined ? '' : ` ${op}`}` +
        `${fd === undefined ? '' : ` fd ${fd}`}${hint === undefined ? '' : ` (${hint})`}`,
    )
    this.code = code
    this.errno = errno
    this.syscall = syscall
    if (fd !== undefined) this.fd = fd
    if (op !== undefined) this.op = op
    if (generation !== undefined) this.generation = generation
  }
}
ErrnoError.prototype.name = 'ErrnoError'

/**
 * Whether an error is an {@link ErrnoError}, with one of the codes if any are given. Narrows the
 * type.
 *
 * @example if (isErrno(error, 'EBADF', 'ENOENT')) console.log(error.code, error.fd)
 */
export function isErrno<Code extends ErrnoCode>(
  error: unknown,
  ...codes: Code[]
): error is ErrnoError & { readonly code: Code } {
  return error instanceof ErrnoError && (codes.length === 0 || codes.includes(error.code as Code))
}

/**
 * Why a registration is dead: `'closed'` its descriptor was closed; `'replaced'` the number was
 * found naming another file, however that came about; `'removed'` it was taken out, by this program
 * or by another process.
 */
export type StaleReason = 'closed' | 'replaced' | 'removed'

const REASONS: Record<StaleReason, string> = {
  closed: 'the registration is stale: its descriptor was closed',
  replaced: 'the registration is stale: the number names another file now',
  removed: 'the registration was removed',
}

/** A change to a registration that is no longer in the interest list. */
export class StaleRegistrationError extends ErrnoError {
  readonly reason: StaleReason

  constructor(reason: StaleReason, details: ErrnoDetails = {}) {
    super(ENOENT, 'epoll_ctl', { hint: REASONS[reason], ...details })
    this.reason = reason
  }
}
StaleRegistrationError.prototype.name = 'StaleRegistrationError'

/** The object was closed before: an `Epoll`, an `Fd` or one of its kinds. */
export class ClosedError extends Error {
  readonly code = 'ERR_CLOSED'

  /** @param what The name of its class. */
  constructor(what: string) {
    super(`The ${what} is closed`)
  }
}
ClosedError.prototype.name = 'ClosedError'

/** This platform or kernel can't do what was asked. */
export class UnsupportedError extends Error {
  readonly code = 'ERR_UNSUPPORTED'
}
UnsupportedError.prototype.name = 'UnsupportedError'

/** Throws what a native call returned, if that is a failure: `-errno`. */
export function check(rc: number, syscall: string, fd?: number): number {
  if (rc < 0) fail(rc, syscall, { fd })
  return rc
}

/** Throws an {@link ErrnoError} whose stack begins at the program's call of genpoll. */
export function fail(errno: number, syscall: string, details?: ErrnoDetails): never {
  throw atCaller(new ErrnoError(errno, syscall, details))
}

// The modules of this package, as stacks name them: with source maps, or without.
const OWN = ['dist/', 'lib/'].flatMap((folder) => {
  const url = new URL(`../${folder}`, import.meta.url)
  return [url.href, fileURLToPath(url)]
})

/** Takes our own frames off the top of a stack. */
export function atCaller<E extends Error>(error: E): E {
  const lines = String(error.stack).split('\n')
  const top = lines.findIndex((line) => line.startsWith('    at '))
  let end = top
  while (OWN.some((folder) => lines[end]?.includes(folder))) end++
  // All of them ours: that is the command, which reports for itself.
  if (top >= 0 && end < lines.length) lines.splice(top, end - top)
  error.stack = lines.join('\n')
  return error
}
