// Bad arguments of the socket calls, and memory that isn't what it seems. As in test/validation.ts the
// other arguments of each call are good.

import * as sys from 'genpoll/sys'
import tap from 'tap'
import { type Argument, refuses } from './fixtures/bad.js'
import { openDescriptors, test } from './fixtures/check.js'
import { read } from './fixtures/kernel.js'

const FLAGS = sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK
const address = { address: '127.0.0.1', port: 0 }
const bytes = Buffer.alloc(8)

const tcp = sys.socket(sys.AF_INET, sys.SOCK_STREAM | FLAGS, 0)
const [reading, writing] = sys.socketpair(sys.AF_UNIX, sys.SOCK_STREAM | FLAGS, 0)
tap.teardown(() => {
  for (const fd of [tcp, reading, writing]) sys.close(fd)
})

const FUNCTIONS: Partial<Record<keyof typeof sys, Argument[]>> = {
  socket: [
    ['domain', 'int32', sys.AF_INET],
    ['type', 'int32', sys.SOCK_STREAM],
    ['protocol', 'int32', 0],
  ],
  bind: [
    ['fd', 'int32', tcp],
    ['address', 'address', address],
  ],
  listen: [
    ['fd', 'int32', tcp],
    ['backlog', 'int32', 1],
  ],
  accept4: [
    ['fd', 'int32', tcp],
    ['flags', 'int32', 0],
  ],
  connect: [
    ['fd', 'int32', tcp],
    ['address', 'address', address],
  ],
  shutdown: [
    ['fd', 'int32', writing],
    ['how', 'int32', sys.SHUT_WR],
  ],
  getsockname: [['fd', 'int32', tcp]],
  getpeername: [['fd', 'int32', writing]],
  getsockopt: [
    ['fd', 'int32', tcp],
    ['level', 'int32', sys.SOL_SOCKET],
    ['optname', 'int32', sys.SO_TYPE],
    ['buffer', 'buffer', bytes, 'optional'],
  ],
  setsockopt: [
    ['fd', 'int32', tcp],
    ['level', 'int32', sys.SOL_SOCKET],
    ['optname', 'int32', sys.SO_KEEPALIVE],
    ['value', 'option', 1],
  ],
  writev: [
    ['fd', 'int32', writing],
    ['buffers', 'buffers', [bytes]],
  ],
}

/** What a call that got through would have changed. */
function state(): unknown {
  return {
    open: [...openDescriptors()],
    name: sys.getsockname(tcp),
    isListening: sys.getsockopt(tcp, sys.SOL_SOCKET, sys.SO_ACCEPTCONN),
    isKeptAlive: sys.getsockopt(tcp, sys.SOL_SOCKET, sys.SO_KEEPALIVE),
    written: sys.ioctl_fionread(reading),
    read: read(reading),
  }
}

const functions = Object.entries(sys) as [keyof typeof sys, (...args: never[]) => unknown][]

for (const [name, call] of functions) {
  const args = FUNCTIONS[name]
  if (args === undefined) continue
  test(`${name} refuses bad arguments before the call`, (t) => {
    const before = state()
    refuses(t, call, args)
    t.strictSame(state(), before, 'nothing was done')
  })
}

test('a name where an address is needed', (t) => {
  const expected = { name: 'TypeError', code: 'ERR_INVALID_IP_ADDRESS' }
  for (const call of [sys.bind, sys.connect]) {
    const named = { address: 'localhost', port: 1 }
    t.throws(() => call(tcp, named), { ...expected, message: /"address\.address"/ })
  }
})

test('writev writes one buffer after the other, whatever kind of view', (t) => {
  const memory = Buffer.from('-hello, -')
  const { buffer, byteOffset } = memory
  const views = [
    new DataView(buffer, byteOffset + 1, 5),
    Buffer.alloc(0),
    memory.subarray(6, 8),
    Uint16Array.from([0x6f77, 0x6c72]),
    Buffer.from('d'),
  ]
  t.equal(sys.writev(writing, views), 12)
  t.equal(read(reading), 'hello, world')
})

test('writev of nothing', (t) => {
  t.equal(sys.writev(writing, []), 0)
  t.equal(sys.writev(writing, [Buffer.alloc(0), new Uint8Array(0)]), 0)
  t.equal(read(reading), null)
})

test('writev takes the first 1,024 buffers', (t) => {
  const one = Buffer.from('x')
  for (const [given, taken] of [
    [1023, 1023],
    [1024, 1024],
    [1025, 1024],
    [5000, 1024],
  ] as const) {
    t.equal(sys.writev(writing, new Array<Buffer>(given).fill(one)), taken)
    t.equal(read(reading), 'x'.repeat(taken))
  }
})

test('writev writes as much as there is room for, and null where there is none', (t) => {
  const half = Buffer.alloc(1 << 20)
  let written = 0
  for (let n = sys.writev(writing, [half, half]); n !== null; n = sys.writev(writing, [half])) {
    t.ok(n > 0 && n < 2 << 20)
    written += n
  }
  t.equal(sys.ioctl_fionread(reading), written)
  while (written > 0) written -= read(reading)!.length
  t.equal(written, 0)
})

test('writev fails as the kernel says', (t) => {
  const expected = { name: 'ErrnoError', code: 'EBADF', errno: -9, syscall: 'writev', fd: -1 }
  t.throws(() => sys.writev(-1, [bytes]), expected)
})

const ATTACHED = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }

test('a detached buffer among the others is refused', (t) => {
  const memory = new ArrayBuffer(8)
  const list = [bytes, new Uint8Array(memory)]
  structuredClone(memory, { transfer: [memory] })
  t.throws(() => sys.writev(writing, list), { ...ATTACHED, message: /"buffers"/ })
  const view = list[1]!
  t.throws(() => sys.setsockopt(tcp, 1, sys.SO_KEEPALIVE, view), {
    ...ATTACHED,
    message: /"value"/,
  })
  t.throws(() => sys.getsockopt(tcp, 1, sys.SO_TYPE, view), { ...ATTACHED, message: /"buffer"/ })
  t.equal(read(reading), null)
})

test('a proxy of an array is written as the array is', (t) => {
  t.equal(sys.writev(writing, new Proxy([Buffer.from('ab')], {})), 2)
  t.equal(read(reading), 'ab')
})

test('an array that shows something else when asked again', (t) => {
  let asked = 0
  const list = [Buffer.from('a'), Buffer.from('b')]
  const first = list[1]!
  Object.defineProperty(list, 1, {
    get: () => {
      if (asked++ === 0) return first
      const memory = list[0]!.buffer as ArrayBuffer
      structuredClone(memory, { transfer: [memory] })
      return null
    },
  })
  list[0] = Buffer.from(new ArrayBuffer(65536))
  t.equal(sys.writev(writing, list), 65537, 'what was checked is what is written')
})
