// Memory that isn't what it seems: taken away, resized, or in disguise. Nothing outside of it may be
// touched, and an empty result mustn't pass for the end of a file.

import { execFileSync } from 'node:child_process'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'

const TYPE = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
const RANGE = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }

// Younger than the library that the tests are compiled for.
const Resizable = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(bytes: number): void }

function detach(buffer: ArrayBuffer): void {
  structuredClone(buffer, { transfer: [buffer] })
}

const KINDS = {
  Buffer: (memory: ArrayBuffer) => Buffer.from(memory),
  Float64Array: (memory: ArrayBuffer) => new Float64Array(memory),
  DataView: (memory: ArrayBuffer) => new DataView(memory),
}

/** A pipe with 3 bytes in it. */
function piped() {
  const [reading, writing] = pipe()
  writing.write(Buffer.from('abc'))
  return {
    reading,
    writing,
    [Symbol.dispose]() {
      reading.close()
      writing.close()
    },
  }
}

for (const [kind, view] of Object.entries(KINDS)) {
  test(`a detached ${kind} is refused`, (t) => {
    using ends = piped()
    const memory = new ArrayBuffer(8)
    const buffer = view(memory)
    t.equal(ends.reading.read(buffer, 0, 1), 1)
    detach(memory)
    const message = /"(buffer|offset|length)"/
    for (const args of [[], [0], [0, 0], [0, 1], [1], [8]] as [number?, number?][]) {
      t.throws(() => ends.reading.read(buffer, ...args), { message }, `read(${args})`)
      t.throws(() => ends.writing.write(buffer, ...args), { message }, `write(${args})`)
    }
    t.equal(sys.ioctl_fionread(ends.reading.fd), 2, 'nothing was done')
  })
}

test('a detached place for events is refused', (t) => {
  using bell = ready()
  const epfd = sys.epoll_create1(0)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, bell.fd, sys.EPOLLIN)
  const out = new Uint32Array(3)
  t.equal(sys.epoll_pwait(epfd, out, 0), 1)
  detach(out.buffer)
  t.throws(() => sys.epoll_pwait(epfd, out, 0))
  t.throws(() => sys.epoll_pwait2(epfd, out, 0n))
  sys.close(epfd)
})

test('a view follows its memory as that shrinks and grows', (t) => {
  using ends = piped()
  const memory = new Resizable(8, { maxByteLength: 1 << 20 })
  const tracking = new Uint8Array(memory)
  const fixed = new Uint8Array(memory, 2, 4)
  t.equal(ends.reading.read(tracking, 7), 1)
  t.equal(ends.reading.read(fixed, 3), 1)
  memory.resize(4)
  t.throws(() => ends.reading.read(tracking, 5), { ...RANGE, message: /"offset"/ })
  t.throws(() => ends.reading.read(tracking, 3, 2), { ...RANGE, message: /"length"/ })
  t.throws(() => ends.reading.read(fixed, 1), { ...RANGE, message: /"offset"/ })
  memory.resize(1 << 20)
  t.equal(ends.reading.read(tracking, 2 ** 20 - 1), 1)
  t.equal(tracking.at(-1), 'c'.charCodeAt(0))
  t.equal(ends.writing.write(fixed), 4)
})

test('events follow their memory as that shrinks and grows', (t) => {
  using first = ready()
  using second = ready()
  const epfd = sys.epoll_create1(0)
  for (const { fd } of [first, second]) sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, fd, sys.EPOLLIN)
  const memory = new Resizable(24, { maxByteLength: 1 << 16 })
  const out = new Uint32Array(memory)
  t.equal(sys.epoll_pwait(epfd, out, 0), 2)
  memory.resize(12)
  t.equal(sys.epoll_pwait(epfd, out, 0), 1)
  memory.resize(0)
  t.throws(() => sys.epoll_pwait(epfd, out, 0))
  memory.resize(1 << 16)
  t.equal(sys.epoll_pwait(epfd, out, 0), 2)
  sys.close(epfd)
})

test('events are put where a part of some memory is, shared or not', (t) => {
  using bell = ready()
  const epfd = sys.epoll_create1(0)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, bell.fd, sys.EPOLLIN, 5, 6)
  for (const memory of [new ArrayBuffer(32), new SharedArrayBuffer(32)]) {
    t.equal(sys.epoll_pwait(epfd, new Uint32Array(memory, 8, 4), 0), 1)
    t.strictSame([...new Uint32Array(memory)], [0, 0, 1, 5, 6, 0, 0, 0])
  }
  sys.close(epfd)
})

test('properties that claim another size are not believed', (t) => {
  using ends = piped()
  const claims = { byteLength: 1e6, length: 1e6, byteOffset: 64, buffer: new ArrayBuffer(1e6) }
  const claim = <V extends object>(view: V): V =>
    Object.defineProperties(
      view,
      Object.fromEntries(Object.entries(claims).map(([key, value]) => [key, { value }])),
    )
  class Claiming extends Uint8Array {
    override get byteLength(): never {
      return 1e6 as never
    }
  }
  for (const view of [
    claim(Buffer.alloc(4)),
    claim(new DataView(new ArrayBuffer(4))),
    new Claiming(4),
  ]) {
    t.throws(() => ends.reading.read(view, 5), { ...RANGE, message: /"offset"/ })
    t.throws(() => ends.reading.read(view, 0, 5), { ...RANGE, message: /"length"/ })
    t.throws(() => ends.writing.write(view, 0, 5), { ...RANGE, message: /"length"/ })
    t.equal(ends.reading.read(view, 3), 1)
  }
  const epfd = sys.epoll_create1(0)
  for (const { fd } of [ends.reading, ends.writing]) {
    sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, fd, sys.EPOLLOUT)
  }
  const spare = sys.dup(ends.writing.fd)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, spare, sys.EPOLLOUT)
  t.equal(sys.epoll_pwait(epfd, claim(new Uint32Array(3)), 0), 1, 'room for one of two')
  sys.close(spare)
  sys.close(epfd)
})

test('a view is what it was made as, whatever its prototype', (t) => {
  using ends = piped()
  const bytes = Object.setPrototypeOf(new Uint8Array(4), DataView.prototype)
  t.equal(ends.reading.read(bytes, 3), 1)
  const view = Object.setPrototypeOf(new DataView(new ArrayBuffer(4)), Uint8Array.prototype)
  t.equal(ends.reading.read(view, 3), 1)
  const bare = Object.setPrototypeOf(new Uint16Array(2), null)
  t.equal(ends.reading.read(bare, 3), 1)
})

test('only a real Uint32Array takes events', (t) => {
  using bell = ready()
  const epfd = sys.epoll_create1(0)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, bell.fd, sys.EPOLLIN)
  const impostors = [new Uint8Array(12), new Float32Array(3), new DataView(new ArrayBuffer(12)), {}]
  for (const impostor of impostors) {
    Object.setPrototypeOf(impostor, Uint32Array.prototype)
    const expected = { ...TYPE, message: /"out"/ }
    t.throws(() => sys.epoll_pwait(epfd, impostor as never, 0), expected)
    t.throws(() => sys.epoll_pwait2(epfd, impostor as never, 0n), expected)
  }
  sys.close(epfd)
})

test('no memory at all is refused, by the very first wait of a process too', (t) => {
  const code = 'try { sys.epoll_pwait(0, undefined, 0) } catch ({ code }) { console.log(code) }'
  const script = `import * as sys from 'genpoll/sys'; ${code}`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script])
  t.equal(String(output), `${TYPE.code}\n`)
})
