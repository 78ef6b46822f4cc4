import { closeSync } from 'node:fs'
import { EFD_SEMAPHORE, EPOLLIN, EPOLLOUT, EventFd, FD_CLOEXEC, O_NONBLOCK, O_RDWR } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { poll, word } from './fixtures/poll.js'

const MAX = 2n ** 64n - 2n

test('an eventfd counts', (t) => {
  using counter = new EventFd()
  t.equal(counter.read(), null)
  t.equal(counter.write(), true)
  t.equal(counter.write(41), true)
  t.equal(counter.read(), 42)
  t.equal(counter.read(), null)
})

test('it is CLOEXEC, non-blocking and no semaphore unless asked', (t) => {
  using counter = new EventFd({ initial: 2 })
  t.equal(sys.fcntl_getfd(counter.fd), FD_CLOEXEC)
  t.equal(sys.fcntl_getfl(counter.fd), O_RDWR | O_NONBLOCK)
  t.equal(counter.read(), 2)
})

test('counts up to 2^32 - 1 begin in the system call, greater ones are written', (t) => {
  for (const initial of [0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    using counter = new EventFd({ initial })
    t.equal(counter.read(), initial || null)
  }
  for (const initial of [0n, 2n ** 31n, 2n ** 32n, 2n ** 63n, MAX]) {
    using counter = new EventFd({ initial })
    t.equal(counter.readBig(), initial || null)
  }
})

test('numbers and bigints are written over the full range', (t) => {
  using counter = new EventFd()
  for (const value of [1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER]) {
    t.equal(counter.write(value), true)
    t.equal(counter.read(), value)
  }
  for (const value of [1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, MAX]) {
    t.equal(counter.write(value), true)
    t.equal(counter.readBig(), value)
  }
})

test('adding 0 leaves it as it is', (t) => {
  using counter = new EventFd()
  t.equal(counter.write(0), true)
  t.equal(counter.write(0n), true)
  t.equal(counter.read(), null)
})

test('an overflow would block: false, and the count stays', (t) => {
  using counter = new EventFd({ initial: MAX })
  t.equal(counter.write(), false)
  t.equal(counter.write(MAX), false)
  t.equal(counter.write(0), true)
  t.equal(poll(counter.fd, EPOLLIN | EPOLLOUT), EPOLLIN)
  t.equal(counter.readBig(), MAX)
  t.equal(counter.write(), true)
})

test('read() refuses a count that no number holds exactly, and keeps it for readBig()', (t) => {
  using counter = new EventFd()
  for (const count of [2n ** 53n, MAX]) {
    counter.write(count)
    t.throws(() => counter.read(), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    t.throws(() => counter.read(), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    t.equal(counter.readBig(), count)
    t.equal(counter.readBig(), null)
  }
})

test('2^64 - 1 is the kernel’s to refuse', (t) => {
  using counter = new EventFd()
  const { fd } = counter
  t.throws(() => counter.write(MAX + 1n), { code: 'EINVAL', errno: -22, syscall: 'write', fd })
  t.equal(counter.read(), null)
})

test('a semaphore is taken one by one', (t) => {
  using counter = new EventFd({ initial: 2, semaphore: true })
  t.equal(counter.read(), 1)
  t.equal(counter.readBig(), 1n)
  t.equal(counter.read(), null)
  counter.write(MAX)
  t.equal(counter.read(), 1)
  t.equal(counter.write(2), false)
})

test('a dup shares the count', (t) => {
  using counter = new EventFd()
  using twin = counter.dup()
  twin.write(word(7n))
  t.equal(counter.read(), 7)
})

test('arguments are checked before the kernel sees them', (t) => {
  const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
  const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }
  for (const initial of [-1, 1.5, Number.NaN, 2 ** 53, -1n, MAX + 1n]) {
    t.throws(() => new EventFd({ initial }), outOfRange)
  }
  for (const initial of ['1', null, true, {}]) {
    t.throws(() => new EventFd({ initial: initial as never }), wrongType)
  }
  t.throws(() => new EventFd({ semaphore: EFD_SEMAPHORE as never }), wrongType)
  t.throws(() => new EventFd(null as never), wrongType)
  t.throws(() => new EventFd(3 as never), wrongType)

  using counter = new EventFd()
  for (const n of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1n, 2n ** 64n]) {
    t.throws(() => counter.write(n), outOfRange)
  }
  for (const n of ['1', null, {}]) t.throws(() => counter.write(n as never), wrongType)
  t.equal(counter.read(), null)
})

test('once closed it can’t be used', (t) => {
  const counter = new EventFd()
  counter.close()
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.equal(counter.closed, true)
  t.throws(() => counter.fd, closed)
  t.throws(() => counter.write(), closed)
  t.throws(() => counter.read(), closed)
  t.throws(() => counter.readBig(), closed)
  counter.close()
})

test('what was closed without genpoll can be neither read nor written', (t) => {
  const counter = new EventFd()
  closeSync(counter.fd)
  t.throws(() => counter.read(), { code: 'EBADF', syscall: 'read' })
  t.throws(() => counter.write(), { code: 'EBADF', syscall: 'write' })
  t.throws(() => counter.close(), { code: 'EBADF', syscall: 'close' })
  t.equal(counter.closed, true)
})
