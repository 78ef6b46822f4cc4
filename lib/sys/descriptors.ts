import { binding, bytesOf, pinBuffer, pinSource } from '../binding.js'
import { KCMP_EPOLL_TFD } from '../constants.js'
import { EAGAIN } from '../errno.js'
import { check, fail } from '../errors.js'
import { int32, integer, invalidType, object } from '../validate.js'

const { registers } = binding

const native = { read: binding.read, write: binding.write }
const F_GETFD = 1
const F_SETFD = 2
const F_GETFL = 3
const F_SETFL = 4
/** The boundary takes offsets of 32 bits; what lies beyond is reached through a view. */
const MAX_OFFSET = 0xffffffff
/** Linux transfers no more than this at a time. */
const MAX_LENGTH = 0x7ffff000

/**
 * `read(fd, buffer)`: reads into a part of a buffer.
 *
 * @param buffer Any typed array or `DataView`.
 * @param offset Where in it to begin, in bytes.
 * @param length How many bytes at most; to the end of the buffer unless told.
 * @returns The number of bytes, 0 at the end of the file, `null` if it would block.
 * @throws {ErrnoError} `EBADF`, `EINVAL`, `EIO`, `EISDIR`, …; `EINTR` is retried.
 * @see https://man7.org/linux/man-pages/man2/read.2.html
 */
export function read(
  fd: number,
  buffer: NodeJS.ArrayBufferView,
  offset = 0,
  length?: number,
): number | null {
  select(buffer, offset, length, pinBuffer)
  registers[0] = int32(fd, 'fd')
  native.read()
  return count(registers[0]!, 'read', fd)
}

/**
 * `write(fd, buffer)`: writes a part of a buffer.
 *
 * @param buffer Any typed array or `DataView`.
 * @param offset Where in it to begin, in bytes.
 * @param length How many bytes; to the end of the buffer unless told.
 * @returns The number of bytes written, which may be fewer, or `null` if it would block.
 * @throws {ErrnoError} `EBADF`, `EINVAL`, `EIO`, `ENOSPC`, `EPIPE`, …; `EINTR` is retried.
 * @see https://man7.org/linux/man-pages/man2/write.2.html
 */
export function write(
  fd: number,
  buffer: NodeJS.ArrayBufferView,
  offset = 0,
  length?: number,
): number | null {
  select(buffer, offset, length, pinSource)
  registers[0] = int32(fd, 'fd')
  native.write()
  return count(registers[0]!, 'write', fd)
}

function count(rc: number, syscall: string, fd: number): number | null {
  if (rc >= 0) return rc
  if (rc === EAGAIN) return null
  return fail(rc, syscall, { fd })
}

/** Checks a part of a buffer and puts it where the native calls look: registers 1 and 2. */
function select(
  buffer: NodeJS.ArrayBufferView,
  offset: number,
  length: number | undefined,
  pin: typeof pinBuffer,
): void {
  if (!ArrayBuffer.isView(buffer)) {
    throw invalidType('buffer', 'a Buffer, TypedArray or DataView', buffer)
  }
  const size = bytesOf(buffer, 'buffer')
  integer(offset, 'offset', 0, size)
  const count = length === undefined ? size - offset : integer(length, 'length', 0, size - offset)
  const bounded = Math.min(count, MAX_LENGTH)
  if (offset > MAX_OFFSET - bounded) {
    pin(new Uint8Array(buffer.buffer, buffer.byteOffset + offset, bounded), bounded)
    registers[1] = 0
  } else {
    pin(buffer, size)
    registers[1] = offset
  }
  registers[2] = bounded
}

/**
 * `close(fd)`: closes a descriptor. A number that is in an `Epoll`, of whichever thread, leaves it
 * first.
 *
 * @throws {ErrnoError} `EBADF`, `EIO`, `ENOSPC`, `EDQUOT`.
 * @see https://man7.org/linux/man-pages/man2/close.2.html
 */
export function close(fd: number): void {
  int32(fd, 'fd')
  check(binding.close(fd), 'close', fd)
}

/**
 * `dup(fd)`: another number for the same open file. Not CLOEXEC.
 *
 * @throws {ErrnoError} `EBADF`, `EMFILE`.
 * @see https://man7.org/linux/man-pages/man2/dup.2.html
 */
export function dup(fd: number): number {
  return check(binding.dup(int32(fd, 'fd')), 'dup', fd)
}

/**
 * `dup3(old, new, flags)`: makes the number `newFd` name the file of `oldFd`, and closes what it
 * named before, which leaves every `Epoll` first. Registrations that follow their number stay.
 *
 * @param flags `0` or `O_CLOEXEC`.
 * @returns `newFd`.
 * @throws {ErrnoError} `EBADF`, `EBUSY`, `EINVAL` (the same number twice), `EMFILE`.
 * @see https://man7.org/linux/man-pages/man2/dup.2.html
 */
export function dup3(oldFd: number, newFd: number, flags: number): number {
  int32(oldFd, 'oldFd')
  int32(newFd, 'newFd')
  int32(flags, 'flags')
  return check(binding.dup3(oldFd, newFd, flags), 'dup3', oldFd)
}

/**
 * `pipe2(flags)`: a pipe.
 *
 * @param flags `O_CLOEXEC`, `O_NONBLOCK`, `O_DIRECT`.
 * @returns Its reading and its writing end.
 * @throws {ErrnoError} `EINVAL`, `EMFILE`, `ENFILE`.
 * @see https://man7.org/linux/man-pages/man2/pipe.2.html
 */
export function pipe2(flags: number): [reading: number, writing: number] {
  check(binding.pipe2(int32(flags, 'flags')), 'pipe2')
  return [registers[1]!, registers[2]!]
}

/**
 * `socketpair(domain, type, protocol)`: two sockets connected with each other.
 *
 * @param domain `AF_UNIX`.
 * @param type `SOCK_STREAM`, `SOCK_DGRAM` or `SOCK_SEQPACKET`, with `SOCK_CLOEXEC`, `SOCK_NONBLOCK`.
 * @param protocol 0.
 * @throws {ErrnoError} `EAFNOSUPPORT`, `EINVAL`, `EMFILE`, `ENFILE`, `EOPNOTSUPP`.
 * @see https://man7.org/linux/man-pages/man2/socketpair.2.html
 */
export function socketpair(domain: number, type: number, protocol: number): [number, number] {
  int32(domain, 'domain')
  int32(type, 'type')
  int32(protocol, 'protocol')
  check(binding.socketpair(domain, type, protocol), 'socketpair')
  return [registers[1]!, registers[2]!]
}

/**
 * `fcntl(fd, F_GETFD)`: the flags of the descriptor, `FD_CLOEXEC` or 0.
 *
 * @throws {ErrnoError} `EBADF`.
 * @see https://man7.org/linux/man-pages/man2/fcntl.2.html
 */
export function fcntl_getfd(fd: number): number {
  return check(binding.fcntl(int32(fd, 'fd'), F_GETFD, 0), 'fcntl', fd)
}

/** `fcntl(fd, F_SETFD, flags)`: sets them. */
export function fcntl_setfd(fd: number, flags: number): void {
  check(binding.fcntl(int32(fd, 'fd'), F_SETFD, int32(flags, 'flags')), 'fcntl', fd)
}

/**
 * `fcntl(fd, F_GETFL)`: the access mode and flags of the open file, such as `O_RDWR | O_NONBLOCK`.
 *
 * @throws {ErrnoError} `EBADF`.
 */
export function fcntl_getfl(fd: number): number {
  return check(binding.fcntl(int32(fd, 'fd'), F_GETFL, 0), 'fcntl', fd)
}

/** `fcntl(fd, F_SETFL, flags)`: sets the flags, for everyone who has the file open through a dup. */
export function fcntl_setfl(fd: number, flags: number): void {
  check(binding.fcntl(int32(fd, 'fd'), F_SETFL, int32(flags, 'flags')), 'fcntl', fd)
}

/**
 * `ioctl(fd, FIONBIO, on)`: switches `O_NONBLOCK` on or off in one call.
 *
 * @throws {ErrnoError} `EBADF` (also for an `O_PATH` descriptor), `ENOTTY`.
 * @see https://man7.org/linux/man-pages/man2/ioctl.2.html
 */
export function ioctl_fionbio(fd: number, on: boolean): void {
  if (typeof on !== 'boolean') throw invalidType('on', 'of type boolean', on)
  check(binding.ioctl_fionbio(int32(fd, 'fd'), on ? 1 : 0), 'ioctl', fd)
}

/** `ioctl(fd, FIOCLEX)`: sets `FD_CLOEXEC`. */
export function ioctl_fioclex(fd: number): void {
  check(binding.ioctl_fioclex(int32(fd, 'fd')), 'ioctl', fd)
}

/** `ioctl(fd, FIONCLEX)`: clears `FD_CLOEXEC`. */
export function ioctl_fionclex(fd: number): void {
  check(binding.ioctl_fionclex(int32(fd, 'fd')), 'ioctl', fd)
}

/**
 * `ioctl(fd, FIONREAD)`: how many bytes can be read now.
 *
 * @throws {ErrnoError} `EBADF`, `ENOTTY` (a file that doesn't count them).
 */
export function ioctl_fionread(fd: number): number {
  return check(binding.ioctl_fionread(int32(fd, 'fd')), 'ioctl', fd)
}

/** Which entry of which epoll `kcmp` looks at: `struct kcmp_epoll_slot`. */
export interface KcmpEpollSlot {
  /** The epoll, a descriptor of the second process. */
  efd: number
  /** The number that is registered there. */
  tfd: number
  /** Which of several entries with this number. */
  toff: number
}

/**
 * `kcmp(pid1, pid2, type, idx1, idx2)`: whether two processes share a resource.
 *
 * @param type `KCMP_FILE` and the other `KCMP_` constants.
 * @param idx1 A descriptor of the first process.
 * @param idx2 One of the second, or for `KCMP_EPOLL_TFD` an entry of an epoll.
 * @returns 0 the same; 1 less, 2 greater, 3 different in no order.
 * @throws {ErrnoError} `EBADF`, `EINVAL`, `ENOENT`, `ENOSYS`, `EPERM`, `ESRCH`.
 * @see https://man7.org/linux/man-pages/man2/kcmp.2.html
 */
export function kcmp(
  pid1: number,
  pid2: number,
  type: number,
  idx1: number,
  idx2: number | KcmpEpollSlot,
): number {
  int32(pid1, 'pid1')
  int32(pid2, 'pid2')
  int32(type, 'type')
  int32(idx1, 'idx1')
  if (type !== KCMP_EPOLL_TFD) {
    return check(binding.kcmp(pid1, pid2, type, idx1, int32(idx2 as number, 'idx2')), 'kcmp', idx1)
  }
  const slot = object(idx2 as KcmpEpollSlot, 'idx2')
  const rc = binding.kcmp_epoll(
    pid1,
    pid2,
    idx1,
    int32(slot.efd, 'idx2.efd'),
    int32(slot.tfd, 'idx2.tfd'),
    int32(slot.toff, 'idx2.toff'),
  )
  return check(rc, 'kcmp', idx1)
}
