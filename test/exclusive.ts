import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { refused } from './fixtures/errno.js'
import { add, Descriptors, modify, remove, wait, write } from './fixtures/kernel.js'

const { EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLOUT } = sys
const { EPOLLONESHOT, EPOLLPRI, EPOLLRDHUP, EPOLLWAKEUP } = sys

test('C166 an exclusive entry is reported as any other', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN | EPOLLEXCLUSIVE])
  write(writing, 'x')
  t.strictSame(wait(epfd), [[EPOLLIN, reading]])
})

test('C167 without it one write wakes all the processes that watch a pipe', async (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const program = fileURLToPath(new URL('fixtures/children/pipe-waiter.mjs', import.meta.url))
  const waiters = Array.from({ length: 8 }, () => {
    const child = spawn(process.execPath, [program], {
      stdio: ['ignore', 'pipe', 'inherit', reading],
    })
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    return { child, lines, closed: once(child, 'close') }
  })
  try {
    for (const { child, lines } of waiters) {
      await untilBlocked('epoll_pwait', Number((await lines.next()).value), 1, child.pid)
    }
    write(writing, 'x')
    for (const { lines } of waiters) t.equal((await lines.next()).value, `1 ${EPOLLIN}`)
  } finally {
    for (const { child } of waiters) child.kill('SIGKILL')
    await Promise.all(waiters.map(({ closed }) => closed))
  }
})

test('an exclusive entry goes with few other flags', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const fd = fds.eventfd()
  for (const flag of [EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLWAKEUP, EPOLLET]) {
    add(epfd, fd, flag | EPOLLEXCLUSIVE)
    remove(epfd, fd)
  }
  for (const flag of [EPOLLPRI, EPOLLRDHUP, EPOLLONESHOT]) {
    t.throws(() => add(epfd, fd, flag | EPOLLEXCLUSIVE), refused('EINVAL'), `flag ${flag}`)
  }
})

test('an epoll can not be watched exclusively', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  t.throws(() => add(epfd, fds.epoll(), EPOLLIN | EPOLLEXCLUSIVE), refused('EINVAL'))
})

test('exclusive is for adding: an entry is not changed to it or from it', (t) => {
  using fds = new Descriptors()
  const [plain, exclusive] = [fds.eventfd(), fds.eventfd()]
  const epfd = fds.epoll([plain, EPOLLIN], [exclusive, EPOLLIN | EPOLLEXCLUSIVE])
  t.throws(() => modify(epfd, plain, EPOLLIN | EPOLLEXCLUSIVE), refused('EINVAL'))
  t.throws(() => modify(epfd, exclusive, EPOLLIN), refused('EINVAL'))
})

test('a registration whose change is refused stays as it was', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<null>()
  const fd = fds.eventfd(1)
  const mask = EPOLLIN | EPOLLEXCLUSIVE
  const registration = epoll.add(fd, mask, null)
  t.throws(() => registration.modify(EPOLLOUT), { ...refused('EINVAL'), op: 'EPOLL_CTL_MOD', fd })
  t.equal(registration.events, mask)
  t.equal(registration.state, 'active')
  t.equal(
    epoll.wait(0, (_, events) => t.equal(events, EPOLLIN)),
    1,
  )
})
