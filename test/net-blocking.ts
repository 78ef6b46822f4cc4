// Sockets that were adopted and block: what comes and goes as messages doesn't wait on them either.

import { Datagram, DatagramBatch, Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { pipe } from './fixtures/descriptors.js'
import { Kept, soon } from './fixtures/net.js'

const { AF_INET, AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } = sys
const buffer = Buffer.alloc(64)

function blocks({ fd }: { fd: number }): boolean {
  return (sys.fcntl_getfl(fd) & sys.O_NONBLOCK) === 0
}

/** A UDP socket that sends to itself. */
function udp(kept: Kept): Datagram {
  const fd = sys.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  const socket = kept.one(Datagram.adopt(fd))
  sys.bind(fd, { address: '127.0.0.1', port: 0 })
  socket.connect(socket.address())
  return socket
}

function datagrams(kept: Kept): [Datagram, Datagram] {
  const [a, b] = sys.socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  return kept.both([Datagram.adopt(a), Datagram.adopt(b)])
}

function streams(kept: Kept): [Socket, Socket] {
  const [a, b] = sys.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
  return kept.both([Socket.adopt(a), Socket.adopt(b)])
}

test('recv of nothing is null', (t) => {
  using kept = new Kept()
  const socket = udp(kept)
  t.equal(blocks(socket), true)
  t.equal(socket.recv(buffer), null)
  socket.send(Buffer.from('one'))
  t.equal(soon(socket.fd, () => socket.recv(buffer)).count, 3)
  t.equal(socket.recv(buffer), null)
})

test('recvBatch is what is there', (t) => {
  using kept = new Kept()
  const socket = udp(kept)
  const batch = new DatagramBatch({ capacity: 8 })
  t.equal(socket.recvBatch(batch), null)
  for (const text of ['one', 'two', 'three']) socket.send(Buffer.from(text))
  t.equal(
    soon(socket.fd, () => socket.recvBatch(batch)),
    3,
  )
  t.same(
    [0, 1, 2].map((i) => `${batch.message(i)}`),
    ['one', 'two', 'three'],
  )
  t.equal(socket.recvBatch(batch), null)
})

test('send without room is null', (t) => {
  using kept = new Kept()
  const [a, b] = datagrams(kept)
  t.equal(blocks(a), true)
  let count = 0
  while (count < 10_000 && a.send(buffer) !== null) count++
  t.ok(count > 0 && count < 10_000, `${count}`)
  b.recv(buffer)
  t.equal(a.send(buffer), 64, 'there is room again')
})

test('sendBatch is what there is room for', (t) => {
  using kept = new Kept()
  const [a, b] = datagrams(kept)
  const batch = new DatagramBatch({ capacity: 1024, size: 4 })
  while (batch.length < batch.capacity) batch.push(Buffer.from('many'))
  const sent = a.sendBatch(batch)!
  t.ok(sent > 0 && sent < 1024, `${sent}`)
  t.equal(a.sendBatch(batch, sent), null)
  t.equal(b.recvBatch(new DatagramBatch({ capacity: 1024 })), sent)
})

test('recvFds of nothing is null', (t) => {
  using kept = new Kept()
  const [a, b] = streams(kept)
  t.equal(blocks(b), true)
  t.equal(b.recvFds(buffer), null)
  a.sendFds([a], Buffer.from('one'))
  const { count, fds } = b.recvFds(buffer)!
  t.same([count, fds.length], [3, 1])
  for (const fd of fds) fd.close()
})

test('sendFds without room is null, and the descriptors stay', (t) => {
  using kept = new Kept()
  const [a] = streams(kept)
  const [reading] = kept.both(pipe())
  const page = Buffer.alloc(65536)
  let count = 0
  while (count < 1000 && a.sendFds([], page) !== null) count++
  t.ok(count > 0 && count < 1000, `${count}`)
  t.equal(a.sendFds([reading], page), null)
  t.equal(reading.closed, false)
})
