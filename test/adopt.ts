// Epoll.adopt: an epoll that another process has made, and still uses or not.

import {
  type AdoptOptions,
  EPOLL_CTL_DEL,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  Epoll,
  Fd,
  type StaleReport,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { ready } from './fixtures/descriptors.js'
import { errno } from './fixtures/errno.js'
import { runWith } from './fixtures/inherit.js'
import { Descriptors, wait } from './fixtures/kernel.js'
import { OtherProcess } from './fixtures/other-process.js'

const clean = { live: 0, zombie: 0, lost: 0, replaced: 0 }
const ALWAYS = EPOLLERR | EPOLLHUP

/** Adopts an epoll, and keeps its reports. */
function adopt(fd: number, options: AdoptOptions = {}) {
  const reports: StaleReport[] = []
  const onStale = (report: StaleReport) => reports.push(report)
  return { epoll: Epoll.adopt<string>(fd, { ...options, onStale }), reports }
}

test('the entries of the other process are listed as zombies, and aren’t ours', async (t) => {
  await using other = await OtherProcess.start()
  using epoll = Epoll.adopt(other.epfd)
  t.equal(epoll.fd, other.epfd)
  t.throws(() => Fd.adopt(epoll.fd), { code: 'EEXIST' }, 'owned from now on')
  const { entries, counts } = epoll.audit()
  t.strictSame(counts, { ...clean, zombie: 2 })
  t.strictSame(
    [...entries].sort((a, b) => a.fd - b.fd),
    other.entries.map((entry) => ({ ...entry, events: EPOLLIN | ALWAYS, status: 'zombie' })),
  )
  t.equal(epoll.size, 0)
  for (const { fd } of other.entries) t.equal(epoll.get(fd), undefined)
})

test('their events are dropped, reported once, and nothing is deleted', async (t) => {
  await using other = await OtherProcess.start()
  const { epoll, reports } = adopt(other.epfd)
  using _epoll = epoll
  for (let i = 0; i < 3; i++) t.strictSame(delivered(epoll), [])
  t.equal(epoll.stats.stale, 3)
  t.match(reports, [
    { ...other.entries[0], events: ['EPOLLIN'], cause: 'unknown', action: 'deferred' },
  ])
  t.match(reports[0]!.fdinfo, /^tfd:/)
  t.strictSame(epoll.audit({ repair: true }).counts, { ...clean, zombie: 2 })
  t.strictSame(epoll.audit().counts, { ...clean, zombie: 2 })
  t.equal(epoll.stats.rebuilds, 0)
  const again = reports.filter(({ fd }) => fd === other.entries[0]!.fd)
  t.equal(again.length, 1, 'the audit has met it before')
  t.strictSame(await other.delivered(), [0])
})

test('a wait doesn’t spin on what it may not delete', async (t) => {
  await using other = await OtherProcess.start()
  using epoll = Epoll.adopt(other.epfd)
  const start = performance.now()
  t.equal(
    epoll.wait(100, () => t.fail('delivered')),
    0,
  )
  t.ok(performance.now() - start >= 100)
  t.ok(epoll.stats.waits < 50, `${epoll.stats.waits} waits`)
})

test('registrations of ours work beside theirs', async (t) => {
  await using other = await OtherProcess.start()
  using epoll = Epoll.adopt<string>(other.epfd)
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN, 'ours')
  t.strictSame(delivered(epoll), ['ours'])
  t.strictSame(epoll.audit().counts, { ...clean, live: 1, zombie: 2 })
  registration.modify(EPOLLOUT)
  epoll.wait(-1, (_, events) => t.equal(events, EPOLLOUT))
  t.equal(registration.verify(), 'current')
  t.strictSame(await other.delivered(), [0], 'ours is nothing to them')
  t.equal(registration.remove(), true)
  t.equal(epoll.size, 0)
  t.strictSame(epoll.audit().counts, { ...clean, zombie: 2 })
})

test('a rebuild would take theirs away: EPERM', async (t) => {
  await using other = await OtherProcess.start()
  using epoll = Epoll.adopt<string>(other.epfd)
  using bell = ready()
  epoll.add(bell, EPOLLIN, 'ours')
  t.throws(() => epoll.rebuild(), { ...errno('EPERM', 'rebuild'), fd: epoll.fd })
  t.strictSame(epoll.audit().counts, { ...clean, live: 1, zombie: 2 })
  t.strictSame(delivered(epoll), ['ours'])
})

test('taken over, it can be rebuilt', async (t) => {
  await using other = await OtherProcess.start()
  using epoll = Epoll.adopt<string>(other.epfd, { takeOver: true })
  using bell = ready()
  epoll.add(bell, EPOLLIN, 'ours')
  epoll.rebuild()
  t.strictSame(epoll.audit().counts, { ...clean, live: 1 })
  t.strictSame(delivered(epoll), ['ours'])
})

test('taken over, theirs go', async (t) => {
  await using other = await OtherProcess.start()
  const { epoll, reports } = adopt(other.epfd, { takeOver: true })
  using _epoll = epoll
  using bell = ready()
  epoll.add(bell, EPOLLIN, 'ours')
  t.strictSame(epoll.audit({ repair: true }).counts, { ...clean, live: 1, zombie: 2 })
  t.strictSame(epoll.audit().counts, { ...clean, live: 1 })
  t.equal(epoll.stats.rebuilds, 1)
  for (const entry of other.entries) {
    const actions = reports.filter(({ fd }) => fd === entry.fd).map(({ action }) => action)
    t.strictSame(actions, ['deferred', 'rebuilt'])
  }
  t.strictSame(delivered(epoll), ['ours'])
})

test('closing it leaves the other process its epoll', async (t) => {
  await using other = await OtherProcess.start()
  const epoll = Epoll.adopt(other.epfd)
  epoll.close()
  t.equal(epoll.closed, true)
  t.throws(() => sys.fcntl_getfd(other.epfd), { code: 'EBADF' })
  t.strictSame(await other.delivered(), [0])
})

test('closing it takes ours out: nobody else could delete them', (t) => {
  using fds = new Descriptors()
  using bell = ready()
  const theirs = fds.epoll()
  const epoll = Epoll.adopt(sys.dup(theirs))
  epoll.add(bell, EPOLLIN, undefined)
  epoll.close()
  t.strictSame(wait(theirs), [])
  t.equal(bell.closed, false)
})

test('what others delete of ours is lost, and found removed', (t) => {
  using epoll = Epoll.adopt<string>(sys.epoll_create1(0))
  using first = ready()
  using second = ready()
  using third = ready()
  const bells = [first, second, third]
  const registrations = bells.map((bell) => epoll.add(bell, EPOLLIN, 'ours'))
  for (const bell of bells) sys.epoll_ctl(epoll.fd, EPOLL_CTL_DEL, bell.fd)
  t.strictSame(epoll.audit().counts, { ...clean, lost: 3 })
  const removed = { name: 'StaleRegistrationError', code: 'ENOENT', reason: 'removed' }
  t.throws(() => registrations[0]!.modify(EPOLLIN), removed)
  t.throws(() => registrations[1]!.verify(), removed)
  t.strictSame(epoll.audit({ repair: true }).counts, { ...clean, lost: 1 })
  t.strictSame(
    registrations.map(({ state }) => state),
    ['removed', 'removed', 'active'],
  )
  t.strictSame(delivered(epoll), ['ours'])
  t.strictSame(
    bells.map(({ closed }) => closed),
    [false, false, false],
  )
})

test('a descriptor of ours that others have deleted can be closed', (t) => {
  using epoll = Epoll.adopt<string>(sys.epoll_create1(0))
  const bell = ready()
  const { fd } = bell
  const registration = epoll.add(bell, EPOLLIN, 'ours')
  sys.epoll_ctl(epoll.fd, EPOLL_CTL_DEL, fd)
  bell.close()
  t.throws(() => sys.fcntl_getfd(fd), { code: 'EBADF' })
  t.equal(registration.state, 'stale')
  t.equal(epoll.size, 0)
})

test('a descriptor of ours that others have deleted can be added again', (t) => {
  using epoll = Epoll.adopt<string>(sys.epoll_create1(0))
  using bell = ready()
  const former = epoll.add(bell, EPOLLIN, 'former')
  sys.epoll_ctl(epoll.fd, EPOLL_CTL_DEL, bell.fd)
  const registration = epoll.add(bell, EPOLLIN, 'next')
  t.equal(former.state, 'removed')
  t.equal(registration.state, 'active')
  t.equal(epoll.size, 1)
  t.strictSame(delivered(epoll), ['next'])
})

/** Has a child adopt an epoll that it inherits, with a readable descriptor of ours in it. */
function inheritedBy(epfd: number, bell: number, options: AdoptOptions) {
  return JSON.parse(runWith([epfd, bell], 'adopts.mjs', `${epfd}`, JSON.stringify(options)))
}

test('inherited: what the parent registered is left to it', (t) => {
  using fds = new Descriptors()
  const bell = fds.eventfd(1)
  const epfd = fds.epoll()
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, bell, EPOLLIN, bell, 77)
  t.strictSame(inheritedBy(epfd, bell, {}), {
    entries: [{ fd: bell, generation: 77, events: EPOLLIN | ALWAYS, status: 'zombie' }],
    reports: [{ fd: bell, generation: 77, cause: 'unknown', action: 'deferred' }],
    delivered: ['ours', 'ours', 'ours'],
    refusal: 'EPERM',
    counts: { ...clean, live: 1, zombie: 1 },
  })
  t.strictSame(wait(epfd), [[EPOLLIN, bell]])
})

test('inherited and taken over: what the parent registered is deleted', (t) => {
  using fds = new Descriptors()
  const bell = fds.eventfd(1)
  const epfd = fds.epoll()
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, bell, EPOLLIN, bell, 77)
  t.strictSame(inheritedBy(epfd, bell, { takeOver: true }), {
    entries: [{ fd: bell, generation: 77, events: EPOLLIN | ALWAYS, status: 'zombie' }],
    reports: [{ fd: bell, generation: 77, cause: 'unknown', action: 'deleted' }],
    delivered: ['ours', 'ours', 'ours'],
    refusal: null,
    counts: { ...clean, live: 1 },
  })
  t.strictSame(wait(epfd), [], 'it is one list, whoever deletes')
})

test('entries whose data isn’t their number are reported once, whoever meets them', (t) => {
  using fds = new Descriptors()
  const epfd = sys.epoll_create1(0)
  const bell = fds.eventfd(1)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, bell, EPOLLIN, 0xdeadbeef, 0x7fff)
  const { epoll, reports } = adopt(epfd)
  using _epoll = epoll
  t.strictSame(delivered(epoll), [])
  epoll.audit({ repair: true })
  t.strictSame(delivered(epoll), [])
  t.equal(reports.length, 1)
  t.strictSame(epoll.audit().counts, { ...clean, zombie: 1 })
})
