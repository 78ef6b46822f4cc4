// A number whose generations are used up: they can't tell its meanings apart any more, and so the
// kernel is asked each time. In a file of its own: what is worn stays so for the process.

import { createRequire } from 'node:module'
import {
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  Epoll,
  EventFd,
  FD_CLOEXEC,
  Fd,
  fdTable,
  type OwnedFd,
  PidFd,
  SignalFd,
  TimerFd,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { alias, ReportingEpoll } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { errno } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

const LAST = 0xffffffff

const { generations }: { generations: Int32Array } = createRequire(import.meta.url)(
  '../build/Release/genpoll.node',
)

// Above what anybody here has open: what a test wears is no other's.
let unused = 900

/** A readable eventfd, unless told, under a number whose counter runs full at its next change. */
function aged(fds: Descriptors, count = 1): number {
  const fd = fds.own(sys.dup3(fds.eventfd(count), unused++, sys.O_CLOEXEC))
  generations[fd] = LAST
  return fd
}

/** The same, with its generations used up. */
function worn(fds: Descriptors, count = 1): number {
  const fd = aged(fds, count)
  fdTable.retire(fd)
  return fd
}

test('the last generation is as good as any, and there is none after it', (t) => {
  const fd = sys.eventfd(0, 0)
  generations[fd] = LAST - 1
  fdTable.retire(fd)
  const last = fdTable.token(fd)
  t.strictSame(last, { fd, generation: LAST })
  t.equal(fdTable.isCurrent(last), true)
  sys.close(fd)
  t.equal(fdTable.isCurrent(last), false)
  for (let i = 0; i < 3; i++) {
    t.equal(fdTable.generation(fd), 0)
    t.strictSame(fdTable.token(fd), { fd, generation: 0 })
    t.equal(sys.eventfd(0, 0), fd)
    t.equal(fdTable.isCurrent(fdTable.token(fd)), false)
    for (const generation of [0, 1, 2, LAST]) t.equal(fdTable.isCurrent({ fd, generation }), false)
    sys.close(fd)
  }
})

test('what genpoll makes gets another number', (t) => {
  using original = new EventFd()
  const makes: Record<string, () => OwnedFd | Epoll> = {
    EventFd: () => new EventFd({ initial: 3 }),
    TimerFd: () => new TimerFd(),
    SignalFd: () => new SignalFd(['SIGUSR2']),
    PidFd: () => new PidFd(process.pid),
    Epoll: () => new Epoll(),
    'Fd.dup': () => original.dup(),
  }
  const next = sys.eventfd(0, 0)
  generations[next] = LAST
  sys.close(next)
  for (const [name, make] of Object.entries(makes)) {
    using made = make()
    t.not(made.fd, next, name)
    t.equal(sys.fcntl_getfd(made.fd), FD_CLOEXEC)
    t.not(fdTable.generation(made.fd), 0)
    t.throws(() => sys.fcntl_getfd(next), { code: 'EBADF' }, 'the kernel’s choice is closed')
    if (made instanceof EventFd) t.equal(made.read(), 3)
  }
})

test('adopting one: EOVERFLOW, and it is left open', (t) => {
  using fds = new Descriptors()
  const fd = worn(fds)
  const refused = { ...errno('EOVERFLOW', 'adopt'), fd }
  t.throws(() => Fd.adopt(fd), refused)
  t.equal(sys.eventfd_read(fd), 1n)
  sys.dup3(fds.epoll(), fd, sys.O_CLOEXEC)
  t.throws(() => Epoll.adopt(fd), refused)
  t.equal(sys.fcntl_getfd(fd), FD_CLOEXEC)
})

for (const verify of ['foreign', 'always', 'never'] as const) {
  test(`verify ${verify}: a registration works, and the kernel is asked before its handler`, (t) => {
    using fds = new Descriptors()
    using epoll = new Epoll<string>({ verify })
    const fd = worn(fds)
    const old = fds.own(alias(fd))
    const registration = epoll.add(fd, EPOLLIN, 'data')
    t.equal(registration.state, 'active')
    t.equal(registration.verify(), 'current')
    t.equal(epoll.get(fd), registration)
    t.strictSame(delivered(epoll), ['data'])
    t.match(epoll.audit(), {
      entries: [{ fd, generation: registration.generation, status: 'live' }],
      counts: { live: 1, zombie: 0, lost: 0, replaced: 0 },
    })
    host.dup2(fds.eventfd(1), fd)
    sys.eventfd_write(old, 1)
    t.strictSame(delivered(epoll), [])
    t.equal(registration.state, 'stale')
    t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'replaced' })
  })
}

test('modify and remove', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = worn(fds)
  const registration = epoll.add(fd, EPOLLIN | EPOLLONESHOT, 'data')
  t.strictSame(delivered(epoll), ['data'])
  t.equal(registration.state, 'disarmed')
  registration.modify(EPOLLOUT)
  epoll.wait(0, (_, events) => t.equal(events, EPOLLOUT))
  t.equal(registration.remove(), true)
  t.equal(registration.state, 'removed')
  t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'removed' })
  t.strictSame(delivered(epoll), [])
  t.strictSame(epoll.audit().entries, [])
  const [again] = epoll.addAll([[fd, EPOLLIN, 'again']])
  t.not(again!.generation, 0)
  t.strictSame(delivered(epoll), ['again'])
  epoll.rebuild()
  t.strictSame(delivered(epoll), ['again'])
})

test('closing it through genpoll takes it out of every Epoll', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = worn(fds)
  fds.own(alias(fd))
  const registration = epoll.add(fd, EPOLLIN, 'data')
  fds.close(fd)
  t.equal(registration.state, 'stale')
  t.equal(epoll.size, 0)
  t.strictSame(delivered(epoll), [])
  t.equal(epoll.stats.stale, 0)
  t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'closed' })
})

test('a zombie isn’t taken for the next registration, nor the other way round', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = worn(fds, 0)
  const old = fds.own(alias(fd))
  const former = epoll.add(fd, EPOLLIN, 'former')
  host.dup2(fds.eventfd(), fd)
  const next = epoll.add(fd, EPOLLIN, 'next')
  t.not(next.generation, former.generation)
  t.equal(former.state, 'stale')
  sys.eventfd_write(old, 1)
  t.strictSame(delivered(epoll), [])
  t.ok(epoll.stats.stale > 0)
  t.strictSame(
    new Set(epoll.reports.map(({ generation }) => generation)),
    new Set([former.generation]),
  )
  sys.eventfd_write(fd, 1)
  t.strictSame(delivered(epoll), ['next'])
  epoll.audit({ repair: true })
  t.strictSame(delivered(epoll), ['next'])
  t.strictSame(epoll.audit().counts, { live: 1, zombie: 0, lost: 0, replaced: 0 })
})

test('recycled by a handler of the same batch', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<number>()
  const numbers = [worn(fds), worn(fds)]
  const other = fds.eventfd(1)
  epoll.addAll(numbers.map((fd) => [fd, EPOLLIN | EPOLLET, fd]))
  const seen: number[] = []
  epoll.wait(0, ({ fd }) => {
    if (seen.push(fd) > 1) return
    const second = numbers.find((number) => number !== fd)!
    sys.dup3(other, second, 0)
    epoll.add(second, EPOLLIN | EPOLLET, -1)
  })
  t.equal(seen.length, 1)
  t.strictSame(delivered(epoll), [-1])
})

test('Epoll.replace and onReplaced: follow', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  using other = new Epoll<string>()
  const fd = worn(fds, 0)
  fds.own(alias(fd))
  const registration = epoll.add(fd, EPOLLIN, 'here', { onReplaced: 'follow' })
  other.add(fd, EPOLLIN, 'there')
  const former = registration.generation
  epoll.replace(fds.eventfd(1), fd)
  t.strictSame(delivered(other), ['there'])
  t.strictSame(delivered(epoll), ['here'])
  t.not(registration.generation, former)
  host.dup2(fds.eventfd(7), fd)
  t.equal(registration.verify(), 'replaced')
  t.strictSame(delivered(epoll), ['here'])
  t.equal(sys.eventfd_read(fd), 7n)
})

test('a registration whose number is used up under it ends, or follows', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>({ verify: 'never' })
  for (const onReplaced of ['stale', 'follow'] as const) {
    const fd = aged(fds)
    const registration = epoll.add(fd, EPOLLIN, onReplaced, { onReplaced })
    t.equal(registration.generation, LAST)
    fdTable.retire(fd)
    t.equal(registration.state, onReplaced === 'follow' ? 'active' : 'stale')
    t.strictSame(delivered(epoll), onReplaced === 'follow' ? ['follow'] : [])
  }
})

test('an Fd whose number is used up under it is its owner still, until it is closed', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  using bell = new EventFd()
  const { fd } = bell
  generations[fd] = LAST
  const registration = epoll.add(bell, EPOLLIN, 'bell')
  epoll.replace(fds.eventfd(5), bell)
  t.equal(fdTable.generation(fd), 0)
  t.equal(bell.closed, false)
  t.equal(registration.state, 'active')
  t.strictSame(delivered(epoll), ['bell'])
  t.equal(bell.read(), 5)
  bell.close()
  t.equal(registration.state, 'stale')
  t.equal(fds.eventfd(9), fd, 'a stranger has it')
  t.equal(bell.closed, true)
  t.throws(() => bell.read(), { name: 'ClosedError' })
  t.throws(() => epoll.add(bell, EPOLLIN, 'bell'), { name: 'ClosedError' })
  bell.close()
  t.equal(sys.eventfd_read(fd), 9n)
})
