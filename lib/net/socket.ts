import { type Address, type AddressLike, describe, ipAddress, unixAddress } from '../address.js'
import {
  AF_UNIX,
  IPPROTO_TCP,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_TRUNC,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_ERROR,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from '../constants.js'
import { EAGAIN, EMSGSIZE } from '../errno.js'
import { ErrnoError, fail } from '../errors.js'
import { Fd, opened } from '../fd.js'
import { numberOf, type Target } from '../registration.js'
import { close, socketpair } from '../sys/descriptors.js'
import * as sys from '../sys/sockets.js'
import { boolean, integer, invalidType, invalidValue, object, outOfRange } from '../validate.js'
import { assertKind, openFor } from './endpoint.js'
import { getOption, type SocketOption, setOption } from './options.js'

export type ConnectOptions = TcpConnectOptions | { path: string }

export interface TcpConnectOptions {
  /** An address; names are for `node:dns`. Default `'127.0.0.1'`. */
  host?: string | undefined
  port: number
  /** The address to connect from. */
  localAddress?: string | undefined
  /** The port to connect from. Default: any. */
  localPort?: number | undefined
}

/** What `recvFds` has received. */
export interface ReceivedFds {
  /** How many bytes there are in the buffer; 0 at the end of the stream. */
  count: number
  fds: Fd[]
}

const HOW = { read: SHUT_RD, write: SHUT_WR, both: SHUT_RDWR }
/** Descriptors need a byte to go along with. */
const NUL = new Uint8Array(1)

/**
 * A connection: TCP, or a unix socket's. Read and written as every `Fd`: counts, or `null` where it
 * would block.
 *
 * @example
 * const socket = Socket.connect({ port: 8080 })
 * await loop.ready(socket, EPOLLOUT)
 * const error = socket.connectError()
 * if (error !== null) throw error
 * @see https://man7.org/linux/man-pages/man7/socket.7.html
 */
export class Socket extends Fd {
  /**
   * Takes over an open socket: one from `sys.accept4`, or from `Fd.release()`.
   *
   * @throws {ErrnoError} as `Fd.adopt`; `ENOTSOCK`; `EPROTOTYPE` for datagrams; `EINVAL` if it listens.
   */
  static override adopt(fd: number): Socket {
    integer(fd, 'fd', 0, 0x7fffffff)
    return new Socket(assertKind(fd, false, SOCK_STREAM, SOCK_SEQPACKET), false)
  }

  /**
   * Begins to connect, without waiting for it: the socket is writable when that is through, and
   * `connectError()` tells how it ended.
   *
   * @throws {ErrnoError} what is known at once: `EADDRNOTAVAIL`, `ENETUNREACH`, `EMFILE`, …, and for
   *   a path `ECONNREFUSED`, `ENOENT`, and `EAGAIN` if its listener has no room.
   */
  static connect(options: ConnectOptions): Socket {
    const { to, from } = endsOf(object(options))
    const fd = openFor(to, SOCK_STREAM, (fd) => {
      if (from !== undefined) {
        sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        sys.bind(fd, from)
      }
      if (sys.connect(fd, to) === null) fail(EAGAIN, 'connect', { fd, hint: describe(to) })
    })
    return new Socket(fd, true)
  }

  /** Two unix sockets that are connected with each other. */
  static pair(): [Socket, Socket] {
    const [a, b] = opened(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
    return [new Socket(a, true), new Socket(b, true)]
  }

  /**
   * How a connection that was under way has ended, once the socket is writable. Before, it tells nothing.
   *
   * @returns `null` if it is there: `ErrnoError` `ECONNREFUSED`, `ETIMEDOUT`, `EHOSTUNREACH`, … if not.
   *   Asking takes the error.
   */
  connectError(): ErrnoError | null {
    const { fd } = this
    const error = sys.getsockopt(fd, SOL_SOCKET, SO_ERROR)
    return error === 0 ? null : new ErrnoError(-error, 'connect', { fd })
  }

  /** As `sys.writev`: several buffers in one call. */
  writev(buffers: readonly NodeJS.ArrayBufferView[]): number | null {
    return sys.writev(this.fd, buffers)
  }

  /**
   * Ends a direction: `'write'` lets the peer read to the end, and this side go on reading.
   *
   * @throws {ErrnoError} `ENOTCONN`.
   */
  shutdown(how: 'read' | 'write' | 'both' = 'write'): void {
    if (typeof how !== 'string' || !Object.hasOwn(HOW, how))
      throw invalidValue('how', 'read, write or both', how)
    sys.shutdown(this.fd, HOW[how])
  }

  /** TCP: sends small writes at once. */
  setNoDelay(on = true): void {
    sys.setsockopt(this.fd, IPPROTO_TCP, TCP_NODELAY, boolean(on, 'on', true) ? 1 : 0)
  }

  /** The value of an option: `getOption('SO_RCVBUF')`. SO_LINGER: in seconds, -1 if it is off. */
  getOption(option: SocketOption): number {
    return getOption(this.fd, option)
  }

  /** Sets an option: `setOption('SO_KEEPALIVE', 1)`. SO_LINGER: in seconds, -1 to switch it off. */
  setOption(option: SocketOption, value: number): void {
    setOption(this.fd, option, value)
  }

  /** Its own address. */
  address(): Address {
    return sys.getsockname(this.fd)
  }

  /**
   * The address at the other end.
   *
   * @throws {ErrnoError} `ENOTCONN`.
   */
  peer(): Address {
    return sys.getpeername(this.fd)
  }

  /**
   * Sends descriptors through a unix socket, with some bytes. They stay open here, and the receiver
   * has them under numbers of its own. (TCP takes the bytes, and drops the descriptors.)
   *
   * @param fds At most 253.
   * @param data At least one byte; a NUL unless told.
   * @returns How many of the bytes were sent; the descriptors went with the first. `null` if it would
   *   block.
   * @throws {ErrnoError} `EBADF`, `EINVAL` too many, `EPIPE`, `ETOOMANYREFS`.
   * @see https://man7.org/linux/man-pages/man7/unix.7.html
   */
  sendFds(fds: readonly Target[], data: NodeJS.ArrayBufferView = NUL): number | null {
    if (!Array.isArray(fds)) throw invalidType('fds', 'an array of descriptors', fds)
    if (fds.length > 0 && data?.byteLength === 0) {
      throw outOfRange('data', 'a byte long or more: the descriptors go with the first', data)
    }
    const numbers = fds.map((fd: Target) => numberOf(fd, 'fds'))
    return sys.sendmsg(this.fd, { buffers: [data], fds: numbers }, MSG_NOSIGNAL | MSG_DONTWAIT)
  }

  /**
   * Receives bytes, and the descriptors that came with them: owned, CLOEXEC, and the caller's to
   * close. In a stream they may come with the end of the message before theirs.
   *
   * @returns `null` if it would block.
   * @throws {ErrnoError} `EMSGSIZE` if descriptors were lost on the way, because this process can't
   *   have so many, if a message (`SOCK_SEQPACKET`) is longer than the buffer, or if something else
   *   came that wasn't asked for. What came is closed.
   */
  recvFds(buffer: NodeJS.ArrayBufferView): ReceivedFds | null {
    const { fd } = this
    if (buffer?.byteLength === 0) throw outOfRange('buffer', 'a byte long or more', buffer)
    const message = opened(sys.recvmsg, fd, [buffer], MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
    if (message === null) return null
    const { bytes, flags, fds, others } = message
    if ((flags & (MSG_CTRUNC | MSG_TRUNC)) === 0 && others === 0) {
      return { count: bytes, fds: fds.map((each) => new Fd(each, true)) }
    }
    fds.forEach(close)
    const lost = (flags & MSG_TRUNC) === 0 ? 'descriptors were lost' : 'the message was longer'
    const hint = others === 0 ? lost : 'control data that isn’t descriptors'
    return fail(EMSGSIZE, 'recvmsg', { fd, hint })
  }
}

/** Where to, and where from if that is asked for. */
function endsOf(options: ConnectOptions): { to: AddressLike; from?: AddressLike } {
  const { path } = options as { path?: string }
  if (path !== undefined) return { to: unixAddress(path, 'options.path') }
  const { host = '127.0.0.1', port, localAddress, localPort = 0 } = options as TcpConnectOptions
  const to = ipAddress(host, port, 'options.host', 'options.port')
  if (localAddress === undefined && localPort === 0) return { to }
  const any = to.family === 'IPv4' ? '0.0.0.0' : '::'
  const local = localAddress === undefined ? any : localAddress
  return { to, from: ipAddress(local, localPort, 'options.localAddress', 'options.localPort') }
}
