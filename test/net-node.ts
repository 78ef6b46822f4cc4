import { fork, spawn } from 'node:child_process'
import dgram from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import { createReadStream, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { EPOLLIN, EPOLLOUT, EPOLLRDHUP, EventFd, Loop, sameFile } from 'genpoll'
import { fdOf, Listener, Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'
import { ready } from './fixtures/descriptors.js'
import { abstractName, Kept, soon } from './fixtures/net.js'

const NONE = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
const NOT_OPEN = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }
const buffer = Buffer.alloc(64)

/** What a request is answered with, and its headers. */
async function get(options: http.RequestOptions): Promise<string> {
  const request = http.get(options)
  const [response] = await once(request, 'response')
  return text(response)
}

/** A server of node:http that is given its connections. */
function fed(): http.Server {
  return http.createServer((request, response) => {
    response.end(`${request.method} ${request.url}`)
  })
}

test('an accepted connection is handed to node:http', async (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listener = kept.one(Listener.tcp())
  const server = fed()
  loop.watch(listener, EPOLLIN, () => {
    for (let it = listener.accept(); it !== null; it = listener.accept()) {
      server.emit('connection', new net.Socket({ fd: it.release() }))
    }
  })
  loop.start()
  const { port } = listener.address() as net.AddressInfo
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const paths = ['/a', '/b', '/c']
  const answers = await Promise.all(paths.map((path) => get({ port, path, agent })))
  t.same(answers, ['GET /a', 'GET /b', 'GET /c'])
  t.equal(await get({ port, path: '/alone', agent: false }), 'GET /alone')
  agent.destroy()
})

test('and one that was received through a unix socket', async (t) => {
  using kept = new Kept()
  const path = `${kept.folder()}/socket`
  const listener = kept.one(Listener.unix(path))
  const [a, b] = kept.both(Socket.pair())
  const client = net.connect({ path })
  await once(client, 'connect')
  const accepted = soon(listener.fd, () => listener.accept())
  a.sendFds([accepted])
  accepted.close()
  const [received] = b.recvFds(buffer)!.fds
  const server = new net.Socket({ fd: received!.release() })
  server.end('from Node')
  t.equal(await text(client), 'from Node')
  server.resume()
  await once(server, 'close')
})

test('an abstract name of Node’s, which fills it up with NULs before libuv 1.47', async (t) => {
  using kept = new Kept()
  const server = net.createServer((socket) => socket.end('welcome')).listen(abstractName())
  await once(server, 'listening')
  kept.one({ [Symbol.dispose]: () => server.close() })
  const client = kept.one(Socket.connect(sys.getsockname(fdOf(server)) as { path: string }))
  await once(server, 'connection')
  t.equal(
    soon(client.fd, () => client.read(buffer)),
    7,
  )
})

test('a FileHandle', async (t) => {
  const file = await open('/dev/null')
  t.equal(fdOf(file), file.fd)
  await file.close()
  t.throws(() => fdOf(file), NOT_OPEN)
})

test('a stream of a file', async (t) => {
  const stream = createReadStream('/dev/null')
  t.throws(() => fdOf(stream), NOT_OPEN)
  const [fd] = await once(stream, 'open')
  t.equal(fdOf(stream), fd)
  stream.destroy()
  await once(stream, 'close')
  t.throws(() => fdOf(stream), NOT_OPEN)
})

test('net.Server and net.Socket', async (t) => {
  const server = net.createServer()
  t.throws(() => fdOf(server), NOT_OPEN)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  t.same(sys.getsockname(fdOf(server)), { family: 'IPv4', address: '127.0.0.1', port })
  const unconnected = new net.Socket()
  t.throws(() => fdOf(unconnected), NOT_OPEN)
  const client = net.connect(port, '127.0.0.1')
  const [peer] = await once(server, 'connection')
  t.same(sys.getpeername(fdOf(client)), server.address())
  t.same(sys.getsockname(fdOf(peer)), server.address())
  client.destroy()
  peer.destroy()
  server.close()
  await Promise.all([client, peer, server].map((each) => once(each, 'close')))
  for (const each of [server, client, peer]) t.throws(() => fdOf(each), NOT_OPEN)
})

test('http.Server, and the socket of a request', async (t) => {
  const server = fed().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as net.AddressInfo
  t.same(sys.getsockname(fdOf(server)), address)
  const answer = get({ port: address.port, agent: false })
  const [request] = await once(server, 'request')
  t.same(sys.getsockname(fdOf(request.socket)), address)
  await answer
  server.close()
  await once(server, 'close')
})

test('dgram.Socket', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  const socket = dgram.createSocket('udp4')
  t.throws(() => fdOf(socket), NOT_OPEN)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.same(sys.getsockname(fdOf(socket)), socket.address())
  socket.close()
  await once(socket, 'close')
  t.throws(() => fdOf(socket), NOT_OPEN)
  await new Promise(setImmediate)
  process.off('warning', note)
  t.same(warnings, [], 'no deprecation')
})

test('a child’s stdin, stdout and stderr', async (t) => {
  const child = spawn('sh', ['-c', 'read _; echo out; echo err >&2; read _'], { stdio: 'pipe' })
  const { stdin, stdout, stderr } = child
  const fds = [stdin, stdout, stderr].map(fdOf)
  t.equal(new Set(fds).size, 3)
  for (const fd of fds) t.match(sys.getsockname(fd), { path: '' })
  using loop = new Loop()
  const seen = new Set<number>()
  for (const fd of fds.slice(1)) {
    loop.watch(fd, EPOLLIN, (_, source) => {
      seen.add(source.fd)
      source.remove()
    })
  }
  stdin.write('\n')
  // Without a turn of Node's loop, in which Node would read it.
  while (seen.size < 2) loop.runOnce()
  stdin.end('\n')
  t.same(await Promise.all([text(stdout), text(stderr)]), ['out\n', 'err\n'])
  if (child.exitCode === null) await once(child, 'exit')
  for (const each of [stdin, stdout, stderr]) t.throws(() => fdOf(each), NOT_OPEN)
})

test('the standard streams of a process, whatever they are', async (t) => {
  const path = fileURLToPath(new URL('fixtures/children/stdio-numbers.mjs', import.meta.url))
  const [reading, writing] = sys.pipe2(sys.O_CLOEXEC)
  const pty = spawn(compile('pty'), { stdio: [reading, 'pipe', 'inherit'] })
  const [line] = await once(pty.stdio[1]!, 'data')
  const terminal = openSync(String(line).trim(), 'r+')
  for (const stdio of ['pipe', 'ignore', terminal] as const) {
    const child = fork(path, { execArgv: [], stdio: [stdio, stdio, stdio, 'ipc'] })
    t.same((await once(child, 'message'))[0], [0, 1, 2], String(stdio))
    if (child.exitCode === null) await once(child, 'exit')
  }
  for (const fd of [reading, writing, terminal]) sys.close(fd)
  if (pty.exitCode === null) await once(pty, 'exit')
})

test('genpoll’s own', (t) => {
  const bell = new EventFd()
  t.equal(fdOf(bell), bell.fd)
  bell.close()
  t.throws(() => fdOf(bell), { name: 'ClosedError' })
})

test('what has no descriptor', (t) => {
  const { port1, port2 } = new MessageChannel()
  const objects = [{}, [], new EventEmitter(), new PassThrough(), new Date(0), buffer, port1]
  for (const object of objects) t.throws(() => fdOf(object), NONE)
  for (const value of [null, undefined, 0, 1n, '1', true, Symbol('fd'), () => 1]) {
    t.throws(() => fdOf(value as unknown as object), NONE)
  }
  for (const fd of [-1, NaN, null, '1']) t.throws(() => fdOf({ fd }), NOT_OPEN)
  for (const _handle of [null, {}, { fd: -1 }]) t.throws(() => fdOf({ _handle }), NOT_OPEN)
  port1.close()
  port2.close()
})

test('a net.Server is watched beside Node, which accepts all the same', async (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const server = net.createServer((socket) => socket.end('welcome')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const seen: number[] = []
  const source = loop.watch(fdOf(server), EPOLLIN, (events) => seen.push(events))
  const first = kept.one(Socket.connect({ port }))
  // Without a turn of Node's loop, in which Node would accept it.
  t.equal(loop.runOnce(), 1)
  t.same(seen, [EPOLLIN])
  loop.start()
  const answers = Array.from({ length: 20 }, () => text(net.connect(port, '127.0.0.1')))
  t.same(await Promise.all(answers), new Array(20).fill('welcome'))
  t.equal(
    soon(first.fd, () => first.read(buffer)),
    7,
  )
  t.equal(
    seen.every((events) => events === EPOLLIN),
    true,
  )
  first.close()
  server.close()
  await once(server, 'close')
  t.equal(source.verify(), 'closed')
  t.equal(source.active, false)
})

test('a net.Socket is watched beside Node, which reads all the same', async (t) => {
  using loop = new Loop()
  loop.start()
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [peer] = await once(server, 'connection')
  const heard = text(peer)
  t.equal(await loop.ready(fdOf(peer), EPOLLOUT), EPOLLOUT)
  const ended = loop.ready(fdOf(peer), EPOLLRDHUP)
  client.end('to Node')
  t.equal(await heard, 'to Node')
  t.equal(await ended, EPOLLRDHUP)
  peer.end()
  server.close()
  await once(server, 'close')
})

/** A file under a number that Node has just closed. */
function recycled(kept: Kept, fd: number): EventFd {
  for (let tries = 0; tries < 100; tries++) {
    const bell = kept.one(ready())
    if (bell.fd === fd) return bell
  }
  throw new Error(`${fd} isn't free`)
}

for (const isHeld of [false, true]) {
  const how = isHeld ? 'while a dup holds it open' : 'for good'
  test(`Node closes a net.Socket under the watch, ${how}`, async (t) => {
    using kept = new Kept()
    const loop = kept.one(new Loop())
    const listener = kept.one(Listener.tcp())
    const { port } = listener.address() as net.AddressInfo
    const client = net.connect(port, '127.0.0.1')
    await once(client, 'connect')
    const peer = kept.one(soon(listener.fd, () => listener.accept()))
    const fd = fdOf(client)
    const held = isHeld ? sys.dup(fd) : -1
    const source = loop.watch(fd, EPOLLIN, () => t.fail('it heard of a stranger'))
    client.destroy()
    await once(client, 'close')
    const bell = recycled(kept, fd)
    t.equal(sameFile(bell.fd, fd), true)
    peer.write(Buffer.from('late'))
    let rings = 0
    loop.watch(bell, EPOLLIN, () => rings++)
    for (let i = 0; i < 5; i++) loop.runOnce(0)
    t.equal(rings, 5)
    t.equal(source.active, false)
    if (isHeld) sys.close(held)
  })
}
