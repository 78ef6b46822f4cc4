import { closeSync, openSync } from 'node:fs'
import {
  ClosedError,
  EPOLLIN,
  Epoll,
  EventFd,
  FD_CLOEXEC,
  Fd,
  O_CLOEXEC,
  O_NONBLOCK,
  OwnedFd,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { pipe, ready, recycle } from './fixtures/descriptors.js'

test('adopt takes over an open descriptor and changes no flag', (t) => {
  const [reading, writing] = sys.pipe2(0)
  using fd = Fd.adopt(reading)
  t.ok(fd instanceof OwnedFd)
  t.equal(fd.fd, reading)
  t.equal(fd.closed, false)
  t.equal(sys.fcntl_getfd(reading), 0)
  t.equal(sys.fcntl_getfl(reading) & O_NONBLOCK, 0)
  fd.close()
  t.equal(fd.closed, true)
  t.throws(() => sys.fcntl_getfd(reading), { code: 'EBADF' })
  sys.close(writing)
})

test('adopt refuses what is not open, and what is owned already', (t) => {
  using bell = new EventFd()
  t.throws(() => Fd.adopt(999_999), { name: 'ErrnoError', code: 'EBADF', fd: 999_999 })
  t.throws(() => Fd.adopt(bell.fd), { name: 'ErrnoError', code: 'EEXIST', fd: bell.fd })
  t.equal(bell.closed, false)
  t.equal(bell.write(), true)
})

test('release hands the number over, open and in no Epoll', (t) => {
  using epoll = new Epoll()
  const bell = ready()
  epoll.add(bell, EPOLLIN, undefined)
  const { generation } = bell
  const number = bell.release()
  t.equal(bell.closed, true)
  t.equal(epoll.size, 0)
  t.equal(
    epoll.wait(0, () => {}),
    0,
  )
  bell.close()
  t.equal(sys.eventfd_read(number), 1n, 'still open')
  t.throws(() => bell.release(), { name: 'ClosedError' })
  using next = Fd.adopt(number)
  t.equal(next.fd, number)
  t.not(next.generation, generation)
})

test('read and write move bytes at offsets', (t) => {
  const [reading, writing] = pipe()
  using _reading = reading
  using _writing = writing
  const bytes = Buffer.from('0123456789')
  t.equal(writing.write(bytes), 10)
  const buffer = Buffer.alloc(8, '.')
  t.equal(reading.read(buffer, 5), 3)
  t.equal(buffer.toString(), '.....012')
  t.equal(reading.read(buffer, 1, 2), 2)
  t.equal(buffer.toString(), '.34..012')
  t.equal(reading.read(buffer, 8), 0, 'no room, no bytes')
  t.equal(reading.read(buffer), 5)
  t.equal(buffer.toString(), '56789012')
  t.equal(writing.write(bytes, 7), 3)
  t.equal(writing.write(bytes, 2, 4), 4)
  t.equal(writing.write(bytes, 10), 0)
  t.equal(reading.read(buffer), 7)
  t.equal(buffer.toString('utf8', 0, 7), '7892345')
})

test('any view takes bytes, by its own part of its memory', (t) => {
  const [reading, writing] = pipe()
  using _reading = reading
  using _writing = writing
  const memory = new ArrayBuffer(16)
  const views = [
    new Uint8Array(memory, 4, 8),
    new Uint8ClampedArray(memory, 4, 8),
    new DataView(memory, 4, 8),
    new Uint16Array(memory, 4, 4),
    new Float32Array(memory, 4, 2),
    new BigInt64Array(memory, 8, 1),
    new Float64Array(memory, 8, 1),
  ]
  for (const view of views) {
    new Uint8Array(memory).fill(0)
    t.equal(writing.write(Buffer.from('abcdefgh')), 8)
    t.equal(reading.read(view, 1, 7), 7)
    const expected = new Uint8Array(16)
    expected.set(Buffer.from('abcdefg'), view.byteOffset + 1)
    t.strictSame(new Uint8Array(memory), expected, view.constructor.name)
    t.equal(writing.write(view, 2, 2), 2)
    const rest = Buffer.alloc(8)
    t.equal(reading.read(rest), 3)
    t.equal(rest.toString('utf8', 0, 3), 'hbc')
  }
})

test('shared memory takes bytes', (t) => {
  const [reading, writing] = pipe()
  using _reading = reading
  using _writing = writing
  const shared = new Uint8Array(new SharedArrayBuffer(8), 2)
  writing.write(Buffer.from('abc'))
  t.equal(reading.read(shared, 1), 3)
  t.strictSame([...shared], [0, 97, 98, 99, 0, 0])
  t.equal(writing.write(shared, 2, 2), 2)
})

test('the end of a buffer of 4 GiB takes bytes', (t) => {
  let buffer: Uint8Array
  try {
    buffer = new Uint8Array(2 ** 32) // address space only, until it is written to
  } catch (error) {
    return t.comment(`left out: ${error}`)
  }
  const [reading, writing] = pipe()
  using _reading = reading
  using _writing = writing
  writing.write(Buffer.from('abcd'))
  t.equal(reading.read(buffer, 2 ** 32 - 3), 3)
  t.equal(Buffer.from(buffer.subarray(-3)).toString(), 'abc')
  t.equal(writing.write(buffer, 2 ** 32 - 2, 1), 1)
  t.equal(reading.read(buffer, 2 ** 31), 2, 'not a negative offset')
  t.equal(Buffer.from(buffer.subarray(2 ** 31, 2 ** 31 + 2)).toString(), 'db')
})

test('would-block is null, the end of the file is 0', (t) => {
  const [reading, writing] = pipe()
  using _reading = reading
  using _writing = writing
  const buffer = Buffer.alloc(65536)
  t.equal(reading.read(buffer), null)
  t.equal(writing.write(buffer), 65536, 'the pipe is full')
  t.equal(writing.write(buffer), null)
  writing.close()
  t.equal(reading.read(buffer), 65536)
  t.equal(reading.read(buffer), 0)
})

test('a failing read or write is an ErrnoError', (t) => {
  const [reading, writing] = pipe()
  using _reading = reading
  using _writing = writing
  const buffer = Buffer.alloc(1)
  t.throws(() => writing.read(buffer), { code: 'EBADF', syscall: 'read', fd: writing.fd })
  t.throws(() => reading.write(buffer), { code: 'EBADF', syscall: 'write', fd: reading.fd })
  reading.close()
  t.throws(() => writing.write(buffer), { code: 'EPIPE', errno: -32, syscall: 'write' })
})

test('dup is another Fd for the same file, CLOEXEC', (t) => {
  using bell = new EventFd({ initial: 3 })
  using dup = bell.dup()
  t.ok(dup instanceof Fd)
  t.not(dup.fd, bell.fd)
  t.equal(sys.fcntl_getfd(dup.fd), FD_CLOEXEC)
  const word = new BigUint64Array(1)
  t.equal(dup.read(word), 8)
  t.equal(word[0], 3n)
  t.equal(bell.read(), null)
  bell.close()
  t.equal(dup.closed, false)
})

test('setCloexec and setNonBlocking switch the flags', (t) => {
  const [reading, writing] = sys.pipe2(0)
  using fd = Fd.adopt(reading)
  using _other = Fd.adopt(writing)
  for (const on of [true, true, false, false]) {
    fd.setCloexec(on)
    t.equal(sys.fcntl_getfd(reading), on ? FD_CLOEXEC : 0)
    fd.setNonBlocking(on)
    t.equal(sys.fcntl_getfl(reading) & O_NONBLOCK, on ? O_NONBLOCK : 0)
  }
})

test('a closed one throws ClosedError from everything but close', (t) => {
  const [reading, writing] = pipe()
  const buffer = Buffer.alloc(1)
  reading.close()
  writing.close()
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.throws(() => reading.fd, closed)
  t.throws(() => reading.read(buffer), closed)
  t.throws(() => writing.write(buffer), closed)
  t.throws(() => reading.dup(), closed)
  t.throws(() => reading.setCloexec(true), closed)
  t.throws(() => reading.setNonBlocking(true), closed)
  t.throws(() => reading.release(), ClosedError)
  t.doesNotThrow(() => reading.close())
  t.doesNotThrow(() => reading[Symbol.dispose]())
})

test('a second close never closes the stranger that got the number', (t) => {
  const bell = new EventFd()
  const { fd } = bell
  bell.close()
  using other = new EventFd()
  if (other.fd !== fd) sys.dup3(other.fd, fd, O_CLOEXEC)
  bell.close()
  bell[Symbol.dispose]()
  t.equal(sys.fcntl_getfd(fd), FD_CLOEXEC, 'open')
  if (other.fd !== fd) sys.close(fd)
})

test('sys.close and dup3 over the number close the Fd', (t) => {
  using other = new EventFd()
  const bell = new EventFd()
  const { fd } = bell
  sys.close(fd)
  t.equal(bell.closed, true)
  const second = Fd.adopt(sys.dup3(other.fd, fd, 0))
  t.equal(bell.closed, true)
  sys.dup3(other.fd, fd, O_CLOEXEC)
  t.equal(second.closed, true)
  second.close()
  t.equal(sys.fcntl_getfd(fd), FD_CLOEXEC, 'open')
  sys.close(fd)
})

test('close finds out in an Epoll that the number was recycled, and leaves the stranger open', (t) => {
  for (const close of ['close', 'release'] as const) {
    using epoll = new Epoll()
    const bell = ready()
    const { fd, generation } = bell
    epoll.add(bell, EPOLLIN, undefined)
    recycle(fd)
    const expected = { name: 'ErrnoError', code: 'EBADF', syscall: close, fd, generation }
    if (close === 'release') t.throws(() => bell.release(), { code: 'EBADF', fd })
    else t.throws(() => bell.close(), expected)
    t.equal(sys.fcntl_getfd(fd), FD_CLOEXEC, 'open')
    t.equal(bell.closed, true)
    t.equal(epoll.size, 0)
    t.doesNotThrow(() => bell.close())
    closeSync(fd)
  }
})

test('close finds out in an Epoll that the number was closed', (t) => {
  using epoll = new Epoll()
  const bell = ready()
  const { fd } = bell
  epoll.add(bell, EPOLLIN, undefined)
  closeSync(fd)
  t.throws(() => bell.close(), { name: 'ErrnoError', code: 'EBADF', fd })
  t.equal(bell.closed, true)
})

test('close of one that was closed without genpoll is EBADF', (t) => {
  const bell = new EventFd()
  const { fd } = bell
  closeSync(fd)
  t.throws(() => bell.close(), { name: 'ErrnoError', code: 'EBADF', syscall: 'close', fd })
  t.equal(bell.closed, true)
  t.doesNotThrow(() => bell.close())
})

test('using closes at the end of the block', (t) => {
  let outer: EventFd
  {
    using bell = new EventFd()
    outer = bell
    t.equal(bell.closed, false)
  }
  t.equal(outer.closed, true)
})

test('what Node opened can be adopted', (t) => {
  using random = Fd.adopt(openSync('/dev/random', 'r'))
  const buffer = Buffer.alloc(16)
  t.equal(random.read(buffer), 16)
})
