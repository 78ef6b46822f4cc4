// Registration.verify: the kernel's word on whether a number still names what was registered.

import { EPOLLET, EPOLLIN, EPOLLONESHOT, Epoll, EventFd, Fd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { ready, recycle } from './fixtures/descriptors.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'
import { withReplaced } from './fixtures/replaced.js'

test('current, and neither an edge nor a one-shot is touched', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const edge = epoll.add(fds.eventfd(1), EPOLLIN | EPOLLET, 'edge')
  const once = epoll.add(fds.eventfd(1), EPOLLIN | EPOLLONESHOT, 'once')
  const idle = epoll.add(fds.eventfd(), EPOLLIN, 'idle')
  const all = [edge, once, idle]
  const verdicts = () => all.map((registration) => registration.verify())
  t.strictSame(verdicts(), ['current', 'current', 'current'])
  t.strictSame(delivered(epoll).sort(), ['edge', 'once'])
  t.strictSame(verdicts(), ['current', 'current', 'current'])
  t.strictSame(delivered(epoll), [])
  t.strictSame(
    all.map(({ state }) => state),
    ['active', 'disarmed', 'active'],
  )
})

test('replaced, and stale from then on', (t) => {
  withReplaced({}, ({ epoll, registration }) => {
    t.equal(registration.verify(), 'replaced')
    t.equal(registration.state, 'stale')
    t.equal(registration.verify(), 'replaced')
    t.equal(epoll.size, 0)
  })
})

test('closed, and stale from then on', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const fd = sys.dup(fds.eventfd())
  const registration = epoll.add(fd, EPOLLIN, undefined)
  host.close(fd)
  t.equal(registration.verify(), 'closed')
  t.equal(registration.state, 'stale')
  t.equal(registration.verify(), 'closed')
  t.equal(epoll.size, 0)
})

test('closed through genpoll', (t) => {
  using epoll = new Epoll()
  const bell = new EventFd()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  bell.close()
  t.equal(registration.verify(), 'closed')
  using next = new EventFd()
  t.equal(registration.verify(), 'closed', `whoever has number ${next.fd} now`)
})

test('of a number that genpoll owns, too', (t) => {
  using epoll = new Epoll()
  const bell = new EventFd()
  const { fd } = bell
  const registration = epoll.add(bell, EPOLLIN, undefined)
  t.equal(registration.verify(), 'current')
  recycle(fd)
  t.equal(registration.verify(), 'replaced')
  t.equal(bell.closed, true)
  bell.close()
  using stranger = Fd.adopt(fd)
  t.equal(stranger.closed, false, 'still open')
})

test('of a removed one: StaleRegistrationError', (t) => {
  using bell = ready()
  const epoll = new Epoll()
  const removed = { name: 'StaleRegistrationError', code: 'ENOENT', reason: 'removed' }
  const registration = epoll.add(bell, EPOLLIN, undefined)
  registration.remove()
  t.throws(() => registration.verify(), removed)
  const left = epoll.add(bell, EPOLLIN, undefined)
  epoll.close()
  t.throws(() => left.verify(), removed)
})
