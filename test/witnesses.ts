// A number that may have the entry of a former file beside its own is told by an epoll where it is
// alone: a witness. Several share one, as long as none was there before.

import { readdirSync, readlinkSync } from 'node:fs'
import { EPOLLIN, Epoll, type Registration } from 'genpoll'
import * as sys from 'genpoll/sys'
import { ReportingEpoll } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

/** How many epolls are open in this process. */
function epolls(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventpoll]'
    } catch {
      return false // the one by which the directory was read
    }
  }).length
}

/** A number that is registered for a new file, while its former one, registered too, is still open. */
function haunted(epoll: Epoll<string>, fds: Descriptors): [Registration<string>, number] {
  const [former, next] = [fds.eventfd(), fds.eventfd(1)]
  const fd = fds.eventfd()
  host.dup2(former, fd)
  epoll.add(fd, EPOLLIN, 'former')
  host.dup2(next, fd)
  return [epoll.add(fd, EPOLLIN, 'next'), former]
}

test('a hundred have one witness, which goes with the last of them', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const before = epolls()
  const made = Array.from({ length: 100 }, () => haunted(epoll, fds)[0])
  t.equal(epolls(), before + 1)
  t.equal(delivered(epoll).length, 100)
  for (const registration of made) registration.remove()
  t.equal(epolls(), before)
})

test('a rebuild makes it needless', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const before = epolls()
  const [registration] = haunted(epoll, fds)
  epoll.rebuild()
  t.equal(epolls(), before)
  t.strictSame(delivered(epoll), ['next'])
  t.equal(registration.verify(), 'current')
})

test('a number that a witness has seen name another file gets another witness', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const before = epolls()
  haunted(epoll, fds) // keeps the first witness in use
  const [registration, former] = haunted(epoll, fds)
  const { fd } = registration
  host.dup2(former, fd)
  t.equal(registration.verify(), 'replaced')
  const third = fds.eventfd(1)
  host.dup2(third, fd)
  epoll.add(fd, EPOLLIN, 'third')
  t.equal(epolls(), before + 2)
  t.strictSame(delivered(epoll), ['next', 'third'])
  host.dup2(former, fd)
  t.strictSame(delivered(epoll), ['next'])
})

test('one that has gone back to its former file can’t be modified', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const [registration, former] = haunted(epoll, fds)
  host.dup2(former, registration.fd)
  t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'replaced' })
  t.equal(registration.state, 'stale')
})

test('one that has gone back to its former file can be added for that, with others', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const [registration, former] = haunted(epoll, fds)
  host.dup2(former, registration.fd)
  const made = epoll.addAll([registration.fd, fds.eventfd()].map((fd) => [fd, EPOLLIN, 'again']))
  t.strictSame(
    made.map(({ state }) => state),
    ['active', 'active'],
  )
  t.equal(registration.state, 'stale')
})

test('closing the Epoll closes its witnesses', (t) => {
  using fds = new Descriptors()
  const before = epolls()
  const epoll = new Epoll<string>()
  haunted(epoll, fds)
  epoll.close()
  t.equal(epolls(), before)
})

test('it is told from its last file but one, too, when it has gone back to its last', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const [registration, first] = haunted(epoll, fds)
  const { fd } = registration
  const second = fds.own(sys.dup(fd))
  host.dup2(fds.eventfd(), fd)
  epoll.add(fd, EPOLLIN, 'third')
  host.dup2(second, fd)
  const again = epoll.add(fd, EPOLLIN, 'second')
  t.equal(again.verify(), 'current')
  host.dup2(first, fd)
  t.equal(again.verify(), 'replaced')
})

test('an eviction by what is wrongly taken for a dup leaves the living entry alone', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const former = fds.eventfd(1)
  const fd = fds.eventfd()
  host.dup2(former, fd)
  epoll.add(fd, EPOLLIN, 'former')
  host.dup2(fds.eventfd(), fd)
  // Of the new file; genpoll, which doesn't know that it is there, takes it for one of the former.
  const dup = fds.own(sys.dup(fd))
  epoll.add(fd, EPOLLIN, 'next')
  t.strictSame(delivered(epoll), [])
  t.match(epoll.reports, [{ fd, events: ['EPOLLIN'], action: 'deferred' }])
  sys.eventfd_write(dup, 1n)
  t.strictSame(delivered(epoll), ['next'])
  t.strictSame(epoll.audit().counts, { live: 1, zombie: 1, lost: 0, replaced: 0 })
})
