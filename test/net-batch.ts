import dgram from 'node:dgram'
import { once } from 'node:events'
import { EPOLLERR, EPOLLIN, Loop } from 'genpoll'
import { Datagram, DatagramBatch } from 'genpoll/net'
import { type Bad, bad } from './fixtures/bad.js'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { abstractName, Kept, soon } from './fixtures/net.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'

const RANGE = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }

function texts(batch: DatagramBatch): string[] {
  return Array.from({ length: batch.length }, (_, i) => Buffer.from(batch.message(i)).toString())
}

function filled(count: number, address?: { address: string; port: number }): DatagramBatch {
  const batch = new DatagramBatch({ capacity: Math.max(count, 1) })
  for (let i = 0; i < count; i++) batch.push(Buffer.from(`number ${i}`), address)
  return batch
}

function portOf(socket: Datagram): { address: string; port: number } {
  return socket.address() as { address: string; port: number }
}

test('a batch takes 64 datagrams of 2,048 bytes, unless told', (t) => {
  const batch = new DatagramBatch()
  t.match(batch, { capacity: 64, size: 2048, length: 0 })
  t.match(new DatagramBatch({ capacity: 1, size: 1 }), { capacity: 1, size: 1, length: 0 })
  t.match(new DatagramBatch({ capacity: 1024, size: 65535 }), { capacity: 1024, size: 65535 })
})

test('capacities and sizes that can’t be', (t) => {
  const wrong: Bad[] = [...bad.int32, [0, RANGE], [-1, RANGE]]
  for (const [value, expected] of [...wrong, [1025, RANGE] as const]) {
    t.throws(() => new DatagramBatch({ capacity: value as number }), expected)
  }
  for (const [value, expected] of [...wrong, [65536, RANGE] as const]) {
    t.throws(() => new DatagramBatch({ size: value as number }), expected)
  }
  for (const [value, expected] of bad.object) {
    if (typeof value !== 'function') t.throws(() => new DatagramBatch(value as object), expected)
  }
})

test('what is pushed can be looked at', (t) => {
  const batch = new DatagramBatch({ capacity: 4, size: 8 })
  const address = { family: 'IPv4', address: '127.0.0.1', port: 53 } as const
  t.equal(batch.push(Buffer.from('four'), address), batch)
  batch.push(new Uint8Array(0)).push(Buffer.from('six'), { address: '::1', port: 65535 })
  batch.push(Buffer.from('12345678'), { path: '/run/a' })
  t.equal(batch.length, 4)
  t.same(texts(batch), ['four', '', 'six', '12345678'])
  t.same(
    [0, 1, 2, 3].map((i) => batch.address(i)),
    [address, null, { family: 'IPv6', address: '::1', port: 65535 }, { path: '/run/a' }],
  )
  t.same(
    [0, 1, 2, 3].map((i) => batch.byteLength(i)),
    [4, 0, 3, 8],
  )
  t.equal(batch.isTruncated(3), false)
})

test('a batch that is full, and a datagram that is too long', (t) => {
  const batch = new DatagramBatch({ capacity: 1, size: 4 })
  t.throws(() => batch.push(new Uint8Array(5)), RANGE)
  t.equal(batch.length, 0)
  batch.push(new Uint8Array(4))
  t.throws(() => batch.push(new Uint8Array(1)), RANGE)
  t.equal(batch.length, 1)
})

test('what isn’t a datagram isn’t pushed', (t) => {
  const batch = new DatagramBatch()
  const wrong = [...bad.buffer, [new Uint16Array(2), { name: 'TypeError' }] as const]
  for (const [value, expected] of wrong) {
    t.throws(() => batch.push(value as Uint8Array), expected)
  }
  const data = Buffer.from('data')
  const address = { address: 'localhost', port: 1 }
  t.throws(() => batch.push(data, address), { code: 'ERR_INVALID_IP_ADDRESS' })
  t.throws(() => batch.push(data, null as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => batch.push(data, { path: 'x'.repeat(109) }), errno('ENAMETOOLONG', 'sendmmsg'))
  t.equal(batch.length, 0)
})

test('there is nothing beyond what is in it', (t) => {
  const batch = filled(2)
  const wrong: Bad[] = [...bad.int32, [-1, RANGE], [2, RANGE]]
  for (const [value, expected] of wrong) {
    const index = value as number
    t.throws(() => batch.message(index), expected)
    t.throws(() => batch.address(index), expected)
    t.throws(() => batch.byteLength(index), expected)
    t.throws(() => batch.isTruncated(index), expected)
    t.throws(() => batch.truncate(index, 0), expected)
  }
})

test('a datagram is made shorter, not longer', (t) => {
  const batch = filled(2)
  batch.truncate(0, 3)
  t.same(texts(batch), ['num', 'number 1'])
  t.throws(() => batch.truncate(0, 4), RANGE)
  t.throws(() => batch.truncate(1, -1), RANGE)
  batch.truncate(0, 0)
  t.same(texts(batch), ['', 'number 1'])
})

test('a batch goes and comes in one call each', (t) => {
  using a = Datagram.udp()
  using b = Datagram.udp()
  t.equal(a.sendBatch(filled(10, portOf(b))), 10)
  const batch = new DatagramBatch()
  t.equal(
    soon(b.fd, () => b.recvBatch(batch)),
    10,
  )
  t.equal(batch.length, 10)
  t.same(texts(batch), texts(filled(10)))
  t.same(batch.address(9), a.address())
  t.equal(batch.isTruncated(9), false)
  t.equal(b.recvBatch(batch), null)
  t.equal(batch.length, 0)
})

test('what doesn’t fit waits for the next call', (t) => {
  using a = Datagram.udp()
  a.connect(a.address())
  a.sendBatch(filled(5))
  const batch = new DatagramBatch({ capacity: 3 })
  t.equal(a.recvBatch(batch), 3)
  t.same(texts(batch), ['number 0', 'number 1', 'number 2'])
  t.equal(a.recvBatch(batch), 2)
  t.same(texts(batch), ['number 3', 'number 4'])
  t.throws(() => batch.message(2), RANGE)
})

test('a batch that was received is sent back as it is', (t) => {
  using kept = new Kept()
  const echo = kept.one(Datagram.udp())
  const clients = Array.from({ length: 5 }, () => kept.one(Datagram.udp()))
  clients.forEach((client, i) => {
    client.send(Buffer.from(`from ${i}`), echo.address())
  })
  const batch = new DatagramBatch()
  t.equal(
    soon(echo.fd, () => echo.recvBatch(batch)),
    5,
  )
  batch.truncate(0, 4)
  t.equal(echo.sendBatch(batch), 5)
  const buffer = Buffer.alloc(16)
  const answers = clients.map((client) => {
    const { count } = soon(client.fd, () => client.recv(buffer))
    return buffer.toString('latin1', 0, count)
  })
  t.same(answers, ['from', 'from 1', 'from 2', 'from 3', 'from 4'])
})

test('what is longer than the batch’s size is truncated', (t) => {
  using socket = Datagram.udp()
  for (const text of ['123', '1234', '12345', '']) {
    socket.send(Buffer.from(text), socket.address())
  }
  const batch = new DatagramBatch({ capacity: 8, size: 4 })
  t.equal(socket.recvBatch(batch), 4)
  t.same(texts(batch), ['123', '1234', '1234', ''])
  t.same(
    [0, 1, 2, 3].map((i) => batch.isTruncated(i)),
    [false, false, true, false],
  )
  batch.length = 2
  batch.push(Buffer.from('new'))
  t.equal(batch.isTruncated(2), false)
})

test('datagrams of 65,507 bytes', (t) => {
  using socket = Datagram.udp()
  const batch = new DatagramBatch({ capacity: 2, size: 65535 })
  const data = Buffer.alloc(65507, 'largest')
  batch.push(data, portOf(socket)).push(Buffer.from('small'), portOf(socket))
  t.equal(socket.sendBatch(batch), 2)
  t.equal(socket.recvBatch(batch), 2)
  t.ok(Buffer.from(batch.message(0)).equals(data))
  t.equal(Buffer.from(batch.message(1)).toString(), 'small')
})

test('1,024 datagrams at once', (t) => {
  using kept = new Kept()
  const socket = kept.one(Datagram.udp())
  socket.setOption('SO_RCVBUF', 1 << 22)
  socket.connect(socket.address())
  const batch = new DatagramBatch({ capacity: 1024, size: 4 })
  for (let i = 0; i < 1024; i++) batch.push(Buffer.of(i & 255, i >> 8))
  let sent = 0
  let received = 0
  const incoming = new DatagramBatch({ capacity: 1024, size: 4 })
  while (sent < 1024) {
    const count = socket.sendBatch(batch, sent)
    if (count === null) throw new Error('it would block')
    sent += count
  }
  for (let n = socket.recvBatch(incoming); n !== null; n = socket.recvBatch(incoming)) {
    for (let i = 0; i < n; i++, received++) {
      const [low, high] = incoming.message(i)
      if (low! + 256 * high! !== received) throw new Error(`the order of ${received}`)
    }
  }
  // What the kernel has no room for it drops.
  t.ok(received > 64)
})

test('a batch that is sent in parts', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Datagram.pair())
  const batch = filled(1000)
  const first = a.sendBatch(batch)!
  t.ok(first > 0 && first < 1000)
  t.equal(a.sendBatch(batch, first), null)
  const all: string[] = []
  const incoming = new DatagramBatch()
  for (let sent = first; all.length < 1000; sent += a.sendBatch(batch, sent)!) {
    t.ok(b.recvBatch(incoming)! > 0)
    all.push(...texts(incoming))
  }
  t.same(all, texts(batch))
  t.equal(b.recvBatch(incoming), null)
})

test('sent from one of them on', (t) => {
  using socket = Datagram.udp()
  const batch = filled(4, portOf(socket))
  const incoming = new DatagramBatch()
  t.equal(socket.sendBatch(batch, 3), 1)
  t.equal(socket.recvBatch(incoming), 1)
  t.same(texts(incoming), ['number 3'])
  t.equal(socket.sendBatch(batch, 4), 0)
  t.equal(socket.sendBatch(filled(0)), 0)
  const wrong: Bad[] = [...bad.int32, [-1, RANGE], [5, RANGE]]
  for (const [value, expected] of wrong.filter(([value]) => value !== undefined)) {
    t.throws(() => socket.sendBatch(batch, value as number), expected)
  }
  t.equal(socket.recvBatch(incoming), null)
})

test('a datagram without an address among others', (t) => {
  using socket = Datagram.udp()
  const batch = new DatagramBatch()
  batch.push(Buffer.from('one'), portOf(socket)).push(Buffer.from('lost'))
  batch.push(Buffer.from('two'), portOf(socket))
  t.equal(socket.sendBatch(batch), 1)
  t.throws(() => socket.sendBatch(batch, 1), errno('EDESTADDRREQ', 'sendmmsg'))
  t.equal(socket.sendBatch(batch, 2), 1)
  t.equal(socket.recvBatch(batch), 2)
  t.same(texts(batch), ['one', 'two'])
})

test('datagrams that came back are an error of the next call, once', (t) => {
  using a = Datagram.udp()
  const gone = Datagram.udp()
  a.connect(gone.address())
  gone.close()
  const batch = filled(1)
  t.equal(a.sendBatch(batch), 1)
  t.equal(poll(a.fd, 0, PATIENCE_MS), EPOLLERR)
  t.throws(() => a.recvBatch(batch), errno('ECONNREFUSED', 'recvmmsg'))
  t.equal(batch.length, 0)
  t.equal(a.recvBatch(batch), null)
  batch.push(Buffer.from('again'))
  t.equal(a.sendBatch(batch), 1)
  t.equal(poll(a.fd, 0, PATIENCE_MS), EPOLLERR)
  t.throws(() => a.sendBatch(batch), errno('ECONNREFUSED', 'sendmmsg'))
})

test('batches between unix sockets: paths, abstract names, and none', (t) => {
  using kept = new Kept()
  const server = kept.one(Datagram.unix(`${kept.folder()}/server`))
  const named = kept.one(Datagram.unix(abstractName()))
  const nobody = kept.one(Datagram.unix())
  for (const client of [named, nobody]) client.send(Buffer.from('hello'), server.address())
  const batch = new DatagramBatch({ capacity: 2 })
  t.equal(server.recvBatch(batch), 2)
  t.same([batch.address(0), batch.address(1)], [named.address(), null])
  t.equal(server.sendBatch(batch), 1)
  t.throws(() => server.sendBatch(batch, 1), errno('ENOTCONN', 'sendmmsg'))
  t.equal(named.recvBatch(batch), 1)
  t.same(batch.address(0), server.address())
})

test('a path of 108 bytes comes back whole', (t) => {
  using kept = new Kept()
  const folder = kept.folder()
  const path = `${folder}/${'x'.repeat(107 - folder.length)}`
  const socket = kept.one(Datagram.unix(path))
  const batch = new DatagramBatch({ capacity: 1 })
  t.equal(socket.sendBatch(batch.push(Buffer.from('1'), { path })), 1)
  t.equal(socket.recvBatch(batch), 1)
  t.same(batch.address(0), { path })
  t.equal(socket.sendBatch(batch), 1)
})

test('node:dgram talks to an echo of batches', async (t) => {
  using kept = new Kept()
  const echo = kept.one(Datagram.udp())
  const loop = kept.one(new Loop())
  const batch = new DatagramBatch({ capacity: 16, size: 64 })
  loop.watch(echo, EPOLLIN, () => {
    while (echo.recvBatch(batch) !== null) echo.sendBatch(batch)
  })
  loop.start()
  const client = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(client, 'listening')
  const { address, port } = portOf(echo)
  const expected = Array.from({ length: 50 }, (_, i) => `request ${i}`)
  const got: string[] = []
  client.on('message', (message, from) => {
    if (from.port !== port || from.address !== address) t.fail('a stranger answered')
    got.push(message.toString())
    if (got.length === expected.length) client.emit('all')
  })
  const all = once(client, 'all')
  for (const text of expected) client.send(text, port, address)
  await all
  t.same(got, expected)
  client.close()
  await once(client, 'close')
})

test('a batch reaches node:dgram', async (t) => {
  using socket = Datagram.udp()
  const server = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(server, 'listening')
  const got: [string, number][] = []
  server.on('message', (message, from) => {
    got.push([message.toString(), from.port])
    if (got.length === 3) server.close()
  })
  const closed = once(server, 'close')
  t.equal(socket.sendBatch(filled(3, server.address())), 3)
  await closed
  const { port } = portOf(socket)
  t.same(got, [
    ['number 0', port],
    ['number 1', port],
    ['number 2', port],
  ])
})
