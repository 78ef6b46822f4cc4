import { closeSync, openSync } from 'node:fs'
import {
  EPOLL_CTL_DEL,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  EPOLLOUT,
  Epoll,
  EventFd,
  Fd,
  fdTable,
  type Registration,
  StaleRegistrationError,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { test } from './fixtures/check.js'
import { ready, recycle } from './fixtures/descriptors.js'

const ignore = (): void => {}

/** Asserts that a registration is dead, and for which reason. */
function assertDead(
  t: Test,
  registration: Registration<unknown>,
  reason: 'closed' | 'replaced' | 'removed',
): void {
  const { fd, generation } = registration
  const expected = { name: 'StaleRegistrationError', code: 'ENOENT', errno: -2, reason }
  t.throws(() => registration.modify(EPOLLIN), {
    ...expected,
    syscall: 'epoll_ctl',
    op: 'EPOLL_CTL_MOD',
    fd,
    generation,
  })
  t.equal(registration.state, reason === 'removed' ? 'removed' : 'stale')
  t.equal(registration.remove(), false)
}

test('modify asks for other events', (t) => {
  using epoll = new Epoll()
  using bell = new EventFd()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  t.equal(epoll.wait(0, ignore), 0)
  registration.modify(EPOLLOUT)
  t.equal(registration.events, EPOLLOUT)
  t.equal(
    epoll.wait(0, (_, events) => t.equal(events, EPOLLOUT)),
    1,
  )
  registration.modify(0)
  t.equal(epoll.wait(0, ignore), 0)
})

test('modify that the kernel refuses changes nothing', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN | EPOLLEXCLUSIVE, undefined)
  const expected = { name: 'ErrnoError', code: 'EINVAL', op: 'EPOLL_CTL_MOD', fd: bell.fd }
  t.throws(() => registration.modify(EPOLLOUT), expected)
  t.equal(registration.events, EPOLLIN | EPOLLEXCLUSIVE)
  t.equal(registration.state, 'active')
  t.equal(epoll.wait(0, ignore), 1)
})

test('data may be changed, also by a handler', (t) => {
  using epoll = new Epoll<number>()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN, 1)
  const seen: number[] = []
  for (let i = 0; i < 3; i++) epoll.wait(0, (event) => seen.push(event.data++))
  t.strictSame(seen, [1, 2, 3])
  t.equal(registration.data, 4)
})

test('remove takes it out, once', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  t.equal(registration.remove(), true)
  assertDead(t, registration, 'removed')
  t.equal(epoll.wait(0, ignore), 0)
  t.equal(epoll.stats.stale, 0)
  t.equal(epoll.add(bell, EPOLLIN, undefined).state, 'active', 'it can be added again')
})

test('remove says whether the kernel held it', (t) => {
  using epoll = new Epoll()
  using bell = new EventFd()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  sys.epoll_ctl(epoll.fd, EPOLL_CTL_DEL, bell.fd)
  t.equal(registration.remove(), false)
  t.equal(epoll.size, 0)
})

test('closing the descriptor makes it stale and takes it out of the kernel’s list', (t) => {
  const closings: ((bell: EventFd) => void)[] = [
    (bell) => bell.close(),
    ({ fd }) => sys.close(fd),
    (bell) => closeSync(bell.release()),
  ]
  for (const close of closings) {
    using epoll = new Epoll()
    const bell = ready()
    using dup = bell.dup() // keeps the file, and would keep the entry with it
    const registration = epoll.add(bell, EPOLLIN, undefined)
    const former = registration.generation
    close(bell)
    assertDead(t, registration, 'closed')
    t.equal(registration.generation, former)
    t.equal(epoll.size, 0)
    t.equal(epoll.wait(0, ignore), 0)
    t.equal(epoll.stats.stale, 0)
    dup.close()
  }
})

test('a dup3 over the descriptor makes it stale', (t) => {
  using epoll = new Epoll()
  const bell = ready()
  using other = ready()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  const { fd } = bell
  sys.dup3(other.fd, fd, 0)
  assertDead(t, registration, 'closed')
  t.equal(bell.closed, true)
  t.equal(epoll.wait(0, ignore), 0)
  sys.close(fd)
})

test('a dup3 that fails costs no registration', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const { fd } = bell
  const registration = epoll.add(bell, EPOLLIN, undefined)
  t.throws(() => sys.dup3(-1, fd, 0), { code: 'EBADF' })
  t.throws(() => sys.dup3(epoll.fd, fd, 1), { code: 'EINVAL' })
  t.throws(() => sys.dup3(fd, fd, 0), { code: 'EINVAL' })
  t.equal(registration.state, 'active')
  t.equal(epoll.wait(0, ignore), 1)
})

test('a descriptor in several Epolls leaves them all', (t) => {
  using first = new Epoll()
  using second = new Epoll()
  const bell = ready()
  using dup = bell.dup()
  const registrations = [first, second].map((epoll) => epoll.add(bell, EPOLLIN, undefined))
  bell.close()
  for (const registration of registrations) assertDead(t, registration, 'closed')
  for (const epoll of [first, second]) {
    epoll.wait(0, ignore)
    t.strictSame(epoll.stats, { waits: 1, delivered: 0, stale: 0, rebuilds: 0 })
  }
  dup.close()
})

test('the number’s next owner starts afresh', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  using number = bell.dup()
  const { fd } = number
  const former = epoll.add(number, EPOLLIN | EPOLLET, 'former')
  number.close()
  sys.dup3(bell.fd, fd, 0)
  using next = Fd.adopt(fd)
  const registration = epoll.add(next, EPOLLIN, 'next')
  t.not(registration.generation, former.generation)
  t.equal(registration.state, 'active')
  t.equal(epoll.get(next), registration)
  t.equal(epoll.size, 1)
  t.equal(
    epoll.wait(0, ({ data }) => t.equal(data, 'next')),
    1,
  )
  assertDead(t, former, 'closed')
  t.equal(epoll.size, 1)
})

test('closed without genpoll, modify and remove find out', (t) => {
  for (const useIt of [
    (registration: Registration<unknown>) => assertDead(t, registration, 'closed'),
    (registration: Registration<unknown>) => t.equal(registration.remove(), false),
  ]) {
    using epoll = new Epoll()
    const fd = openSync('/dev/random', 'r')
    const registration = epoll.add(fd, EPOLLIN, undefined)
    closeSync(fd)
    useIt(registration)
    t.equal(registration.state, 'stale')
    t.equal(epoll.size, 0)
  }
})

test('recycled without genpoll, modify finds another file and leaves it alone', (t) => {
  using epoll = new Epoll()
  const fd = openSync('/dev/random', 'r')
  const registration = epoll.add(fd, EPOLLIN, undefined)
  recycle(fd)
  assertDead(t, registration, 'replaced')
  t.equal(epoll.size, 0)
  t.equal(epoll.wait(0, ignore), 0)
  closeSync(fd)
})

test('recycled without genpoll, remove finds another file and leaves it alone', (t) => {
  using epoll = new Epoll()
  const fd = openSync('/dev/random', 'r')
  const registration = epoll.add(fd, EPOLLIN, undefined)
  recycle(fd)
  t.equal(registration.remove(), false)
  assertDead(t, registration, 'replaced')
  t.not(epoll.add(fd, EPOLLIN, undefined).generation, registration.generation)
  closeSync(fd)
})

test('recycled without genpoll, the number can be added: the former is replaced', (t) => {
  for (const addAll of [false, true]) {
    using epoll = new Epoll<string>()
    const fd = openSync('/dev/random', 'r')
    const former = epoll.add(fd, EPOLLIN, 'former')
    recycle(fd)
    const add = (data: string): Registration<string> =>
      addAll ? epoll.addAll([[fd, EPOLLIN, data]])[0]! : epoll.add(fd, EPOLLIN, data)
    const registration = add('next')
    t.not(registration.generation, former.generation)
    t.equal(epoll.get(fd), registration)
    t.equal(epoll.size, 1)
    assertDead(t, former, 'replaced')
    t.equal(registration.state, 'active')
    t.equal(
      epoll.wait(0, ({ data }) => t.equal(data, 'next')),
      1,
    )
    t.throws(() => add('once more'), { code: 'EEXIST' })
    closeSync(fd)
  }
})

test('a retired number whose file is still there can be added anew', (t) => {
  for (const removes of [false, true]) {
    using epoll = new Epoll<string>()
    const fd = openSync('/dev/random', 'r')
    const former = epoll.add(fd, EPOLLIN, 'former')
    fdTable.retire(fd)
    t.equal(former.state, 'stale')
    if (removes) former.remove()
    const registration = epoll.add(fd, EPOLLIN, 'next')
    t.equal(epoll.size, 1)
    t.equal(
      epoll.wait(0, ({ data }) => t.equal(data, 'next')),
      1,
    )
    t.equal(registration.remove(), true)
    closeSync(fd)
  }
})

test('a retired number whose file is still there can be removed', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const fd = sys.dup(bell.fd)
  const registration = epoll.add(fd, EPOLLIN, undefined)
  fdTable.retire(fd)
  t.equal(registration.remove(), true)
  t.equal(registration.state, 'stale')
  epoll.wait(0, ignore)
  t.equal(epoll.stats.stale, 0)
  sys.close(fd)
})

test('a retired number leaves the kernel’s list when it is closed', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const fd = sys.dup(bell.fd)
  epoll.add(fd, EPOLLIN, undefined)
  fdTable.retire(fd)
  sys.close(fd)
  epoll.wait(0, ignore)
  t.equal(epoll.stats.stale, 0)
})

test('an Fd that lost its number behind genpoll’s back can’t be added for the stranger', (t) => {
  using epoll = new Epoll()
  const bell = new EventFd()
  const { fd } = bell
  const registration = epoll.add(bell, EPOLLIN, undefined)
  recycle(fd)
  t.throws(() => epoll.add(bell, EPOLLIN, undefined), { name: 'ClosedError' })
  assertDead(t, registration, 'replaced')
  t.equal(bell.closed, true)
  t.equal(epoll.size, 0)
  t.equal(epoll.wait(0, ignore), 0)
  bell.close()
  closeSync(fd)
})

test('StaleRegistrationError is an ErrnoError', (t) => {
  using epoll = new Epoll()
  using bell = new EventFd()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  registration.remove()
  t.throws(() => registration.modify(EPOLLIN), StaleRegistrationError)
})

test('remove says so when the epoll itself was replaced without genpoll', (t) => {
  using bell = new EventFd()
  const epoll = new Epoll()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  closeSync(epoll.fd)
  t.equal(openSync('/dev/null', 'r'), epoll.fd, 'a file that is no epoll has its number')
  t.throws(() => registration.remove(), { code: 'EINVAL', syscall: 'epoll_ctl' })
  sys.close(epoll.fd)
})
