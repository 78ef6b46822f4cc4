import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { buffer as collect } from 'node:stream/consumers'
import { EPOLLIN, Loop } from 'genpoll'
import { Connection, Listener, Socket, serve } from 'genpoll/net'
import { bad } from './fixtures/bad.js'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { accepted, Kept, portOf, silentPort } from './fixtures/net.js'
import { randomFrom, seed } from './fixtures/random.js'
import { Wired } from './fixtures/wired.js'

const TYPE = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }

test('what can be is written at once', (t) => {
  using wired = new Wired('unix')
  const { connection, peer } = wired
  t.equal(connection.write('text: é€😀'), true)
  t.equal(connection.write(Buffer.from(' buffer ')), true)
  t.equal(connection.write(Uint8Array.of(0x21)), true)
  t.equal(connection.writableLength, 0)
  t.equal(connection.writableNeedDrain, false)
  const got = Buffer.alloc(64)
  t.equal(got.toString('utf8', 0, peer.read(got)!), 'text: é€😀 buffer !')
  t.equal(wired.wakes(), 0)
})

test('nothing to write is nothing', (t) => {
  using wired = new Wired('unix')
  t.equal(wired.connection.write(''), true)
  t.equal(wired.peer.read(Buffer.alloc(1)), null)
  const filled = wired.fill()
  const { writableLength } = wired.connection
  wired.connection.write(new Uint8Array(0))
  t.equal(wired.connection.writableLength, writableLength)
  t.equal(wired.delivered(filled).length, filled)
  t.equal(wired.connection.writableLength, 0)
})

test('what comes is read, and would block when it is', (t) => {
  using wired = new Wired('unix')
  const { connection, peer } = wired
  const small = Buffer.alloc(4, '.')
  t.equal(connection.read(small), null)
  peer.write(Buffer.from('12345'))
  t.equal(connection.read(small, 1, 2), 2)
  t.equal(small.toString(), '.12.')
  t.equal(connection.read(small, 2), 2)
  t.equal(connection.read(small, 4), 0)
  t.equal(connection.read(small, 0, 0), 0)
  t.equal(connection.read(Buffer.alloc(0)), 0)
  t.equal(connection.closed, false)
  t.equal(connection.read(small), 1)
  t.equal(small.toString(), '5134')
})

for (const kind of ['unix', 'TCP'] as const) {
  test(`${kind}: a slow reader gets every byte in order (seed ${seed})`, (t) => {
    const random = randomFrom(seed)
    using wired = new Wired(kind, {}, { highWaterMark: 10_000 })
    const sent: Buffer[] = []
    const got: Buffer[] = []
    const reused = Buffer.alloc(200_000)
    for (let i = 0; i < 400; i++) {
      const bytes = reused.subarray(0, Math.floor(random() ** 4 * reused.length))
      for (let j = 0; j < bytes.length; j += 97) bytes[j] = random() * 256
      sent.push(Buffer.from(bytes))
      const goesOn = wired.connection.write(bytes)
      const waiting = wired.connection.writableLength
      if (goesOn !== (waiting === 0 || waiting < 10_000)) t.fail(`${goesOn} at ${waiting}`)
      // What was given is ours again.
      bytes.fill(0xff)
      const slow = Buffer.alloc(Math.floor(random() * 20_000))
      const count = slow.length === 0 ? 0 : (wired.peer.read(slow) ?? 0)
      got.push(slow.subarray(0, count))
      wired.loop.runOnce(0)
    }
    const expected = Buffer.concat(sent)
    const already = Buffer.concat(got)
    const all = Buffer.concat([already, wired.delivered(expected.length - already.length)])
    t.equal(all.length, expected.length)
    t.ok(all.equals(expected), 'the bytes')
    t.equal(wired.connection.writableLength, 0)
    t.equal(wired.connection.writableNeedDrain, false)
  })
}

test('a queue is a copy: of Buffers, of other arrays and of parts', (t) => {
  for (const make of [Buffer.alloc, (size: number) => new Uint8Array(size)]) {
    using wired = new Wired('unix')
    const filled = wired.fill()
    const whole = make(8).fill(0x61)
    wired.connection.write(whole)
    wired.connection.write(whole.subarray(2, 4))
    whole.fill(0x7a)
    t.equal(wired.delivered(filled + 10).toString('latin1', filled), 'aaaaaaaaaa')
  }
})

test('and so is the rest of what was written in part', (t) => {
  using wired = new Wired('TCP')
  const large = Buffer.alloc(1 << 24, 'ab')
  t.equal(wired.connection.write(large), false)
  const { writableLength } = wired.connection
  t.ok(writableLength > 0 && writableLength < large.length)
  large.fill('z')
  const got = wired.delivered(large.length)
  t.equal(got.length, large.length)
  t.equal(got.includes('z'), false)
})

test('false at the high-water mark, and drain once for it', (t) => {
  using wired = new Wired('unix', {}, { highWaterMark: 200_000 })
  const { connection } = wired
  let filled = wired.fill()
  t.equal(connection.writableNeedDrain, false)
  let answer = true
  for (; answer; filled += 1000) answer = connection.write(Buffer.alloc(1000))
  t.ok(connection.writableLength >= 200_000 && connection.writableLength < 201_000)
  t.equal(connection.writableNeedDrain, true)
  t.equal(connection.write('x'), false)
  t.equal(wired.drains, 0)
  wired.delivered(filled + 1)
  wired.wakes()
  t.equal(wired.drains, 1)
  t.equal(connection.writableNeedDrain, false)
  t.equal(connection.writableLength, 0)
})

test('no drain where write has never answered false', (t) => {
  using wired = new Wired('unix', {}, { highWaterMark: 1 << 20 })
  const filled = wired.fill()
  wired.delivered(filled)
  t.equal(wired.connection.writableLength, 0)
  t.equal(wired.wakes(), 0)
  t.equal(wired.drains, 0)
})

test('a high-water mark of 0: false as soon as anything waits', (t) => {
  using wired = new Wired('unix', {}, { highWaterMark: 0 })
  t.equal(wired.connection.write('at once'), true)
  const filled = wired.fill()
  t.equal(wired.connection.writableNeedDrain, true)
  wired.delivered(filled + 7)
  wired.wakes()
  t.equal(wired.drains, 1)
})

test('drain writes on, and is called again', (t) => {
  let rounds = 0
  using wired: Wired = new Wired('unix', {
    drain(connection) {
      if (++rounds < 5) while (connection.write(Buffer.alloc(50_000, rounds)));
      else connection.end()
    },
  })
  while (wired.connection.write(Buffer.alloc(50_000)));
  const got = wired.delivered()
  t.equal(rounds, 5)
  t.equal(got.length % 50_000, 0)
  const order = got.filter((byte, i) => i > 0 && byte !== got[i - 1])
  t.same([...order], [1, 2, 3, 4])
})

test('without a handler for it nobody is told', (t) => {
  using wired = new Wired('unix', { drain: undefined as never }, { highWaterMark: 0 })
  const filled = wired.fill()
  wired.delivered(filled)
  t.equal(wired.connection.writableNeedDrain, false)
})

test('a client that never reads: what waits stays what was written', (t) => {
  using wired = new Wired('TCP')
  const { connection } = wired
  wired.fill()
  const { writableLength } = connection
  connection.write(Buffer.alloc(100_000))
  t.equal(connection.writableLength, writableLength + 100_000)
  // The kernel's own buffers may still take a little.
  while (wired.wakes() > 0);
  const before = connection.writableLength
  for (let i = 0; i < 100; i++) t.equal(connection.write('more'), false)
  t.equal(connection.writableLength, before + 400)
  t.equal(wired.wakes(), 0)
  t.equal(wired.drains, 0)
})

for (const kind of ['unix', 'TCP'] as const) {
  test(`${kind}: pause stops reading, not writing`, (t) => {
    using wired = new Wired(kind)
    const { connection, peer } = wired
    connection.pause()
    connection.pause()
    peer.write(Buffer.from('waits'))
    t.equal(wired.wakes(), 0)
    const filled = wired.fill()
    // More pieces than one call of the kernel's takes.
    for (let i = 0; i < 5000; i++) connection.write('+')
    t.equal(wired.delivered(filled + 5000).length, filled + 5000)
    wired.until(() => connection.writableLength === 0)
    t.equal(wired.reads, 0)
    connection.resume()
    connection.resume()
    wired.until(() => wired.received === 'waits')
    t.equal(wired.wakes(), 0)
  })
}

test('a pause by another handler of the same batch is one at once', (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const read: Connection[] = []
  const ends = [kept.both(Socket.pair()), kept.both(Socket.pair())]
  const connections = ends.map(([socket]) => {
    return kept.one(
      new Connection(loop, socket, {
        readable(connection) {
          read.push(connection)
          for (const each of connections) each.pause()
        },
      }),
    )
  })
  for (const [, peer] of ends) peer.write(Buffer.from('!'))
  while (loop.runOnce(0) > 0);
  t.equal(read.length, 1)
})

test('so is one by drain', (t) => {
  using wired = new Wired('unix', { drain: (connection) => connection.pause() })
  const { connection, peer } = wired
  wired.fill()
  while (!connection.writableNeedDrain) connection.write(Buffer.alloc(10_000))
  while (peer.read(Buffer.alloc(1 << 20)) !== null);
  peer.write(Buffer.from('waits'))
  // That it can be written to and read from is one event.
  t.equal(wired.loop.runOnce(), 1)
  t.same([connection.writableNeedDrain, wired.received], [false, ''])
  connection.resume()
  wired.until(() => wired.received === 'waits')
})

test('a connection that is still under way: what is written waits for it', (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listener = kept.one(Listener.tcp())
  let heard = ''
  const connection = kept.one(
    new Connection(loop, Socket.connect({ port: portOf(listener) }), {
      readable(it) {
        const bytes = Buffer.alloc(16)
        heard += bytes.toString('latin1', 0, it.read(bytes) ?? 0)
      },
    }),
  )
  connection.write('early')
  const peer = kept.one(accepted(listener))
  const bytes = Buffer.alloc(16)
  for (let i = 0; i < 100 && connection.writableLength > 0; i++) loop.runOnce(50)
  t.equal(bytes.toString('latin1', 0, peer.read(bytes)!), 'early')
  peer.write(Buffer.from('heard'))
  while (heard === '') loop.runOnce()
  t.equal(heard, 'heard')
})

test('one that is refused is closed with the error', (t) => {
  for (const text of ['', 'early']) {
    using kept = new Kept()
    const loop = kept.one(new Loop())
    const errors: unknown[] = []
    const connection = kept.one(
      new Connection(loop, Socket.connect({ port: silentPort(kept) }), {
        readable: (it) => it.read(Buffer.alloc(1)),
        close: (_, error) => errors.push(error),
      }),
    )
    connection.write(text)
    while (!connection.closed) loop.runOnce()
    t.match(errors, [{ code: 'ECONNREFUSED', errno: -111 }])
  }
})

test('a real client through an echo with back-pressure', async (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listener = kept.one(Listener.tcp())
  const page = Buffer.alloc(65536)
  const ended: unknown[] = []
  let pauses = 0
  serve(loop, listener, (socket) => {
    new Connection(loop, socket, {
      readable(connection) {
        const count = connection.read(page)
        if (!count || connection.write(page.subarray(0, count))) return
        pauses++
        connection.pause()
      },
      drain: (connection) => connection.resume(),
      close: (_, error) => ended.push(error),
    })
  })
  loop.start()
  const client = net.connect(portOf(listener), '127.0.0.1')
  await once(client, 'connect')
  const sent = randomBytes(1 << 24)
  client.end(sent)
  // It doesn't read before the echo has had to wait.
  while (pauses === 0) await new Promise(setImmediate)
  t.ok((await collect(client)).equals(sent))
  while (ended.length === 0) await new Promise(setImmediate)
  t.same(ended, [null])
})

test('what is no argument', (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const [socket] = kept.both(Socket.pair())
  const readable = () => {}
  const make = (...args: unknown[]) => Reflect.construct(Connection, args)
  for (const value of [undefined, null, 1, 'loop', {}]) {
    t.throws(() => make(value, socket, { readable }), TYPE, 'loop')
  }
  for (const value of [undefined, null, socket.fd, { fd: socket.fd }, 'socket']) {
    t.throws(() => make(loop, value, { readable }), TYPE, 'socket')
  }
  for (const [value] of bad.object) t.throws(() => make(loop, socket, value), TYPE, 'handlers')
  for (const [value] of bad.function) {
    t.throws(() => make(loop, socket, { readable: value }), TYPE, 'readable')
    t.throws(() => make(loop, socket, { readable, drain: value }), TYPE, 'drain')
    t.throws(() => make(loop, socket, { readable, close: value }), TYPE, 'close')
  }
  const options = (given: unknown) => () => make(loop, socket, { readable }, given)
  for (const [value] of bad.object) t.throws(options(value), TYPE, 'options')
  for (const [value] of bad.boolean) t.throws(options({ allowHalfOpen: value }), TYPE)
  for (const value of ['1', null, 1n]) t.throws(options({ highWaterMark: value }), TYPE)
  for (const value of [-1, 0.5, NaN, Infinity]) {
    t.throws(options({ highWaterMark: value }), { code: 'ERR_OUT_OF_RANGE' })
  }
  // None of them has left anything behind.
  loop.watch(socket, EPOLLIN, () => {}).remove()
})

test('what is no data is not written', (t) => {
  using wired = new Wired('unix')
  const { connection } = wired
  for (const value of [undefined, null, 1, {}, [1], new Uint16Array(1), new ArrayBuffer(1)]) {
    t.throws(() => connection.write(value as never), TYPE)
    if (value !== undefined) t.throws(() => connection.end(value as never), TYPE)
  }
  for (const [value, expected] of bad.buffer) {
    t.throws(() => connection.read(value as never), expected)
  }
  t.throws(() => connection.read(Buffer.alloc(4), 5), { code: 'ERR_OUT_OF_RANGE' })
  t.equal(connection.closed, false)
  connection.write('still there')
  t.equal(wired.peer.read(Buffer.alloc(64)), 11)
})

test('a socket that is watched already can’t be a connection’s', (t) => {
  using wired = new Wired('unix')
  const again = () => new Connection(wired.loop, wired.connection.socket, { readable() {} })
  t.throws(again, errno('EEXIST', 'epoll_ctl'))
})
