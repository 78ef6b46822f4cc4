import { type Address, type AddressLike, ipAddress, unixAddress } from '../address.js'
import { binding, bytesOf, pinBuffer } from '../binding.js'
import {
  AF_UNIX,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_TRUNC,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from '../constants.js'
import { EAGAIN } from '../errno.js'
import { fail } from '../errors.js'
import { OwnedFd, opened } from '../fd.js'
import { close, socketpair } from '../sys/descriptors.js'
import * as sys from '../sys/sockets.js'
import { boolean, integer, invalidType, object } from '../validate.js'
import { DatagramBatch } from './batch.js'
import { assertKind, openFor } from './endpoint.js'
import { getOption, type SocketOption, setOption } from './options.js'

export interface UdpOptions {
  /** The address to receive at; `'::'` is every one, of both families. Default `'127.0.0.1'`. */
  host?: string | undefined
  /** Default 0: one that is free, which `address()` tells. */
  port?: number | undefined
  /** Whether the address may be taken by others as well: the last one receives. Default `false`. */
  reuseAddr?: boolean | undefined
  /** Whether others, each with this option, may share the port: the kernel shares out. */
  reusePort?: boolean | undefined
  /** Whether an IPv6 address leaves the IPv4 ones alone. Default `false`. */
  ipv6Only?: boolean | undefined
}

/** A datagram that `recv` has received. */
export interface Received {
  /** How many bytes there are in the buffer. */
  count: number
  /** Whether there were more than it takes. */
  isTruncated: boolean
  /** Where it came from; `null` from a unix socket without a name. */
  address: Address | null
}

/**
 * A socket for datagrams: UDP, or a unix socket's.
 *
 * @example
 * const socket = Datagram.udp({ port: 5353 })
 * loop.watch(socket, EPOLLIN, () => {
 *   const received = socket.recv(buffer)
 *   if (received === null) return
 *   socket.send(buffer.subarray(0, received.count), received.address)
 * })
 * @see https://man7.org/linux/man-pages/man7/udp.7.html
 */
export class Datagram extends OwnedFd {
  /** @throws {ErrnoError} `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `EMFILE`. */
  static udp(options: UdpOptions = {}): Datagram {
    const { host = '127.0.0.1', port = 0, reuseAddr, reusePort, ipv6Only } = object(options)
    const address = ipAddress(host, port, 'options.host', 'options.port')
    const reuses = boolean(reuseAddr, 'options.reuseAddr', false)
    const sharesPort = boolean(reusePort, 'options.reusePort', false)
    const isV6Only = boolean(ipv6Only, 'options.ipv6Only', false)
    const fd = openFor(address, SOCK_DGRAM, (fd) => {
      if (reuses) sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
      if (sharesPort) sys.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1)
      if (address.family === 'IPv6') sys.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, isV6Only ? 1 : 0)
      sys.bind(fd, address)
    })
    return new Datagram(fd, true)
  }

  /**
   * A unix socket, at a path, at an abstract name (`'\0name'`; `''` for one that the kernel chooses), or
   * without a name: then it can send, and nobody can answer. The file of a path stays when it is closed.
   */
  static unix(path?: string): Datagram {
    if (path !== undefined && typeof path !== 'string') {
      throw invalidType('path', 'of type string', path)
    }
    const address = unixAddress(path ?? '', 'path')
    const fd = openFor(address, SOCK_DGRAM, (fd) => {
      if (path !== undefined) sys.bind(fd, address)
    })
    return new Datagram(fd, true)
  }

  /** Two unix sockets that are connected with each other. */
  static pair(): [Datagram, Datagram] {
    const [a, b] = opened(socketpair, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
    return [new Datagram(a, true), new Datagram(b, true)]
  }

  /**
   * Takes over an open socket.
   *
   * @throws {ErrnoError} as `Fd.adopt`; `ENOTSOCK`; `EPROTOTYPE` if it isn't for datagrams.
   */
  static adopt(fd: number): Datagram {
    integer(fd, 'fd', 0, 0x7fffffff)
    return new Datagram(assertKind(fd, false, SOCK_DGRAM), false)
  }

  /** @internal */
  constructor(fd: number, isNew: boolean) {
    super(fd, isNew)
  }

  /**
   * Sets where datagrams go that are sent without an address, and receives from there alone.
   *
   * @throws {ErrnoError} `ECONNREFUSED`, `ENOENT` (unix), `ENETUNREACH`.
   */
  connect(address: AddressLike): void {
    sys.connect(this.fd, address)
  }

  /**
   * Sends one datagram.
   *
   * @returns How many bytes it had, or `null` if it would block.
   * @throws {ErrnoError} `EDESTADDRREQ`, `EMSGSIZE` (too long), `ECONNREFUSED` (an earlier one came
   *   back), `EISCONN`, `ENETUNREACH`.
   */
  send(data: NodeJS.ArrayBufferView, address?: AddressLike | null): number | null {
    const to = address ?? undefined
    return sys.sendmsg(this.fd, { buffers: [data], address: to }, MSG_NOSIGNAL | MSG_DONTWAIT)
  }

  /**
   * Receives one datagram.
   *
   * @returns `null` if none is there (would block).
   * @throws {ErrnoError} `ECONNREFUSED` (one that was sent came back).
   */
  recv(buffer: NodeJS.ArrayBufferView): Received | null {
    const message = opened(sys.recvmsg, this.fd, [buffer], MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
    if (message === null) return null
    const { bytes, flags, fds, address } = message
    // Nobody has asked for them.
    fds.forEach(close)
    return { count: bytes, isTruncated: (flags & MSG_TRUNC) !== 0, address }
  }

  /**
   * Receives as many datagrams as are there and the batch takes, in one call.
   *
   * @returns How many, which is `batch.length` from then on, or `null` if none is there.
   * @throws {ErrnoError} as `recv`.
   * @see https://man7.org/linux/man-pages/man2/recvmmsg.2.html
   */
  recvBatch(batch: DatagramBatch): number | null {
    const { fd } = this
    pinBatch(batch)
    const rc = binding.recvmmsg(fd, batch.capacity, batch.size, MSG_DONTWAIT)
    batch.length = Math.max(rc, 0)
    return rc >= 0 ? rc : rc === EAGAIN ? null : fail(rc, 'recvmmsg', { fd })
  }

  /**
   * Sends the datagrams of a batch in one call.
   *
   * @param first Which one to begin with: where the last call has ended.
   * @returns How many were sent, which may be fewer, or `null` if it would block.
   * @throws {ErrnoError} as `send`, if the first of them can't be sent: go on with the next one.
   * @see https://man7.org/linux/man-pages/man2/sendmmsg.2.html
   */
  sendBatch(batch: DatagramBatch, first = 0): number | null {
    const { fd } = this
    pinBatch(batch)
    const { capacity, size, length } = batch
    integer(first, 'first', 0, length)
    const rc = binding.sendmmsg(fd, capacity, size, first, length, MSG_NOSIGNAL | MSG_DONTWAIT)
    return rc >= 0 ? rc : rc === EAGAIN ? null : fail(rc, 'sendmmsg', { fd })
  }

  /** Its own address. */
  address(): Address {
    return sys.getsockname(this.fd)
  }

  /** The address that it is connected with. */
  peer(): Address {
    return sys.getpeername(this.fd)
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

function pinBatch(batch: DatagramBatch): void {
  if (!(batch instanceof DatagramBatch)) throw invalidType('batch', 'a DatagramBatch', batch)
  pinBuffer(batch.memory, bytesOf(batch.memory, 'batch'))
}
