// What goes wrong on the way: each a typed error or a null, and nothing stays open.

import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, isErrno, Loop } from 'genpoll'
import { Listener, Socket, serve } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { fill, read, write } from './fixtures/kernel.js'
import { abstractName, accepted, Kept, outcome, portOf, tcpPair } from './fixtures/net.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'

const byte = Buffer.from('x')
const page = Buffer.alloc(65536)

/** Ends a connection with a reset, which has arrived at the other end when this returns. */
function reset(socket: Socket, peer: Socket): void {
  socket.setOption('SO_LINGER', 0)
  socket.close()
  while (!(poll(peer.fd, EPOLLIN, PATIENCE_MS) & EPOLLHUP));
}

test('a port, a path and a name in use', (t) => {
  using kept = new Kept()
  const path = `${kept.folder()}/socket`
  const name = abstractName()
  const port = portOf(kept.one(Listener.tcp()))
  for (const each of [path, name]) kept.one(Listener.unix(each))
  for (let tries = 0; tries < 100; tries++) {
    t.throws(() => Listener.tcp({ port }), errno('EADDRINUSE', 'bind'))
    t.throws(() => Listener.unix(path), errno('EADDRINUSE', 'bind'))
    t.throws(() => Listener.unix(name), errno('EADDRINUSE', 'bind'))
  }
})

test('an address that this machine does not have', (t) => {
  for (const host of ['198.51.100.1', '2001:db8::1']) {
    t.throws(() => Listener.tcp({ host }), errno('EADDRNOTAVAIL', 'bind'))
  }
  t.throws(() => Listener.tcp({ host: 'fe80::1%none' }), errno('ENODEV', 'bind'))
})

test('a path that can’t be', (t) => {
  using kept = new Kept()
  const folder = kept.folder()
  writeFileSync(`${folder}/file`, '')
  for (const [path, code] of [
    [`${folder}/none/socket`, 'ENOENT'],
    [`${folder}/file/socket`, 'ENOTDIR'],
    [`${folder}/${'x'.repeat(109)}`, 'ENAMETOOLONG'],
    [`${folder}/${'x'.repeat(5000)}`, 'ENAMETOOLONG'],
  ] as const) {
    t.throws(() => Listener.unix(path), errno(code, 'bind'))
    t.throws(() => Socket.connect({ path }), errno(code, 'connect'))
  }
  t.throws(() => Listener.unix(folder), errno('EADDRINUSE', 'bind'))
  t.throws(() => Socket.connect({ path: `${folder}/file` }), errno('ECONNREFUSED', 'connect'))
})

const child = fileURLToPath(new URL('fixtures/children/net-denied.mjs', import.meta.url))
const NOBODY = 65534
const isRoot = process.getuid!() === 0
const unprivileged = readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1')

/** Runs a child without privileges, and without what the test runner would have it do. */
function asNobody(...args: string[]) {
  const identity = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
  // A sanitized addon needs its own.
  const { LD_PRELOAD = '', ASAN_OPTIONS = '' } = process.env
  const env = { LD_PRELOAD, ASAN_OPTIONS }
  return spawnSync(process.execPath, args, { ...identity, env, encoding: 'utf8' })
}

function whyNotDenied(): string | false {
  if (Number(unprivileged) <= 1) return 'every port is for everybody here'
  if (asNobody('--check', child).status === 0) return false
  return 'somebody without privileges can’t run this package'
}

test(
  'without permission',
  (t) => {
    using kept = new Kept()
    const folder = kept.folder()
    const path = `${folder}/socket`
    kept.one(Listener.unix(path))
    chmodSync(folder, 0o555)
    chmodSync(path, 0o400)
    const { stdout } = asNobody(child, '1', folder, path)
    t.same(JSON.parse(stdout), ['EACCES bind', 'EACCES bind', 'EACCES connect'])
    chmodSync(folder, 0o755)
  },
  { skip: whyNotDenied() },
)

test('reset by the peer, found by a read: once, then the end', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  write(server.fd, 'unread')
  reset(client, server)
  t.equal(poll(server.fd, EPOLLIN) & (EPOLLERR | EPOLLHUP), EPOLLERR | EPOLLHUP)
  t.throws(() => server.read(page), { ...errno('ECONNRESET', 'read'), fd: server.fd })
  t.equal(server.read(page), 0)
  t.throws(() => server.write(byte), errno('EPIPE', 'write'))
})

test('reset by the peer, found by a write: once, then EPIPE', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  reset(client, server)
  t.throws(() => server.write(byte), { ...errno('ECONNRESET', 'write'), fd: server.fd })
  t.throws(() => server.write(byte), errno('EPIPE', 'write'))
  t.throws(() => server.writev([byte, byte]), errno('EPIPE', 'writev'))
  t.equal(server.read(page), 0)
})

test('reset by the peer, found by connectError', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  reset(client, server)
  t.match(server.connectError(), { code: 'ECONNRESET' })
  t.equal(server.connectError(), null)
  t.throws(() => server.peer(), errno('ENOTCONN', 'getpeername'))
  t.throws(() => server.shutdown(), errno('ENOTCONN', 'shutdown'))
})

test('reset in the middle of what is being read: what came before it is read first', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  client.write(page)
  poll(server.fd, EPOLLIN, PATIENCE_MS)
  t.equal(server.read(page, 0, 10), 10)
  reset(client, server)
  let count = 10
  const readOn = () => {
    for (let n = server.read(page); n !== 0; n = server.read(page)) count += n!
  }
  t.throws(readOn, errno('ECONNRESET', 'read'))
  t.ok(count > 10 && count <= page.length)
})

test('reset in the middle of what is being written', (t) => {
  using kept = new Kept()
  const [client, server] = tcpPair(kept)
  fill(server.fd)
  t.equal(server.write(page), null)
  reset(client, server)
  t.ok(poll(server.fd, EPOLLOUT) & EPOLLOUT, 'writable, to find out')
  t.throws(() => server.write(page), errno('ECONNRESET', 'write'))
})

test('a peer that closes with something unread resets', (t) => {
  using kept = new Kept()
  for (const [a, b] of [tcpPair(kept), kept.both(Socket.pair())]) {
    write(a.fd, 'unread')
    poll(b.fd, EPOLLIN, PATIENCE_MS)
    b.close()
    while (!(poll(a.fd, EPOLLIN, PATIENCE_MS) & EPOLLHUP));
    t.throws(() => a.read(page), errno('ECONNRESET', 'read'))
    t.equal(a.read(page), 0)
  }
})

test('EPIPE to a unix peer that is gone, at the first write', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  b.close()
  t.throws(() => a.write(byte), errno('EPIPE', 'write'))
  t.throws(() => a.writev([byte]), errno('EPIPE', 'writev'))
  t.equal(a.read(page), 0)
})

test('a connection that was reset while it waited is accepted, and tells then', (t) => {
  using kept = new Kept()
  const listener = kept.one(Listener.tcp())
  const port = portOf(listener)
  const first = Socket.connect({ port })
  t.equal(outcome(first), null)
  first.setOption('SO_LINGER', 0)
  first.close()
  const second = kept.one(Socket.connect({ port }))
  t.equal(outcome(second), null)
  write(second.fd, 'well')
  const lost = kept.one(accepted(listener))
  t.throws(() => lost.peer(), errno('ENOTCONN', 'getpeername'))
  t.throws(() => lost.read(page), errno('ECONNRESET', 'read'))
  t.equal(read(kept.one(accepted(listener)).fd), 'well', 'the next one is')
})

test('a unix connection that was closed while it waited', (t) => {
  using kept = new Kept()
  const path = abstractName()
  const listener = kept.one(Listener.unix(path))
  const client = Socket.connect({ path })
  client.write(Buffer.from('last words'))
  client.close()
  const server = kept.one(accepted(listener))
  t.equal(read(server.fd), 'last words')
  t.equal(read(server.fd), '')
  t.throws(() => server.write(byte), errno('EPIPE', 'write'))
})

test('a listener that is closed resets those that wait', (t) => {
  using kept = new Kept()
  const listener = Listener.tcp()
  const client = kept.one(Socket.connect({ port: portOf(listener) }))
  t.equal(outcome(client), null)
  listener.close()
  while (!(poll(client.fd, EPOLLIN, PATIENCE_MS) & EPOLLHUP));
  t.throws(() => client.read(page), errno('ECONNRESET', 'read'))
})

/** In this mode a connection is closed without a word to the peer. */
const TCP_REPAIR = 19
const repair = (fd: number) => sys.setsockopt(fd, sys.IPPROTO_TCP, TCP_REPAIR, 1)

function whyNoRepair(): string | false {
  using socket = Socket.adopt(sys.socket(sys.AF_INET, sys.SOCK_STREAM | sys.SOCK_CLOEXEC, 0))
  try {
    repair(socket.fd)
    return false
  } catch (error) {
    if (!isErrno(error)) throw error
    return `TCP_REPAIR: ${error.code}`
  }
}

test(
  'a peer that vanished without a word: found by the next write',
  (t) => {
    using kept = new Kept()
    const [client, server] = tcpPair(kept)
    repair(client.fd)
    client.close()
    t.equal(server.read(page), null, 'half-open')
    t.equal(server.write(byte), 1)
    while (!(poll(server.fd, EPOLLIN, PATIENCE_MS) & EPOLLHUP));
    t.throws(() => server.read(page), errno('ECONNRESET', 'read'))
  },
  { skip: whyNoRepair() },
)

test('a reset ends a connection of a server’s, and not the server', (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listener = kept.one(Listener.tcp())
  const port = portOf(listener)
  const told: string[] = []
  serve(loop, listener, (socket) => {
    kept.one(socket)
    loop.watch(socket, EPOLLIN, () => {
      try {
        told.push(read(socket.fd)!)
      } catch (error) {
        told.push(isErrno(error) ? error.code : `${error}`)
      }
      socket.close()
      loop.stop()
    })
  })
  for (const isReset of [true, false, true, false]) {
    const client = kept.one(Socket.connect({ port }))
    t.equal(outcome(client), null)
    if (isReset) client.setOption('SO_LINGER', 0)
    else write(client.fd, 'well')
    if (isReset) client.close()
    loop.run()
  }
  t.same(told, ['ECONNRESET', 'well', 'ECONNRESET', 'well'])
})

test('a new connection under the number of one that was closed in the same batch', (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listener = kept.one(Listener.tcp())
  const port = portOf(listener)
  const connect = () => {
    const client = kept.one(Socket.connect({ port }))
    return { client, server: kept.one(accepted(listener)) }
  }
  const old = [connect(), connect()]
  for (const { client } of old) write(client.fd, 'old')
  for (const { server } of old) poll(server.fd, EPOLLIN, PATIENCE_MS)
  const next = kept.one(Socket.connect({ port }))
  poll(listener.fd, EPOLLIN, PATIENCE_MS)
  const told: string[] = []
  for (const { server } of old) {
    loop.watch(server, EPOLLIN, (_, source) => {
      told.push('old')
      source.remove()
      const { server: other } = old.find((each) => each.server !== server)!
      const { fd } = other
      other.close()
      const recycled = kept.one(listener.accept()!)
      t.equal(recycled.fd, fd, 'it has its number')
      loop.watch(recycled, EPOLLIN, () => told.push(`new: ${read(recycled.fd)}`))
      other.close()
      t.notOk(recycled.closed, 'a second close is not its')
      t.throws(() => other.read(page), { code: 'ERR_CLOSED' })
    })
  }
  t.equal(loop.runOnce(0), 1)
  t.same(told, ['old'])
  write(next.fd, 'mine')
  loop.runOnce()
  t.same(told, ['old', 'new: mine'])
})
