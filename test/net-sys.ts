// The calls that make sockets, name them and connect them, as plain system calls.

import { fdTable } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { Descriptors, read, write } from './fixtures/kernel.js'
import { abstractName, Kept, soon } from './fixtures/net.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'

const { AF_INET, AF_INET6, AF_UNIX, EPOLLOUT, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } = sys
const FLAGS = sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK
const HERE = { address: '127.0.0.1', port: 0 }
type Port = { address: string; port: number }

function stream(fds: Descriptors, domain = AF_INET): number {
  return fds.own(sys.socket(domain, SOCK_STREAM | FLAGS, 0))
}

/** A socket that listens, with the address where it does. */
function listening(fds: Descriptors, address: Parameters<typeof sys.bind>[1] = HERE) {
  const fd = stream(fds, 'path' in address ? AF_UNIX : AF_INET)
  sys.bind(fd, address)
  sys.listen(fd, 8)
  return { fd, name: sys.getsockname(fd) }
}

/** The two ends of a TCP connection. */
function connection(fds: Descriptors): [client: number, server: number] {
  const { fd, name } = listening(fds)
  const client = stream(fds)
  sys.connect(client, name)
  return [client, fds.own(soon(fd, () => sys.accept4(fd, FLAGS)))]
}

test('socket makes what it is told, and adds no flags', (t) => {
  using fds = new Descriptors()
  for (const [domain, type] of [
    [AF_INET, SOCK_STREAM],
    [AF_INET6, SOCK_STREAM],
    [AF_INET6, SOCK_DGRAM],
    [AF_UNIX, SOCK_SEQPACKET],
  ] as const) {
    const fd = fds.own(sys.socket(domain, type, 0))
    t.equal(sys.getsockopt(fd, sys.SOL_SOCKET, sys.SO_DOMAIN), domain)
    t.equal(sys.getsockopt(fd, sys.SOL_SOCKET, sys.SO_TYPE), type)
    t.equal(sys.fcntl_getfd(fd), 0)
    t.equal(sys.fcntl_getfl(fd) & sys.O_NONBLOCK, 0)
  }
  const fd = fds.own(sys.socket(AF_INET, SOCK_STREAM | FLAGS, sys.IPPROTO_TCP))
  t.equal(sys.fcntl_getfd(fd), sys.FD_CLOEXEC)
  t.equal(sys.fcntl_getfl(fd) & sys.O_NONBLOCK, sys.O_NONBLOCK)
  t.equal(sys.getsockopt(fd, sys.SOL_SOCKET, sys.SO_PROTOCOL), sys.IPPROTO_TCP)
})

test('socket fails as the kernel does', (t) => {
  t.throws(() => sys.socket(-1, SOCK_STREAM, 0), errno('EAFNOSUPPORT', 'socket'))
  t.throws(() => sys.socket(AF_INET, -1, 0), errno('EINVAL', 'socket'))
  t.throws(
    () => sys.socket(AF_INET, SOCK_STREAM, sys.IPPROTO_IPV6),
    errno('EPROTONOSUPPORT', 'socket'),
  )
  t.throws(() => sys.socket(AF_UNIX, SOCK_STREAM, 6), errno('EPROTONOSUPPORT', 'socket'))
})

test('what socket and accept4 make has a new generation', (t) => {
  using fds = new Descriptors()
  const { fd, name } = listening(fds)
  const client = stream(fds)
  sys.connect(client, name)
  const first = soon(fd, () => sys.accept4(fd, FLAGS))
  const { generation } = fdTable.token(first)
  sys.close(first)
  const second = fds.own(sys.socket(AF_INET, SOCK_STREAM | FLAGS, 0))
  t.equal(second, first, 'the number is taken again')
  t.not(fdTable.token(second).generation, generation)
})

test('a TCP connection, from bind to the end of it', (t) => {
  using fds = new Descriptors()
  const { fd, name } = listening(fds)
  t.match(name, { family: 'IPv4', address: '127.0.0.1' })
  t.equal(sys.accept4(fd, FLAGS), null, 'nobody is there')
  const client = stream(fds)
  t.equal(sys.connect(client, name), false, 'under way')
  const server = fds.own(soon(fd, () => sys.accept4(fd, FLAGS)))
  t.equal(sys.getsockopt(client, sys.SOL_SOCKET, sys.SO_ERROR), 0)
  t.same(sys.getpeername(client), name)
  t.same(sys.getsockname(server), name)
  t.same(sys.getpeername(server), sys.getsockname(client))
  write(client, 'hello')
  t.equal(
    soon(server, () => read(server)),
    'hello',
  )
  sys.shutdown(client, sys.SHUT_WR)
  t.equal(
    soon(server, () => read(server)),
    '',
  )
  write(server, 'bye')
  t.equal(
    soon(client, () => read(client)),
    'bye',
  )
})

test('an address whose path is undefined is one of IP', (t) => {
  using fds = new Descriptors()
  const { fd, name } = listening(fds)
  const client = stream(fds)
  sys.connect(client, { path: undefined, ...(name as Port) })
  fds.own(soon(fd, () => sys.accept4(fd, FLAGS)))
  t.same(sys.getpeername(client), name)
})

test('accept4 adds no flags', (t) => {
  using fds = new Descriptors()
  const { fd, name } = listening(fds)
  sys.connect(stream(fds), name)
  const accepted = fds.own(soon(fd, () => sys.accept4(fd, 0)))
  t.equal(sys.fcntl_getfd(accepted), 0)
  t.equal(sys.fcntl_getfl(accepted) & sys.O_NONBLOCK, 0)
})

test('accept4 refuses flags that do not exist, and sockets that do not listen', (t) => {
  using fds = new Descriptors()
  const { fd } = listening(fds)
  const datagrams = fds.own(sys.socket(AF_UNIX, SOCK_DGRAM | FLAGS, 0))
  t.throws(() => sys.accept4(fd, 1), errno('EINVAL', 'accept4'))
  t.throws(() => sys.accept4(stream(fds), 0), errno('EINVAL', 'accept4'))
  t.throws(() => sys.accept4(datagrams, 0), errno('EOPNOTSUPP', 'accept4'))
})

test('a socket that blocks is connected when connect returns', (t) => {
  using fds = new Descriptors()
  const { name } = listening(fds)
  const client = fds.own(sys.socket(AF_INET, SOCK_STREAM | sys.SOCK_CLOEXEC, 0))
  t.equal(sys.connect(client, name), true)
  t.throws(() => sys.connect(client, name), errno('EISCONN', 'connect'))
})

test('a refused connection: at once where it blocks, else by SO_ERROR', (t) => {
  using fds = new Descriptors()
  const { fd, name } = listening(fds)
  fds.close(fd)
  const blocking = fds.own(sys.socket(AF_INET, SOCK_STREAM | sys.SOCK_CLOEXEC, 0))
  t.throws(() => sys.connect(blocking, name), errno('ECONNREFUSED', 'connect'))
  const client = stream(fds)
  t.equal(sys.connect(client, name), false)
  poll(client, EPOLLOUT, PATIENCE_MS)
  const refusal = -errno('ECONNREFUSED', 'connect').errno
  t.equal(sys.getsockopt(client, sys.SOL_SOCKET, sys.SO_ERROR), refusal)
  t.equal(sys.getsockopt(client, sys.SOL_SOCKET, sys.SO_ERROR), 0, 'asked once')
})

test('a connection that is under way can’t be begun again', (t) => {
  using fds = new Descriptors()
  const full = stream(fds)
  sys.bind(full, HERE)
  sys.listen(full, 0)
  const name = sys.getsockname(full)
  const first = stream(fds)
  sys.connect(first, name)
  poll(first, EPOLLOUT, PATIENCE_MS)
  const second = stream(fds)
  t.equal(sys.connect(second, name), false, 'its SYN finds no room')
  t.throws(() => sys.connect(second, name), errno('EALREADY', 'connect'))
})

test('a unix connection is done at once; null where its listener has no room', (t) => {
  using fds = new Descriptors()
  const address = { path: abstractName() }
  const { fd } = listening(fds, address)
  sys.listen(fd, 0)
  const [first, second] = [stream(fds, AF_UNIX), stream(fds, AF_UNIX)]
  t.equal(sys.connect(first, address), true)
  t.equal(sys.connect(second, address), null)
  fds.own(sys.accept4(fd, FLAGS)!)
  t.equal(sys.connect(second, address), true, 'tried again')
})

test('connect fails as the kernel does', (t) => {
  using fds = new Descriptors()
  using kept = new Kept()
  const folder = kept.folder()
  const path = `${folder}/socket`
  listening(fds, { path })
  const unix = stream(fds, AF_UNIX)
  const datagrams = fds.own(sys.socket(AF_UNIX, SOCK_DGRAM | FLAGS, 0))
  const connect = (fd: number, address: Port | { path: string }) => () => sys.connect(fd, address)
  t.throws(connect(unix, { path: `${folder}/none` }), errno('ENOENT', 'connect'))
  t.throws(connect(unix, { path: folder }), errno('ECONNREFUSED', 'connect'))
  t.throws(connect(unix, { path: abstractName() }), errno('ECONNREFUSED', 'connect'))
  t.throws(connect(unix, { path: '' }), errno('EINVAL', 'connect'))
  t.throws(connect(datagrams, { path }), errno('EPROTOTYPE', 'connect'))
  t.throws(connect(unix, { ...HERE, port: 1 }), errno('EINVAL', 'connect'))
  t.throws(connect(stream(fds), { address: '::1', port: 1 }), errno('EAFNOSUPPORT', 'connect'))
  t.throws(
    connect(stream(fds), { address: '127.255.255.255', port: 1 }),
    errno('ENETUNREACH', 'connect'),
  )
})

test('bind fails as the kernel does', (t) => {
  using fds = new Descriptors()
  const { fd, name } = listening(fds)
  const other = stream(fds)
  const bind = (address: Port | { path: string }) => () => sys.bind(other, address)
  t.throws(bind(name as Port), errno('EADDRINUSE', 'bind'))
  t.throws(bind({ address: '198.51.100.1', port: 0 }), errno('EADDRNOTAVAIL', 'bind'))
  t.throws(bind({ address: '::1', port: 0 }), errno('EAFNOSUPPORT', 'bind'))
  t.throws(bind({ path: '/' }), { code: /^E(INVAL|AFNOSUPPORT)$/, syscall: 'bind' })
  t.throws(() => sys.bind(fd, HERE), errno('EINVAL', 'bind'), 'it has a name already')
})

test('listen is for streams', (t) => {
  using fds = new Descriptors()
  const datagrams = fds.own(sys.socket(AF_INET, SOCK_DGRAM | FLAGS, 0))
  t.throws(() => sys.listen(datagrams, 1), errno('EOPNOTSUPP', 'listen'))
  const fd = stream(fds)
  sys.listen(fd, -1)
  t.match(sys.getsockname(fd), { address: '0.0.0.0' }, 'unbound: at a port of the kernel’s')
  t.equal(sys.getsockopt(fd, sys.SOL_SOCKET, sys.SO_ACCEPTCONN), 1)
})

test('shutdown ends one direction, or both', (t) => {
  using fds = new Descriptors()
  const [a, b] = connection(fds)
  sys.shutdown(a, sys.SHUT_RD)
  t.equal(read(a), '')
  write(a, 'still')
  t.equal(
    soon(b, () => read(b)),
    'still',
  )
  sys.shutdown(b, sys.SHUT_RDWR)
  t.equal(read(b), '')
  t.throws(() => write(b, 'no more'), errno('EPIPE', 'write'))
  t.throws(() => sys.shutdown(a, 3), errno('EINVAL', 'shutdown'))
  t.throws(() => sys.shutdown(stream(fds), sys.SHUT_RD), errno('ENOTCONN', 'shutdown'))
})

test('getpeername needs a peer', (t) => {
  using fds = new Descriptors()
  t.throws(() => sys.getpeername(stream(fds)), errno('ENOTCONN', 'getpeername'))
  t.throws(() => sys.getpeername(listening(fds).fd), errno('ENOTCONN', 'getpeername'))
})

const CALLS: Record<string, (fd: number) => unknown> = {
  bind: (fd) => sys.bind(fd, HERE),
  listen: (fd) => sys.listen(fd, 1),
  accept4: (fd) => sys.accept4(fd, 0),
  connect: (fd) => sys.connect(fd, HERE),
  shutdown: (fd) => sys.shutdown(fd, sys.SHUT_RD),
  getsockname: (fd) => sys.getsockname(fd),
  getpeername: (fd) => sys.getpeername(fd),
  getsockopt: (fd) => sys.getsockopt(fd, sys.SOL_SOCKET, sys.SO_TYPE),
  setsockopt: (fd) => sys.setsockopt(fd, sys.SOL_SOCKET, sys.SO_KEEPALIVE, 1),
}

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name} is for sockets that are open`, (t) => {
    using fds = new Descriptors()
    for (const fd of [-1, NOT_OPEN, 2 ** 31 - 1]) {
      t.throws(() => call(fd), { ...errno('EBADF', name), fd })
    }
    t.throws(() => call(fds.eventfd()), errno('ENOTSOCK', name))
  })
}

test('a buffer variant of an option is for sockets that are open, too', (t) => {
  const bytes = Buffer.alloc(4)
  const get = () => sys.getsockopt(-1, sys.SOL_SOCKET, sys.SO_TYPE, bytes)
  const set = () => sys.setsockopt(-1, sys.SOL_SOCKET, sys.SO_KEEPALIVE, bytes)
  t.throws(get, errno('EBADF', 'getsockopt'))
  t.throws(set, errno('EBADF', 'setsockopt'))
})
