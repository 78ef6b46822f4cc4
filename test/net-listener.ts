import { once } from 'node:events'
import { existsSync } from 'node:fs'
import net from 'node:net'
import { Fd } from 'genpoll'
import { type IpAddress, Listener, Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { bad, type Kind, refuses } from './fixtures/bad.js'
import { test } from './fixtures/check.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { Descriptors, read, write } from './fixtures/kernel.js'
import { abstractName, accepted, Kept, noIPv6, outcome, portOf } from './fixtures/net.js'
import { Partner } from './fixtures/partner.js'

const FLAGS = sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK
const INVALID_IP = { name: 'TypeError', code: 'ERR_INVALID_IP_ADDRESS' }

/** Asserts that what one end writes, the other one reads. */
function assertTalk(t: Test, a: Socket, b: Socket): void {
  write(a.fd, 'ping')
  t.equal(read(b.fd), 'ping')
  write(b.fd, 'pong')
  t.equal(read(a.fd), 'pong')
}

test('a TCP listener is at a free port of 127.0.0.1 unless told', (t) => {
  using kept = new Kept()
  const listener = kept.one(Listener.tcp())
  const address = listener.address() as IpAddress
  t.match(address, { family: 'IPv4', address: '127.0.0.1' })
  t.ok(address.port > 0)
  t.equal(listener.accept(), null, 'nobody is there')
  const client = kept.one(Socket.connect({ port: address.port }))
  const server = kept.one(accepted(listener))
  t.same(client.peer(), address)
  t.same(server.address(), address)
  t.same(server.peer(), client.address())
  assertTalk(t, client, server)
  t.equal(listener.accept(), null, 'nobody else')
})

test('a port is taken again at once, though old connections linger there', (t) => {
  using kept = new Kept()
  const first = Listener.tcp()
  const port = portOf(first)
  const client = kept.one(Socket.connect({ port }))
  accepted(first).close() // this end waits (TIME_WAIT)
  first.close()
  client.close()
  const second = kept.one(Listener.tcp({ port }))
  t.equal(portOf(second), port)
})

test(
  'IPv6, alone',
  (t) => {
    using kept = new Kept()
    const listener = kept.one(Listener.tcp({ host: '::1' }))
    const { port } = listener.address() as IpAddress
    t.same(listener.address(), { family: 'IPv6', address: '::1', port })
    const client = kept.one(Socket.connect({ host: '::1', port }))
    assertTalk(t, client, kept.one(accepted(listener)))
  },
  { skip: noIPv6 },
)

test(
  ':: takes both families',
  (t) => {
    using kept = new Kept()
    const listener = kept.one(Listener.tcp({ host: '::' }))
    t.equal(listener.getOption('IPV6_V6ONLY'), 0)
    const port = portOf(listener)
    const client = kept.one(Socket.connect({ host: '127.0.0.1', port }))
    const server = kept.one(accepted(listener))
    t.match(server.peer(), { family: 'IPv6', address: '::ffff:127.0.0.1' })
    assertTalk(t, client, server)
  },
  { skip: noIPv6 },
)

test(
  'ipv6Only leaves the IPv4 addresses alone',
  (t) => {
    using kept = new Kept()
    const six = kept.one(Listener.tcp({ host: '::', ipv6Only: true }))
    t.equal(six.getOption('IPV6_V6ONLY'), 1)
    const port = portOf(six)
    t.equal(outcome(kept.one(Socket.connect({ port })))?.code, 'ECONNREFUSED')
    const four = kept.one(Listener.tcp({ host: '0.0.0.0', port }))
    kept.one(Socket.connect({ port }))
    kept.one(accepted(four))
    t.equal(six.accept(), null)
  },
  { skip: noIPv6 },
)

test('ipv6Only says nothing of an IPv4 address', (t) => {
  using listener = Listener.tcp({ ipv6Only: true })
  t.match(listener.address(), { family: 'IPv4' })
})

test('with reusePort two share a port, and every connection comes to one of them', (t) => {
  using kept = new Kept()
  const first = kept.one(Listener.tcp({ reusePort: true }))
  const port = portOf(first)
  const second = kept.one(Listener.tcp({ port, reusePort: true }))
  t.equal(portOf(second), port)
  t.equal(first.getOption('SO_REUSEPORT'), 1)
  const clients = Array.from({ length: 64 }, () => kept.one(Socket.connect({ port })))
  for (const client of clients) t.equal(outcome(client), null)
  const counts = [first, second].map((listener) => {
    let count = 0
    for (let s = listener.accept(); s !== null; s = listener.accept(), count++) kept.one(s)
    return count
  })
  t.equal(counts[0]! + counts[1]!, 64)
  t.ok(counts[0]! > 0 && counts[1]! > 0, 'the kernel shares out')
})

test('the port of one that does not share is in use, for those that do as well', (t) => {
  using kept = new Kept()
  const plain = kept.one(Listener.tcp())
  const sharing = kept.one(Listener.tcp({ reusePort: true }))
  t.equal(plain.getOption('SO_REUSEPORT'), 0)
  const listen = (port: number, reusePort: boolean) => () => Listener.tcp({ port, reusePort })
  t.throws(listen(portOf(plain), false), errno('EADDRINUSE', 'bind'))
  t.throws(listen(portOf(plain), true), errno('EADDRINUSE', 'bind'))
  t.throws(listen(portOf(sharing), false), errno('EADDRINUSE', 'bind'))
})

test('backlog is how many may wait to be accepted', (t) => {
  using kept = new Kept()
  const path = abstractName()
  const listener = kept.one(Listener.unix(path, { backlog: 2 }))
  // The kernel takes one more than it is told.
  for (let i = 0; i < 3; i++) kept.one(Socket.connect({ path }))
  t.throws(() => Socket.connect({ path }), errno('EAGAIN', 'connect'))
  kept.one(listener.accept()!)
  kept.one(Socket.connect({ path }))
})

test('a backlog of many is cut to what the kernel allows', (t) => {
  using listener = Listener.tcp({ backlog: 2 ** 31 - 1 })
  t.ok(portOf(listener) > 0)
})

test('a unix listener at a path', (t) => {
  using kept = new Kept()
  const path = `${kept.folder()}/socket`
  const listener = kept.one(Listener.unix(path))
  t.same(listener.address(), { path })
  const client = kept.one(Socket.connect({ path }))
  const server = kept.one(accepted(listener))
  t.same(client.peer(), { path })
  t.same(server.peer(), { path: '' })
  assertTalk(t, client, server)
  listener.close()
  t.ok(existsSync(path), 'its file stays')
  t.throws(() => Listener.unix(path), errno('EADDRINUSE', 'bind'))
  t.throws(() => Socket.connect({ path }), errno('ECONNREFUSED', 'connect'))
})

test('a unix listener at an abstract name, which goes with it', (t) => {
  using kept = new Kept()
  const path = abstractName()
  const listener = kept.one(Listener.unix(path))
  t.throws(() => Listener.unix(path), errno('EADDRINUSE', 'bind'))
  const client = kept.one(Socket.connect({ path }))
  assertTalk(t, client, kept.one(accepted(listener)))
  listener.close()
  kept.one(Listener.unix(path))
})

test('Node’s own clients are accepted, and its servers connected to', async (t) => {
  using kept = new Kept()
  const listener = kept.one(Listener.tcp())
  const client = net.connect(portOf(listener), '127.0.0.1')
  await once(client, 'connect')
  const server = kept.one(accepted(listener))
  write(server.fd, 'hello')
  t.equal(String((await once(client, 'data'))[0]), 'hello')
  client.destroy()
  await once(client, 'close')
})

test('adopt takes over what listens already, and its waiting connections', (t) => {
  using kept = new Kept()
  const fd = sys.socket(sys.AF_INET, sys.SOCK_STREAM | FLAGS, 0)
  sys.listen(fd, 4)
  const { port } = sys.getsockname(fd) as IpAddress
  const client = kept.one(Socket.connect({ port }))
  const listener = kept.one(Listener.adopt(fd))
  t.equal(listener.fd, fd)
  assertTalk(t, client, kept.one(accepted(listener)))
})

test('adopt takes seqpacket, and nothing that does not have connections', (t) => {
  using fds = new Descriptors()
  const path = abstractName()
  const packets = sys.socket(sys.AF_UNIX, sys.SOCK_SEQPACKET | FLAGS, 0)
  sys.bind(packets, { path })
  sys.listen(packets, 1)
  using listener = Listener.adopt(packets)
  const client = fds.own(sys.socket(sys.AF_UNIX, sys.SOCK_SEQPACKET | FLAGS, 0))
  sys.connect(client, { path })
  using server = accepted(listener)
  t.equal(server.getOption('SO_TYPE'), sys.SOCK_SEQPACKET)
  const datagrams = fds.own(sys.socket(sys.AF_INET, sys.SOCK_DGRAM | FLAGS, 0))
  t.throws(() => Listener.adopt(datagrams), { ...errno('EPROTOTYPE', 'adopt'), fd: datagrams })
  t.throws(() => Listener.adopt(fds.eventfd()), errno('ENOTSOCK', 'getsockopt'))
  t.throws(() => Listener.adopt(NOT_OPEN), errno('EBADF', 'getsockopt'))
  t.throws(() => Listener.adopt(packets), errno('EEXIST', 'adopt'))
})

test('adopt takes nothing that does not listen', (t) => {
  using fds = new Descriptors()
  const fd = fds.own(sys.socket(sys.AF_INET, sys.SOCK_STREAM | FLAGS, 0))
  t.throws(() => Listener.adopt(fd), { ...errno('EINVAL', 'adopt'), fd })
  t.throws(() => Listener.adopt(fds.pair()[0]), errno('EINVAL', 'adopt'))
})

test('what does not listen any more', (t) => {
  using listener = Listener.tcp()
  sys.shutdown(listener.fd, sys.SHUT_RD)
  t.throws(() => listener.accept(), { ...errno('EINVAL', 'accept4'), fd: listener.fd })
  t.equal(listener.exhaustion, null)
})

test('a listener is handed over to another thread', async (t) => {
  await using partner = await Partner.start()
  using kept = new Kept()
  const listener = kept.one(Listener.tcp())
  const port = portOf(listener)
  const number = listener.release()
  t.throws(() => listener.accept(), { name: 'ClosedError', code: 'ERR_CLOSED' })
  kept.one(Socket.connect({ port }))
  partner.make(['close', number])
  const again = kept.one(Socket.connect({ port }))
  t.equal(outcome(again)?.code, 'ECONNREFUSED')
})

test('a dup of a listener accepts the same connections', (t) => {
  using kept = new Kept()
  const listener = kept.one(Listener.tcp())
  const port = portOf(listener)
  const other = kept.one(Listener.adopt(listener.dup().release()))
  listener.close()
  const client = kept.one(Socket.connect({ port }))
  assertTalk(t, client, kept.one(accepted(other)))
})

test('everything of a closed listener says so', (t) => {
  const listener = Listener.tcp()
  listener.close()
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.throws(() => listener.accept(), closed)
  t.throws(() => listener.address(), closed)
  t.throws(() => listener.getOption('SO_TYPE'), closed)
  t.throws(() => listener.setOption('SO_KEEPALIVE', 1), closed)
  t.equal(listener.exhaustion, null)
})

const PORTS: readonly unknown[] = [-1, 65536, 0.5, NaN, Infinity]

test('bad options are refused by name, before anything is opened', (t) => {
  const listen = (options: unknown) => () => Listener.tcp(options as never)
  for (const [option, kind] of [
    ['port', 'int32'],
    ['backlog', 'int32'],
    ['reusePort', 'boolean'],
    ['ipv6Only', 'boolean'],
  ] as [string, Kind][]) {
    for (const [value, expected] of bad[kind]) {
      const message = new RegExp(`"options.${option}"`)
      t.throws(listen({ [option]: value }), { ...expected, message })
    }
  }
  for (const port of PORTS) {
    t.throws(listen({ port }), { name: 'RangeError', message: /"options.port"/ })
  }
  for (const backlog of [-1, 2 ** 31]) {
    t.throws(listen({ backlog }), { name: 'RangeError', message: /"options.backlog"/ })
    t.throws(() => Listener.unix(abstractName(), { backlog }), { name: 'RangeError' })
  }
  for (const host of [null, 0, {}, ['127.0.0.1']]) {
    t.throws(listen({ host }), { code: 'ERR_INVALID_ARG_TYPE', message: /"options.host"/ })
  }
  for (const host of ['', 'localhost', '127.0.0.1:80', '*', '127.1']) {
    t.throws(listen({ host }), { ...INVALID_IP, message: /"options.host"/ })
  }
  refuses(t, Listener.tcp as never, [['options', 'object', {}, 'optional']])
  refuses(t, Listener.adopt as never, [['fd', 'int32', NOT_OPEN]])
})

test('a bad path is refused by its name', (t) => {
  const listen = (path: unknown, options?: unknown) => () =>
    Listener.unix(path as string, options as never)
  for (const path of [undefined, null, 0, {}, ['a'], Buffer.from('a')]) {
    t.throws(listen(path), { code: 'ERR_INVALID_ARG_TYPE', message: /"path"/ })
  }
  // Of '' the kernel makes a name of its own, which nobody would look for.
  for (const path of ['a\0b', '']) {
    t.throws(listen(path), { code: 'ERR_INVALID_ARG_VALUE', message: /"path"/ })
  }
  t.throws(listen(abstractName(), null), { code: 'ERR_INVALID_ARG_TYPE', message: /"options"/ })
})

test('a listener is an owned descriptor, and no stream of bytes', (t) => {
  using listener = Listener.tcp()
  t.notOk(listener instanceof Fd)
  t.throws(() => Fd.adopt(listener.fd), errno('EEXIST', 'adopt'))
})
