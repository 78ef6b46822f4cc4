import { Datagram, DatagramBatch } from 'genpoll/net'
import { type Bad, bad } from './fixtures/bad.js'
import { test } from './fixtures/check.js'
import { poll } from './fixtures/poll.js'

const RECORD = 128
/** What four datagrams of 16 bytes take. */
const SIZE = 4 * (RECORD + 16)
const PATTERN = 0xa5

interface Surrounded {
  batch: DatagramBatch
  memory: Uint8Array
  isIntact: () => boolean
}

/** A socket that has datagrams for itself. */
function socketWith(count: number): Datagram {
  const socket = Datagram.udp()
  socket.connect(socket.address())
  for (let i = 0; i < count; i++) socket.send(Buffer.alloc(40, 0x11))
  return socket
}

/** Sets what TypeScript protects, and nothing else does: past the setter, where there is one. */
function tamper(batch: DatagramBatch, fields: Record<string, unknown>): DatagramBatch {
  for (const [name, value] of Object.entries(fields)) {
    Object.defineProperty(batch, name, { value, writable: true })
  }
  return batch
}

function withMemory(memory: unknown): DatagramBatch {
  return tamper(new DatagramBatch({ capacity: 4, size: 16 }), { memory })
}

/** A batch whose memory stands in the middle of more, which is to stay as it is. */
function surrounded(bytes = SIZE): Surrounded {
  const all = new Uint8Array(3 * 4096).fill(PATTERN)
  const memory = all.subarray(4096, 4096 + bytes).fill(0)
  const around = [all.subarray(0, 4096), all.subarray(4096 + bytes)]
  const isIntact = () => around.every((part) => part.every((byte) => byte === PATTERN))
  return { batch: withMemory(memory), memory, isIntact }
}

/** Every call there is on a batch; that it throws is as good as that it does nothing. */
function exercise(socket: Datagram, batch: DatagramBatch): void {
  const calls = [
    () => socket.recvBatch(batch),
    () => socket.sendBatch(batch),
    () => socket.sendBatch(batch, 1),
    () => batch.message(0),
    () => batch.address(0),
    () => batch.byteLength(0),
    () => batch.isTruncated(0),
    () => batch.truncate(0, 1),
    () => batch.push(new Uint8Array(3), { address: '127.0.0.1', port: 1 }),
    () => socket.recvBatch(batch),
  ]
  for (const call of calls) {
    try {
      call()
    } catch {
      // It may.
    }
  }
}

test('what isn’t a batch', (t) => {
  using socket = socketWith(1)
  const wrong: Bad[] = [
    ...bad.object,
    ...bad.buffer,
    [Object.create({ memory: new Uint8Array(144), capacity: 1, size: 16 }), { name: 'TypeError' }],
  ] as Bad[]
  for (const [value, expected] of wrong) {
    t.throws(() => socket.recvBatch(value as DatagramBatch), expected)
    t.throws(() => socket.sendBatch(value as DatagramBatch), expected)
  }
  t.throws(() => socket.recvBatch(Object.create(DatagramBatch.prototype)), TypeError)
  t.not(poll(socket.fd), 0)
})

test('numbers that don’t fit the memory', (t) => {
  using socket = socketWith(64)
  const wrong = [-(2 ** 31), -1, 0, 0.5, NaN, 5, 17, 1024, 1025, 65536, 2 ** 31 - 1, 2 ** 32 + 1]
  for (const name of ['capacity', 'size', 'length'] as const) {
    for (const value of [...wrong, 1e300, '3', null, undefined, 1n, {}, [2]]) {
      const { batch, isIntact } = surrounded()
      batch.length = 2
      exercise(socket, tamper(batch, { [name]: value }))
      t.ok(isIntact(), `${name} ${String(value)}`)
    }
  }
})

test('a length that can’t be is refused when it is set', (t) => {
  const batch = new DatagramBatch({ capacity: 4 }).push(Buffer.from('one'))
  const outside = [-1, 5].map((length) => [length, { code: 'ERR_OUT_OF_RANGE' }] as const)
  for (const [length, expected] of [...bad.int32, ...outside]) {
    const message = /"length"/
    t.throws(() => Object.assign(batch, { length }), { ...expected, message })
  }
  t.equal(batch.length, 1)
  for (const length of [4, 0]) {
    batch.length = length
    t.equal(batch.length, length)
  }
})

test('a batch with less memory than it takes is refused, and the datagrams stay', (t) => {
  using socket = socketWith(1)
  for (const name of ['capacity', 'size'] as const) {
    const { batch, isIntact } = surrounded()
    t.throws(() => socket.recvBatch(tamper(batch, { [name]: 1000 })))
    t.ok(isIntact())
  }
  for (const bytes of [0, 1, RECORD, SIZE - 1]) {
    const { batch, isIntact } = surrounded(bytes)
    t.throws(() => socket.recvBatch(batch), `${bytes}`)
    t.throws(() => socket.sendBatch(batch), `${bytes}`)
    t.ok(isIntact())
  }
  t.not(poll(socket.fd), 0)
})

test('memory that is no memory', (t) => {
  using socket = socketWith(1)
  const wrong = [undefined, null, 0, 'bytes', {}, { length: 576 }, new ArrayBuffer(576), [0]]
  for (const memory of wrong) {
    const batch = withMemory(memory)
    t.throws(() => socket.recvBatch(batch))
    t.throws(() => socket.sendBatch(batch))
  }
  t.not(poll(socket.fd), 0)
})

test('memory of another kind, and at an odd place', (t) => {
  using socket = socketWith(16)
  const all = new Uint8Array(4096)
  const kinds = [
    all.subarray(1, 1 + SIZE),
    new Uint32Array(SIZE),
    new DataView(all.buffer, 3),
    new Float64Array(3),
  ]
  for (const memory of kinds) exercise(socket, withMemory(memory))
  t.equal(socket.closed, false)
})

test('memory that was transferred isn’t written to', (t) => {
  using socket = socketWith(2)
  for (const lies of [false, true]) {
    const buffer = new ArrayBuffer(SIZE)
    const memory = new Uint8Array(buffer)
    // Its own property hides that it has lost its memory.
    if (lies) Object.defineProperty(memory, 'length', { value: SIZE })
    const batch = withMemory(memory)
    socket.sendBatch(batch)
    const moved = new Uint8Array(structuredClone(buffer, { transfer: [buffer] }))
    exercise(socket, batch)
    t.ok(
      moved.every((byte) => byte === 0),
      lies ? 'it lies' : 'it tells',
    )
  }
})

test('the memory of a view that was handed out is transferred', (t) => {
  using socket = socketWith(1)
  const batch = new DatagramBatch({ capacity: 1 })
  t.equal(socket.recvBatch(batch), 1)
  const buffer = batch.message(0).buffer as ArrayBuffer
  structuredClone(buffer, { transfer: [buffer] })
  socket.send(Buffer.from('stays'))
  t.throws(() => socket.recvBatch(batch))
  t.throws(() => socket.sendBatch(batch))
  t.not(poll(socket.fd), 0)
})

test('memory that shrinks and grows', (t) => {
  using socket = socketWith(4)
  const memory: ArrayBuffer & { resize(bytes: number): void } = Reflect.construct(ArrayBuffer, [
    SIZE,
    { maxByteLength: 8192 },
  ])
  const batch = withMemory(new Uint8Array(memory))
  t.equal(socket.recvBatch(batch), 4)
  for (const bytes of [RECORD, 8192, 0, SIZE]) {
    memory.resize(bytes)
    exercise(socket, batch)
  }
  socket.send(Buffer.from('well again'))
  t.equal(socket.recvBatch(batch), 1)
})

test('records that lie about their lengths', (t) => {
  using socket = socketWith(0)
  for (const byte of [0xff, 0x80, 0x7f, 1]) {
    const { batch, memory, isIntact } = surrounded()
    batch.length = 4
    memory.subarray(0, 4 * RECORD).fill(byte)
    exercise(socket, batch)
    t.ok(isIntact())
  }
})
