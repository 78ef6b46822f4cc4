// Epoll.audit: the kernel's interest list against ours, in one process.

import {
  type AuditEntry,
  EPOLL_CTL_DEL,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  Epoll,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { alias, ReportingEpoll } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { ready } from './fixtures/descriptors.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

const clean = { live: 0, zombie: 0, lost: 0, replaced: 0 }
/** What the kernel adds to every mask. */
const ALWAYS = EPOLLERR | EPOLLHUP

/** The entries by number; what the kernel orders them by is its own. */
function entriesOf(epoll: Epoll<string>): AuditEntry[] {
  const order = ({ fd, status }: AuditEntry) => `${fd}`.padStart(8) + status
  return [...epoll.audit().entries].sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

test('of an empty Epoll', (t) => {
  using epoll = new Epoll()
  t.strictSame(epoll.audit(), { entries: [], counts: clean })
  t.strictSame(epoll.audit({ repair: true }), { entries: [], counts: clean })
})

test('live: the number, its generation and the mask that the kernel has', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const masks = [EPOLLIN, EPOLLOUT | EPOLLET, 0, EPOLLIN | EPOLLONESHOT]
  const registrations = masks.map((mask) => epoll.add(fds.eventfd(1), mask, 'data'))
  const expected = registrations.map(({ fd, generation, events }) => {
    return { fd, generation, events: (events | ALWAYS) >>> 0, status: 'live' }
  })
  t.strictSame(entriesOf(epoll), expected)
  t.strictSame(epoll.audit({ repair: true }).counts, { ...clean, live: 4 })
  delivered(epoll)
  expected[3]!.events = EPOLLONESHOT
  t.strictSame(entriesOf(epoll), expected, 'a disarmed one-shot has no events left')
  registrations[0]!.remove()
  t.strictSame(entriesOf(epoll), expected.slice(1))
})

test('an audit changes nothing, not even what is ready', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  epoll.add(fds.eventfd(1), EPOLLIN | EPOLLET, 'edge')
  epoll.audit()
  t.strictSame(delivered(epoll), ['edge'])
  epoll.audit()
  t.strictSame(delivered(epoll), [])
})

test('zombie: the number is closed, something keeps the file', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = sys.eventfd(0, 0)
  fds.own(alias(fd))
  const { generation } = epoll.add(fd, EPOLLIN, 'data')
  host.close(fd)
  const registration = epoll.get(fd)!
  t.equal(registration.verify(), 'closed')
  const found = {
    entries: [{ fd, generation, events: EPOLLIN | ALWAYS, status: 'zombie' }],
    counts: { ...clean, zombie: 1 },
  }
  t.strictSame(epoll.audit(), found)
  t.strictSame(epoll.reports, [])
  t.strictSame(epoll.audit({ repair: true }), found)
  t.match(epoll.reports, [
    { fd, generation, events: [], cause: 'closed', action: 'deferred' },
    { fd, generation, events: [], cause: 'closed', action: 'rebuilt' },
  ])
  t.equal(epoll.reports.length, 2)
  t.equal(epoll.stats.rebuilds, 1)
  t.strictSame(epoll.audit().entries, [])
})

test('zombie: deleted without a rebuild where genpoll knows another number for its file', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = fds.eventfd()
  fds.own(sys.dup(fd))
  const { generation } = epoll.add(fd, EPOLLIN, 'data')
  host.dup2(fds.eventfd(), fd)
  const next = epoll.add(fd, EPOLLIN, 'next')
  t.strictSame(entriesOf(epoll), [
    { fd, generation: next.generation, events: EPOLLIN | ALWAYS, status: 'live' },
    { fd, generation, events: EPOLLIN | ALWAYS, status: 'zombie' },
  ])
  t.strictSame(epoll.audit({ repair: true }).counts, { ...clean, zombie: 1, live: 1 })
  t.match(epoll.reports, [{ fd, generation, cause: 'replaced', action: 'deleted' }])
  t.equal(epoll.stats.rebuilds, 0)
  t.strictSame(epoll.audit().counts, { ...clean, live: 1 })
  sys.eventfd_write(fd, 1)
  t.strictSame(delivered(epoll), ['next'])
})

test('zombie: what was never registered here', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = fds.eventfd(1)
  sys.epoll_ctl(epoll.fd, sys.EPOLL_CTL_ADD, fd, EPOLLIN, fd, 7)
  t.strictSame(epoll.audit({ repair: true }).entries, [
    { fd, generation: 7, events: EPOLLIN | ALWAYS, status: 'zombie' },
  ])
  t.match(epoll.reports, [{ fd, generation: 7, cause: 'unknown', action: 'deleted' }])
  t.strictSame(epoll.audit().entries, [])
})

test('lost: an owned descriptor’s entry was deleted, and is put back', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN | EPOLLET, 'data')
  const { fd, generation, events } = registration
  t.strictSame(delivered(epoll), ['data'])
  sys.epoll_ctl(epoll.fd, EPOLL_CTL_DEL, fd)
  const found = {
    entries: [{ fd, generation, events, status: 'lost' }],
    counts: { ...clean, lost: 1 },
  }
  t.strictSame(epoll.audit(), found)
  t.strictSame(epoll.audit({ repair: true }), found)
  t.equal(registration.state, 'active')
  t.equal(registration.generation, generation)
  t.equal(epoll.get(fd), registration)
  t.equal(epoll.size, 1)
  t.strictSame(epoll.audit().counts, { ...clean, live: 1 })
  t.strictSame(delivered(epoll), ['data'])
})

test('lost: a disarmed one-shot is put back disarmed', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN | EPOLLONESHOT, 'data')
  t.strictSame(delivered(epoll), ['data'])
  sys.epoll_ctl(epoll.fd, EPOLL_CTL_DEL, bell.fd)
  epoll.audit({ repair: true })
  t.equal(registration.state, 'disarmed')
  t.strictSame(delivered(epoll), [])
  registration.modify(EPOLLIN)
  t.strictSame(delivered(epoll), ['data'])
})

test('lost: modify finds out that somebody else has removed it', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  sys.epoll_ctl(epoll.fd, EPOLL_CTL_DEL, bell.fd)
  t.throws(() => registration.modify(EPOLLIN), {
    name: 'StaleRegistrationError',
    code: 'ENOENT',
    reason: 'removed',
  })
  t.equal(registration.state, 'removed')
  t.strictSame(epoll.audit().entries, [])
  t.equal(bell.closed, false)
  t.equal(epoll.add(bell, EPOLLIN, undefined).state, 'active')
})

test('lost: a foreign number’s file is gone, and the registration ends', (t) => {
  for (const recycled of [false, true]) {
    using fds = new Descriptors()
    using epoll = new Epoll()
    const fd = sys.eventfd(1, 0)
    const registration = epoll.add(fd, EPOLLIN, undefined)
    if (recycled) fds.own(host.dup2(fds.eventfd(1), fd))
    else host.close(fd)
    t.strictSame(epoll.audit({ repair: true }).counts, { ...clean, lost: 1 })
    t.equal(registration.state, 'stale')
    t.throws(() => registration.modify(EPOLLIN), {
      code: 'ENOENT',
      reason: recycled ? 'replaced' : 'closed',
    })
    t.strictSame(epoll.audit().entries, [])
    t.equal(epoll.size, 0)
  }
})

test('replaced: the number names another file, something keeps the old one', (t) => {
  for (const onReplaced of ['stale', 'follow'] as const) {
    using fds = new Descriptors()
    using epoll = new Epoll<string>()
    const fd = fds.eventfd(1)
    fds.own(alias(fd))
    const registration = epoll.add(fd, EPOLLIN, 'data', { onReplaced })
    const { generation } = registration
    host.dup2(fds.eventfd(2), fd)
    const found = {
      entries: [{ fd, generation, events: EPOLLIN | ALWAYS, status: 'replaced' }],
      counts: { ...clean, replaced: 1 },
    }
    t.strictSame(epoll.audit(), found)
    t.equal(registration.state, 'active')
    t.strictSame(epoll.audit({ repair: true }), found)
    t.equal(registration.state, onReplaced === 'follow' ? 'active' : 'stale')
    t.strictSame(epoll.audit().counts, { ...clean, live: onReplaced === 'follow' ? 1 : 0 })
    t.strictSame(delivered(epoll), onReplaced === 'follow' ? ['data'] : [])
    t.equal(epoll.stats.stale, 0, 'the old entry went before it could report')
  }
})

test('replaced behind genpoll’s back, and then through it: what was there before is a zombie', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = fds.eventfd(1)
  fds.own(alias(fd))
  epoll.add(fd, EPOLLIN, 'data')
  host.dup2(fds.eventfd(), fd)
  sys.dup3(fds.eventfd(), fd, 0)
  t.strictSame(epoll.audit().counts, { ...clean, zombie: 1 })
  const again = epoll.add(fd, EPOLLIN, 'again')
  host.dup2(fds.eventfd(), fd)
  epoll.replace(fds.eventfd(2), fd)
  t.strictSame(epoll.audit().counts, { ...clean, live: 1, zombie: 2 })
  t.equal(again.verify(), 'current')
  t.strictSame(delivered(epoll), ['again'])
})
