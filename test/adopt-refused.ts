// Epoll.adopt of what can't be adopted: a typed error, and the number is left as it was.

import { openSync } from 'node:fs'
import { Epoll, EventFd, Fd, O_CLOEXEC } from 'genpoll'
import * as sys from 'genpoll/sys'
import { openDescriptors, test } from './fixtures/check.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'

const O_PATH = 0o10000000

const KINDS: Record<string, (fds: Descriptors) => number> = {
  'a pipe': (fds) => fds.pipe()[0],
  'a socket': (fds) => fds.pair()[0],
  'an eventfd': (fds) => fds.eventfd(),
  'a timerfd': (fds) => fds.own(sys.timerfd_create(sys.CLOCK_MONOTONIC, 0)),
  'a regular file': (fds) => fds.own(openSync(process.execPath, 'r')),
  'a directory': (fds) => fds.own(openSync('/', 'r')),
  'an O_PATH descriptor': (fds) => fds.own(openSync('/dev/null', O_PATH | O_CLOEXEC)),
}

for (const [kind, open] of Object.entries(KINDS)) {
  test(`${kind}: EINVAL`, (t) => {
    using fds = new Descriptors()
    const fd = open(fds)
    const flags = sys.fcntl_getfd(fd)
    const before = openDescriptors()
    t.throws(() => Epoll.adopt(fd), { ...errno('EINVAL', 'adopt'), fd })
    t.strictSame(openDescriptors(), before)
    t.equal(sys.fcntl_getfd(fd), flags)
    using owner = Fd.adopt(fd)
    t.equal(owner.closed, false, 'nobody owns it')
    owner.release()
  })
}

test('a number that names nothing: EBADF', (t) => {
  t.throws(() => Epoll.adopt(NOT_OPEN), { ...errno('EBADF', 'adopt'), fd: NOT_OPEN })
})

test('the lowest number that names nothing, which the kernel would give out next: EBADF', (t) => {
  const fd = sys.epoll_create1(0)
  sys.close(fd)
  t.throws(() => Epoll.adopt(fd), { ...errno('EBADF', 'adopt'), fd })
  t.throws(() => sys.fcntl_getfd(fd), { code: 'EBADF' })
})

test('what is owned already: EEXIST, and it works on', (t) => {
  using epoll = new Epoll()
  t.throws(() => Epoll.adopt(epoll.fd), { ...errno('EEXIST', 'adopt'), fd: epoll.fd })
  using bell = new EventFd({ initial: 1 })
  epoll.add(bell, sys.EPOLLIN, undefined)
  t.equal(
    epoll.wait(0, () => {}),
    1,
  )
  using owner = Fd.adopt(sys.epoll_create1(0))
  t.throws(() => Epoll.adopt(owner.fd), { ...errno('EEXIST', 'adopt'), fd: owner.fd })
  t.equal(owner.closed, false)
  using taken = Epoll.adopt(owner.release())
  t.equal(taken.size, 0, 'handed over')
})

test('bad options: nothing is taken over', (t) => {
  using fds = new Descriptors()
  const fd = fds.epoll()
  const bad = [{ takeOver: 1 }, { maxEvents: 0 }, { verify: 'sometimes' }, { onStale: 1 }, null]
  for (const options of bad as object[]) {
    t.throws(() => Epoll.adopt(fd, options), { code: /^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/ })
  }
  Fd.adopt(fd).release()
  t.throws(() => Epoll.adopt('3' as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.throws(() => Epoll.adopt(-1), { code: 'ERR_OUT_OF_RANGE' })
})
