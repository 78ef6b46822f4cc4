import { type Address, type AddressLike, ipAddress, unixAddress } from '../address.js'
import { binding } from '../binding.js'
import {
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../constants.js'
import * as errno from '../errno.js'
import { ErrnoError, fail } from '../errors.js'
import { OwnedFd, opened } from '../fd.js'
import * as sys from '../sys/sockets.js'
import { boolean, integer, invalidValue, object } from '../validate.js'
import { assertKind, openFor } from './endpoint.js'
import { getOption, type SocketOption, setOption } from './options.js'
import { Socket } from './socket.js'

export interface TcpListenOptions extends ListenOptions {
  /** The address to listen at; `'::'` is every one, of both families. Default `'127.0.0.1'`. */
  host?: string | undefined
  /** Default 0: one that is free, which `address()` tells. */
  port?: number | undefined
  /** Whether others, each with this option, may listen at the same port: the kernel shares out. */
  reusePort?: boolean | undefined
  /** Whether an IPv6 address leaves the IPv4 ones alone. Default `false`. */
  ipv6Only?: boolean | undefined
}

export interface ListenOptions {
  /** How many connections may wait to be accepted. Default 511. */
  backlog?: number | undefined
}

/** accept(2): what has happened to one connection on its way; the next one may be well. */
const PASSING = new Set([
  errno.ECONNABORTED,
  errno.EPROTO,
  errno.ENETDOWN,
  errno.ENOPROTOOPT,
  errno.EHOSTDOWN,
  errno.ENONET,
  errno.EHOSTUNREACH,
  errno.ENETUNREACH,
])
/** Connections wait until something was closed. */
const EXHAUSTED = new Set([errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])

/**
 * A socket that takes connections: TCP, or a unix socket's.
 *
 * @example
 * const listener = Listener.tcp({ port: 8080 })
 * loop.watch(listener, EPOLLIN, () => {
 *   for (let socket = listener.accept(); socket !== null; socket = listener.accept()) greet(socket)
 * })
 * @see https://man7.org/linux/man-pages/man2/accept.2.html
 */
export class Listener extends OwnedFd {
  /** Why connections that are waiting couldn't be accepted. */
  #exhaustion = 0

  /**
   * Listens at an address and port.
   *
   * @throws {ErrnoError} `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` (ports below 1024), `EMFILE`.
   */
  static tcp(options: TcpListenOptions = {}): Listener {
    const { host = '127.0.0.1', port = 0, reusePort, ipv6Only, backlog } = object(options)
    const address = ipAddress(host, port, 'options.host', 'options.port')
    const sharesPort = boolean(reusePort, 'options.reusePort', false)
    const isV6Only = boolean(ipv6Only, 'options.ipv6Only', false)
    return listening(address, backlog, (fd) => {
      sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
      if (sharesPort) sys.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1)
      if (address.family === 'IPv6') sys.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, isV6Only ? 1 : 0)
    })
  }

  /**
   * Listens at a path, or at an abstract name: `'\0name'`. The file of a path stays when the listener
   * is closed, and has to be removed before somebody else can listen there.
   *
   * @throws {ErrnoError} `EADDRINUSE` (the file is there already), `EACCES`, `ENOENT`,
   *   `ENAMETOOLONG` (more than 108 bytes).
   */
  static unix(path: string, options: ListenOptions = {}): Listener {
    const address = unixAddress(path, 'path')
    if (path === '') throw invalidValue('path', 'a path or a name', path)
    return listening(address, object(options).backlog, () => {})
  }

  /**
   * Takes over a socket that listens already: another thread's (`dup()` and `release()` there), or one
   * that was inherited. Its flags stay as they are: one that blocks, as inherited ones may, makes
   * `accept()` wait until it is told otherwise (`setNonBlocking(true)`).
   *
   * @throws {ErrnoError} as `Fd.adopt`; `ENOTSOCK`; `EPROTOTYPE` for datagrams; `EINVAL` if it doesn't
   *   listen.
   */
  static adopt(fd: number): Listener {
    integer(fd, 'fd', 0, 0x7fffffff)
    return new Listener(assertKind(fd, true, SOCK_STREAM, SOCK_SEQPACKET), false)
  }

  /** @internal */
  constructor(fd: number, isNew: boolean) {
    super(fd, isNew)
  }

  /**
   * The next connection: non-blocking and CLOEXEC. One that was lost while it waited is left out.
   *
   * @returns `null` if none is waiting; or if there can't be another descriptor now, and `exhaustion`
   *   tells why.
   * @throws {ErrnoError} `EINVAL` if it isn't listening.
   */
  accept(): Socket | null {
    const { fd } = this
    for (;;) {
      const rc = opened(binding.accept4, fd, SOCK_CLOEXEC | SOCK_NONBLOCK)
      if (rc >= 0) {
        this.#exhaustion = 0
        return new Socket(rc, true)
      }
      if (PASSING.has(rc)) continue
      this.#exhaustion = EXHAUSTED.has(rc) ? rc : 0
      if (rc === errno.EAGAIN || this.#exhaustion !== 0) return null
      fail(rc, 'accept4', { fd })
    }
  }

  /**
   * Why the last `accept()` had to leave a connection waiting: `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`.
   * The listener stays readable meanwhile: who goes on watching it spins. `serve` rests instead.
   */
  get exhaustion(): ErrnoError | null {
    return this.#exhaustion === 0
      ? null
      : new ErrnoError(this.#exhaustion, 'accept4', { fd: this.fd })
  }

  /** Where it listens: with the port that was free. */
  address(): Address {
    return sys.getsockname(this.fd)
  }

  /** As `Socket.getOption`. */
  getOption(option: SocketOption): number {
    return getOption(this.fd, option)
  }

  /** As `Socket.setOption`. */
  setOption(option: SocketOption, value: number): void {
    setOption(this.fd, option, value)
  }
}

function listening(
  address: AddressLike,
  backlog: number | undefined,
  prepare: (fd: number) => void,
): Listener {
  const most = backlog === undefined ? 511 : integer(backlog, 'options.backlog', 0, 0x7fffffff)
  const fd = openFor(address, SOCK_STREAM, (fd) => {
    prepare(fd)
    sys.bind(fd, address)
    sys.listen(fd, most)
  })
  return new Listener(fd, true)
}
