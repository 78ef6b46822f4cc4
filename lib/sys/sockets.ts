import {
  type Address,
  type AddressLike,
  checked,
  describe,
  knownAddress,
  setAddress,
  takeAddress,
} from '../address.js'
import { binding, bytesOf, pinBuffer } from '../binding.js'
import { EAGAIN, EINPROGRESS } from '../errno.js'
import { check, fail } from '../errors.js'
import { int32, invalidType, object, outOfRange } from '../validate.js'

const { registers } = binding

/**
 * `level:optname` of those for which the kernel would write beyond the buffer: to an address that the
 * value holds, or because it doesn't count in bytes.
 */
const BEYOND = new Set([
  '1:26', // SO_GET_FILTER
  '6:35', // TCP_ZEROCOPY_RECEIVE
  ...['0:64', '41:64', '0:96'], // the tables of iptables, ip6tables, arptables
  ...['0:128', '0:129', '0:131'], // and of ebtables
  ...['276:2', '276:7'], // RDS
  '283:4', // XDP_UMEM_REG
  '284:4', // MPTCP_FULL_INFO
])

/** The most that one call takes of them: IOV_MAX, SCM_MAX_FD. */
const MAX_BUFFERS = 1024
const MAX_FDS = 253
const received = new Int32Array(MAX_FDS)
const NO_FDS = new Int32Array(0)

/**
 * `socket(domain, type, protocol)`: a socket.
 *
 * @param domain `AF_INET`, `AF_INET6`, `AF_UNIX`, …
 * @param type `SOCK_STREAM`, `SOCK_DGRAM`, …, with `SOCK_CLOEXEC` and `SOCK_NONBLOCK`.
 * @param protocol 0 for the usual one.
 * @throws {ErrnoError} `EACCES`, `EAFNOSUPPORT`, `EINVAL`, `EMFILE`, `ENFILE`, `EPROTONOSUPPORT`.
 * @see https://man7.org/linux/man-pages/man2/socket.2.html
 */
export function socket(domain: number, type: number, protocol: number): number {
  int32(domain, 'domain')
  int32(type, 'type')
  int32(protocol, 'protocol')
  return check(binding.socket(domain, type, protocol), 'socket')
}

/**
 * `bind(fd, address)`: gives a socket its name.
 *
 * @throws {ErrnoError} `EACCES`, `EADDRINUSE`, `EADDRNOTAVAIL`, `EBADF`, `EINVAL`, `ENOTSOCK`;
 *   `ENAMETOOLONG` for a path of more than 108 bytes; and the file system's.
 * @see https://man7.org/linux/man-pages/man2/bind.2.html
 */
export function bind(fd: number, address: AddressLike): void {
  int32(fd, 'fd')
  const known = checked(address)
  const rc = binding.bind(fd, setAddress(known, 'bind'))
  if (rc < 0) fail(rc, 'bind', { fd, hint: describe(known) })
}

/**
 * `listen(fd, backlog)`: has the kernel take connections.
 *
 * @param backlog How many may wait to be accepted.
 * @throws {ErrnoError} `EADDRINUSE`, `EBADF`, `ENOTSOCK`, `EOPNOTSUPP`.
 * @see https://man7.org/linux/man-pages/man2/listen.2.html
 */
export function listen(fd: number, backlog: number): void {
  int32(fd, 'fd')
  check(binding.listen(fd, int32(backlog, 'backlog')), 'listen', fd)
}

/**
 * `accept4(fd, flags)`: the next connection.
 *
 * @param flags `SOCK_CLOEXEC`, `SOCK_NONBLOCK`.
 * @returns Its number, or `null` if none is waiting (would block).
 * @throws {ErrnoError} `EBADF`, `ECONNABORTED`, `EINVAL` (not listening), `EMFILE`, `ENFILE`,
 *   `ENOTSOCK`, `EOPNOTSUPP`; `EINTR` is retried.
 * @see https://man7.org/linux/man-pages/man2/accept.2.html
 */
export function accept4(fd: number, flags: number): number | null {
  int32(fd, 'fd')
  return amount(binding.accept4(fd, int32(flags, 'flags')), 'accept4', fd)
}

/**
 * `connect(fd, address)`: begins to connect, or sets where datagrams go.
 *
 * @returns Whether it is done; `false` if it is under way: the socket is writable when it is through,
 *   and `SO_ERROR` tells how it ended. `null` if a unix socket's listener has no room (would block):
 *   to be tried again later.
 * @throws {ErrnoError} `EACCES`, `EADDRNOTAVAIL`, `EALREADY`, `ECONNREFUSED`, `EISCONN`,
 *   `ENETUNREACH`, `ENOENT`, `EPROTOTYPE`, `ETIMEDOUT`; those of `bind`.
 * @see https://man7.org/linux/man-pages/man2/connect.2.html
 */
export function connect(fd: number, address: AddressLike): boolean | null {
  int32(fd, 'fd')
  const known = checked(address)
  const rc = binding.connect(fd, setAddress(known, 'connect'))
  if (rc >= 0) return true
  if (rc === EINPROGRESS) return false
  if (rc === EAGAIN && 'path' in known) return null
  return fail(rc, 'connect', { fd, hint: describe(known) })
}

/**
 * `shutdown(fd, how)`: ends one direction of a connection, or both.
 *
 * @param how `SHUT_RD`, `SHUT_WR`, `SHUT_RDWR`.
 * @throws {ErrnoError} `EBADF`, `EINVAL`, `ENOTCONN`, `ENOTSOCK`.
 * @see https://man7.org/linux/man-pages/man2/shutdown.2.html
 */
export function shutdown(fd: number, how: number): void {
  int32(fd, 'fd')
  check(binding.shutdown(fd, int32(how, 'how')), 'shutdown', fd)
}

/**
 * `getsockname(fd)`: the socket's own address.
 *
 * @throws {ErrnoError} `EBADF`, `ENOTSOCK`.
 * @see https://man7.org/linux/man-pages/man2/getsockname.2.html
 */
export function getsockname(fd: number): Address {
  return takeAddress(check(binding.getsockname(int32(fd, 'fd')), 'getsockname', fd), 'getsockname')
}

/**
 * `getpeername(fd)`: the address at the other end.
 *
 * @throws {ErrnoError} `EBADF`, `ENOTCONN`, `ENOTSOCK`.
 * @see https://man7.org/linux/man-pages/man2/getpeername.2.html
 */
export function getpeername(fd: number): Address {
  return takeAddress(check(binding.getpeername(int32(fd, 'fd')), 'getpeername', fd), 'getpeername')
}

/**
 * `getsockopt(fd, level, optname)`: a number; or, with a buffer, any value.
 *
 * @param level `SOL_SOCKET`, `IPPROTO_TCP`, …
 * @param optname `SO_RCVBUF`, `TCP_NODELAY`, …; none for which the kernel writes elsewhere.
 * @returns The number, or how many bytes were put into the buffer.
 * @throws {ErrnoError} `EBADF`, `EINVAL`, `ENOPROTOOPT`, `ENOTSOCK`.
 * @see https://man7.org/linux/man-pages/man2/getsockopt.2.html
 */
export function getsockopt(
  fd: number,
  level: number,
  optname: number,
  buffer?: NodeJS.ArrayBufferView,
): number {
  int32(fd, 'fd')
  int32(level, 'level')
  int32(optname, 'optname')
  if (buffer !== undefined) {
    assertPlain(level, optname)
    pin(buffer, 'buffer')
    return check(binding.getsockopt(fd, level, optname), 'getsockopt', fd)
  }
  check(binding.getsockopt_int(fd, level, optname), 'getsockopt', fd)
  return registers[1]!
}

/**
 * `setsockopt(fd, level, optname, value)`.
 *
 * @param value A number of 32 bits, or the bytes of any other value.
 * @throws {ErrnoError} `EBADF`, `EDOM`, `EINVAL`, `ENOPROTOOPT`, `ENOTSOCK`, `EPERM`.
 * @see https://man7.org/linux/man-pages/man2/setsockopt.2.html
 */
export function setsockopt(
  fd: number,
  level: number,
  optname: number,
  value: number | NodeJS.ArrayBufferView,
): void {
  int32(fd, 'fd')
  int32(level, 'level')
  int32(optname, 'optname')
  if (typeof value === 'number') {
    const rc = binding.setsockopt_int(fd, level, optname, int32(value, 'value'))
    check(rc, 'setsockopt', fd)
  } else {
    assertPlain(level, optname)
    pin(value, 'value')
    check(binding.setsockopt(fd, level, optname), 'setsockopt', fd)
  }
}

/**
 * `writev(fd, buffers)`: writes several buffers, one after the other, in one call.
 *
 * @param buffers The first 1,024 are taken.
 * @returns The number of bytes written, which may be fewer, or `null` if it would block.
 * @throws {ErrnoError} as `write`.
 * @see https://man7.org/linux/man-pages/man2/writev.2.html
 */
export function writev(fd: number, buffers: readonly NodeJS.ArrayBufferView[]): number | null {
  int32(fd, 'fd')
  return amount(binding.writev(fd, views(buffers, 'buffers')), 'writev', fd)
}

/** What `sendmsg` sends. */
export interface Message {
  /** One after the other; the first 1,024 are taken. */
  buffers: readonly NodeJS.ArrayBufferView[]
  /** Descriptors that go along (SCM_RIGHTS): at most 253, and with at least one byte. */
  fds?: readonly number[] | undefined
  /** Where to, if the socket isn't connected. */
  address?: AddressLike | undefined
}

/**
 * `sendmsg(fd, message, flags)`.
 *
 * @param flags `MSG_NOSIGNAL`, `MSG_DONTWAIT`, `MSG_OOB`, …
 * @returns The number of bytes sent, or `null` if it would block.
 * @throws {ErrnoError} `EBADF`, `ECONNRESET`, `EDESTADDRREQ`, `EINVAL` (too many descriptors),
 *   `EISCONN`, `EMSGSIZE`, `ENOBUFS`, `ENOTCONN`, `ENOTSOCK`, `EPIPE`, `ETOOMANYREFS`.
 * @see https://man7.org/linux/man-pages/man2/sendmsg.2.html
 */
export function sendmsg(fd: number, message: Message, flags: number): number | null {
  int32(fd, 'fd')
  int32(flags, 'flags')
  const { buffers, fds, address } = object(message, 'message')
  const list = views(buffers, 'message.buffers')
  const rights = fds === undefined ? NO_FDS : rightsOf(fds)
  const to = address === undefined ? undefined : checked(address, 'message.address')
  const length = to === undefined ? 0 : setAddress(to, 'sendmsg')
  return amount(binding.sendmsg(fd, flags, length, list, rights), 'sendmsg', fd)
}

function rightsOf(fds: readonly number[]): Int32Array {
  if (!Array.isArray(fds)) throw invalidType('message.fds', 'an array of descriptors', fds)
  for (const fd of fds) int32(fd, 'message.fds')
  // One more than may be sent is for the kernel to refuse.
  return Int32Array.from(fds.slice(0, MAX_FDS + 1))
}

/** What `recvmsg` has received. */
export interface ReceivedMessage {
  /** How many bytes there are in the buffers; 0 at the end of a stream. */
  bytes: number
  /** `MSG_TRUNC` if a datagram was longer than the buffers, `MSG_CTRUNC` if descriptors were lost, … */
  flags: number
  /** Descriptors that came along: the caller's to close. */
  fds: number[]
  /** The sender's, where the socket isn't connected; `null` also if it is neither IP nor unix. */
  address: Address | null
  /** How many control messages came that aren't descriptors, and were dropped. */
  others: number
}

/**
 * `recvmsg(fd, buffers, flags)`: bytes, and descriptors that come along with them.
 *
 * @param buffers Filled one after the other.
 * @param flags `MSG_CMSG_CLOEXEC`, `MSG_DONTWAIT`, `MSG_PEEK`, …
 * @returns `null` if it would block.
 * @throws {ErrnoError} `EBADF`, `ECONNREFUSED`, `ECONNRESET`, `ENOTCONN`, `ENOTSOCK`.
 * @see https://man7.org/linux/man-pages/man2/recvmsg.2.html
 */
export function recvmsg(
  fd: number,
  buffers: readonly NodeJS.ArrayBufferView[],
  flags: number,
): ReceivedMessage | null {
  int32(fd, 'fd')
  int32(flags, 'flags')
  const bytes = amount(
    binding.recvmsg(fd, flags, views(buffers, 'buffers'), received),
    'recvmsg',
    fd,
  )
  if (bytes === null) return null
  const [, messageFlags, count, length, others] = registers as unknown as number[]
  return {
    bytes,
    flags: messageFlags!,
    fds: [...received.subarray(0, count)],
    others: others!,
    address: length === 0 ? null : knownAddress(length!),
  }
}

function amount(rc: number, syscall: string, fd: number): number | null {
  if (rc >= 0) return rc
  if (rc === EAGAIN) return null
  return fail(rc, syscall, { fd })
}

function views(
  buffers: readonly NodeJS.ArrayBufferView[],
  name: string,
): readonly NodeJS.ArrayBufferView[] {
  if (!Array.isArray(buffers)) throw invalidType(name, 'an array of buffers', buffers)
  const count = Math.min(buffers.length, MAX_BUFFERS)
  // A list of our own: what is read from theirs may run code that takes memory away from the others.
  const list: NodeJS.ArrayBufferView[] = []
  for (let i = 0; i < count; i++) {
    const view = buffers[i]!
    size(view, name)
    list.push(view)
  }
  return list
}

function assertPlain(level: number, optname: number): void {
  if (!BEYOND.has(`${level}:${optname}`)) return
  throw outOfRange('optname', 'an option whose value stays in the buffer', optname)
}

function pin(view: NodeJS.ArrayBufferView, name: string): void {
  pinBuffer(view, size(view, name))
}

function size(view: NodeJS.ArrayBufferView, name: string): number {
  if (!ArrayBuffer.isView(view)) {
    throw invalidType(name, 'a Buffer, TypedArray or DataView', view)
  }
  return bytesOf(view, name)
}
