import { EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, Fd } from 'genpoll'
import { type IpAddress, Listener, Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { type Bad, bad, refuses } from './fixtures/bad.js'
import { test } from './fixtures/check.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { Descriptors, fill, read, write } from './fixtures/kernel.js'
import {
  abstractName,
  accepted,
  Kept,
  noIPv6,
  outcome,
  portOf,
  silentPort,
  soon,
  tcpPair,
} from './fixtures/net.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'

const FLAGS = sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK

test('connect begins, and connectError tells how it ended: done', (t) => {
  using kept = new Kept()
  const listener = kept.one(Listener.tcp())
  const client = kept.one(Socket.connect({ host: '127.0.0.1', port: portOf(listener) }))
  t.equal(poll(client.fd, EPOLLOUT, PATIENCE_MS), EPOLLOUT)
  t.equal(client.connectError(), null)
  t.same(client.peer(), listener.address())
})

test('connectError: refused, told once', (t) => {
  using kept = new Kept()
  const client = kept.one(Socket.connect({ port: silentPort(kept) }))
  const error = outcome(client)
  t.match(error, { ...errno('ECONNREFUSED', 'connect'), fd: client.fd })
  t.equal(client.connectError(), null)
  t.throws(() => client.peer(), errno('ENOTCONN', 'getpeername'))
})

test(
  'connectError: refused, over IPv6',
  (t) => {
    using kept = new Kept()
    const host = '::1'
    const client = kept.one(Socket.connect({ host, port: silentPort(kept, host) }))
    t.match(outcome(client), errno('ECONNREFUSED', 'connect'))
  },
  { skip: noIPv6 },
)

test('connectError: timed out', (t) => {
  using kept = new Kept()
  const listener = kept.one(Listener.tcp({ backlog: 0 }))
  const port = portOf(listener)
  t.equal(outcome(kept.one(Socket.connect({ port }))), null, 'the one that it has room for')
  const client = kept.one(Socket.connect({ port }))
  client.setOption('TCP_SYNCNT', 1)
  client.setOption('TCP_USER_TIMEOUT', 1)
  t.equal(poll(client.fd, EPOLLOUT), 0, 'under way')
  t.match(outcome(client), errno('ETIMEDOUT', 'connect'))
})

test('what is known at once is thrown', (t) => {
  const connect = (host: string) => () => Socket.connect({ host, port: 1 })
  t.throws(connect('127.255.255.255'), errno('ENETUNREACH', 'connect'))
  t.throws(connect('224.0.0.1'), errno('ENETUNREACH', 'connect'))
  t.throws(connect('fe80::1'), errno('EINVAL', 'connect'))
  t.throws(connect('fe80::1%none'), errno('ENODEV', 'connect'))
})

test('localAddress and localPort', (t) => {
  using kept = new Kept()
  const port = portOf(kept.one(Listener.tcp({ host: '0.0.0.0' })))
  const from = { family: 'IPv4', address: '127.0.0.2' }
  const addressed = kept.one(Socket.connect({ port, localAddress: '127.0.0.2' }))
  t.match(addressed.address(), from)
  const localPort = silentPort(kept)
  const both = kept.one(Socket.connect({ port, localAddress: '127.0.0.2', localPort }))
  t.same(both.address(), { ...from, port: localPort })
  t.equal(outcome(both), null)
  const numbered = kept.one(Socket.connect({ host: '127.0.0.3', port, localPort }))
  t.equal(portOf(numbered), localPort, 'again, to somewhere else')
})

test(
  'localPort over IPv6',
  (t) => {
    using kept = new Kept()
    const host = '::1'
    const listener = kept.one(Listener.tcp({ host }))
    const localPort = silentPort(kept, host)
    kept.one(Socket.connect({ host, port: portOf(listener), localPort }))
    t.same(kept.one(accepted(listener)).peer(), { family: 'IPv6', address: host, port: localPort })
  },
  { skip: noIPv6 },
)

test('a local address that is taken, not here, or of the other family', (t) => {
  using kept = new Kept()
  const port = portOf(kept.one(Listener.tcp()))
  const local = { port, localAddress: '127.0.0.1' }
  const connect = (options: object) => () => Socket.connect({ ...local, ...options })
  t.throws(connect({ localPort: port }), errno('EADDRINUSE', 'bind'))
  t.throws(connect({ localAddress: '198.51.100.1' }), errno('EADDRNOTAVAIL', 'bind'))
  t.throws(connect({ localAddress: '::1' }), errno('EAFNOSUPPORT', 'bind'))
})

test('a unix path: there at once, or not', (t) => {
  using kept = new Kept()
  const path = `${kept.folder()}/socket`
  t.throws(() => Socket.connect({ path }), errno('ENOENT', 'connect'))
  const listener = kept.one(Listener.unix(path))
  const client = kept.one(Socket.connect({ path }))
  t.equal(poll(client.fd, EPOLLOUT), EPOLLOUT)
  t.equal(client.connectError(), null)
  t.same(client.peer(), { path })
  t.same(client.address(), { path: '' })
  listener.close()
  t.throws(() => Socket.connect({ path }), errno('ECONNREFUSED', 'connect'))
})

test('a path that is undefined is none', (t) => {
  using kept = new Kept()
  const listener = kept.one(Listener.tcp())
  const options = { path: undefined, port: portOf(listener) }
  const client = kept.one(Socket.connect(options))
  t.equal(outcome(client), null)
  t.same(client.peer(), listener.address())
})

test('EAGAIN while a unix listener has no room', (t) => {
  using kept = new Kept()
  const path = abstractName()
  const listener = kept.one(Listener.unix(path, { backlog: 0 }))
  const first = kept.one(Socket.connect({ path }))
  t.throws(() => Socket.connect({ path }), errno('EAGAIN', 'connect'))
  const server = kept.one(accepted(listener))
  write(first.fd, 'mine')
  t.equal(read(server.fd), 'mine')
  kept.one(Socket.connect({ path }))
})

test('a pair talks both ways, and neither end has a name', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  t.equal(a.read(Buffer.alloc(1)), null)
  t.equal(a.write(Buffer.from('to b')), 4)
  t.equal(read(b.fd), 'to b')
  t.equal(b.write(Buffer.from('to a')), 4)
  t.equal(read(a.fd), 'to a')
  t.same([a.address(), b.peer()], [{ path: '' }, { path: '' }])
  a.close()
  t.equal(read(b.fd), '')
})

test('adopt takes a socket of any origin', (t) => {
  using fds = new Descriptors()
  const [first, second] = sys.socketpair(sys.AF_UNIX, sys.SOCK_SEQPACKET | FLAGS, 0)
  fds.own(second)
  using socket = Socket.adopt(first)
  t.ok(socket instanceof Fd)
  t.equal(socket.fd, first)
  socket.write(Buffer.from('one'))
  socket.write(Buffer.from('two'))
  t.equal(read(second), 'one', 'packets')
  t.throws(() => Socket.adopt(first), errno('EEXIST', 'adopt'))
})

test('adopt takes nothing else', (t) => {
  using fds = new Descriptors()
  const datagrams = fds.own(sys.socket(sys.AF_INET, sys.SOCK_DGRAM | FLAGS, 0))
  t.throws(() => Socket.adopt(datagrams), { ...errno('EPROTOTYPE', 'adopt'), fd: datagrams })
  t.throws(() => Socket.adopt(fds.eventfd()), errno('ENOTSOCK', 'getsockopt'))
  const listening = fds.own(sys.socket(sys.AF_INET, sys.SOCK_STREAM | FLAGS, 0))
  sys.listen(listening, 1)
  t.throws(() => Socket.adopt(listening), { ...errno('EINVAL', 'adopt'), fd: listening })
  t.throws(() => Socket.adopt(NOT_OPEN), errno('EBADF', 'getsockopt'))
  refuses(t, Socket.adopt as never, [['fd', 'uint32', NOT_OPEN]])
})

test('writev', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  t.equal(client.writev([Buffer.from('a, '), new Uint8Array([98])]), 4)
  t.equal(
    soon(server.fd, () => read(server.fd)),
    'a, b',
  )
  fill(client.fd)
  t.equal(client.writev([Buffer.from('no'), Buffer.from('room')]), null)
})

test('a peer that never reads: null, and the rest once it does', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  fill(client.fd)
  t.equal(client.write(Buffer.from('x')), null)
  t.equal(poll(client.fd, EPOLLOUT), 0)
  while (poll(client.fd, EPOLLOUT) === 0) soon(server.fd, () => read(server.fd))
  t.equal(client.write(Buffer.from('x')), 1)
})

test('shutdown ends the writing, and the peer may go on: half-open', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  client.write(Buffer.from('last'))
  client.shutdown()
  t.throws(() => client.write(Buffer.from('more')), errno('EPIPE', 'write'))
  const half = EPOLLIN | EPOLLRDHUP
  while (poll(server.fd, half, PATIENCE_MS) !== half);
  t.equal(read(server.fd), 'last')
  t.equal(read(server.fd), '')
  t.equal(server.write(Buffer.from('still here')), 10)
  t.equal(
    soon(client.fd, () => read(client.fd)),
    'still here',
  )
  server.shutdown('write')
  t.equal(
    soon(client.fd, () => read(client.fd)),
    '',
  )
  t.ok(poll(server.fd, EPOLLIN) & EPOLLHUP)
})

test('shutdown of the reading', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  client.shutdown('read')
  t.equal(read(client.fd), '')
  client.write(Buffer.from('x'))
  t.equal(
    soon(server.fd, () => read(server.fd)),
    'x',
  )
})

test('shutdown of both', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  a.shutdown('both')
  t.equal(read(a.fd), '')
  t.equal(read(b.fd), '')
  t.throws(() => a.write(Buffer.from('x')), errno('EPIPE', 'write'))
  t.throws(() => b.write(Buffer.from('x')), errno('EPIPE', 'write'))
})

test('shutdown needs a connection', (t) => {
  using kept = new Kept()
  const client = kept.one(Socket.connect({ port: silentPort(kept) }))
  outcome(client)
  t.throws(() => client.shutdown(), { ...errno('ENOTCONN', 'shutdown'), fd: client.fd })
})

test('setNoDelay', (t) => {
  using kept = new Kept()
  const [client] = tcpPair(kept)
  t.equal(client.getOption('TCP_NODELAY'), 0)
  client.setNoDelay()
  t.equal(client.getOption('TCP_NODELAY'), 1)
  client.setNoDelay(false)
  t.equal(client.getOption('TCP_NODELAY'), 0)
  client.setNoDelay(true)
  t.equal(client.getOption('TCP_NODELAY'), 1)
  const [unix] = kept.both(Socket.pair())
  t.throws(() => unix.setNoDelay(), errno('EOPNOTSUPP', 'setsockopt'))
})

test('address and peer are each other’s', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  t.same(client.address(), server.peer())
  t.same(server.address(), client.peer())
  server.close()
  poll(client.fd, EPOLLIN, PATIENCE_MS)
  t.match(client.peer() as IpAddress, { address: '127.0.0.1' }, 'the peer’s end is half an end')
})

test('everything of a closed socket says so', (t) => {
  const [a, b] = Socket.pair()
  b.close()
  a.close()
  const calls = [
    () => a.read(Buffer.alloc(1)),
    () => a.write(Buffer.alloc(1)),
    () => a.writev([]),
    () => a.connectError(),
    () => a.shutdown(),
    () => a.setNoDelay(),
    () => a.getOption('SO_TYPE'),
    () => a.setOption('SO_KEEPALIVE', 1),
    () => a.address(),
    () => a.peer(),
  ]
  for (const call of calls) t.throws(call, { name: 'ClosedError', code: 'ERR_CLOSED' })
})

const port = 1
/** An option of `connect` with what it can't be. */
const BAD_OPTIONS: Record<string, readonly Bad[]> = {
  port: [...bad.int32, [undefined, { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }]],
  localPort: bad.int32,
  host: bad.address.slice(0, 2),
  localAddress: bad.address.slice(0, 2),
  path: bad.address.slice(0, 2),
}

test('bad options are refused by name, and leave nothing open', (t) => {
  const connect = (options: unknown) => () => Socket.connect(options as never)
  for (const [option, values] of Object.entries(BAD_OPTIONS)) {
    for (const [value, expected] of values) {
      const options = { port, [option]: value }
      t.throws(connect(options), { ...expected, message: new RegExp(`"options.${option}"`) })
    }
  }
  for (const name of ['port', 'localPort']) {
    for (const value of [-1, 65536]) {
      const expected = { code: 'ERR_OUT_OF_RANGE', message: new RegExp(`"options.${name}"`) }
      t.throws(connect({ port, [name]: value }), expected)
    }
  }
  for (const name of ['host', 'localAddress']) {
    for (const value of ['', 'localhost', '127.1', '::1%']) {
      const expected = { code: 'ERR_INVALID_IP_ADDRESS', message: new RegExp(`"options.${name}"`) }
      t.throws(connect({ port, [name]: value }), expected)
    }
  }
  refuses(t, Socket.connect as never, [['options', 'object', { port }]])
})

test('bad arguments are refused by name', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  refuses(t, a.writev.bind(a) as never, [['buffers', 'buffers', []]])
  refuses(t, a.setNoDelay.bind(a) as never, [['on', 'boolean', true, 'optional']])
  refuses(t, a.setOption.bind(a, 'SO_KEEPALIVE') as never, [['value', 'int32', 1]])
  for (const how of ['', 'rd', 'READ', 'toString', 0, 2, null, ['read'], Object('read')]) {
    const expected = { name: 'TypeError', code: /^ERR_INVALID_ARG_(VALUE|TYPE)$/ }
    t.throws(() => a.shutdown(how as never), { ...expected, message: /"how"/ })
  }
  t.equal(read(b.fd), null, 'nothing was done')
})
