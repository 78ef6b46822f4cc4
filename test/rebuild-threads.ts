// Rebuilds while another thread closes and replaces what is carried over.

import { closeSync } from 'node:fs'
import { EPOLLET, EPOLLIN, type Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { alias, fdinfo, ReportingEpoll } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { Descriptors } from './fixtures/kernel.js'
import { Partner, type Step } from './fixtures/partner.js'

const COUNT = 300
const ROUNDS = 20

/** Rebuilds until the partner has made its calls. */
function rebuildDuring(epoll: Epoll<string>, partner: Partner, ...steps: Step[]): void {
  partner.begin(...steps)
  while (!partner.isDone) epoll.rebuild()
  partner.finish()
}

function eventfds(): number[] {
  return Array.from({ length: COUNT }, () => sys.eventfd(1, sys.EFD_CLOEXEC))
}

test('what its owner closes meanwhile leaves no entry', async (t) => {
  await using partner = await Partner.start()
  for (let round = 0; round < ROUNDS; round++) {
    using epoll = new ReportingEpoll()
    const fds = eventfds()
    const keepers = fds.map((fd) => alias(fd))
    partner.make(...fds.map((fd): Step => ['adopt', fd]))
    epoll.addAll(fds.map((fd) => [fd, EPOLLIN, 'owned']))
    rebuildDuring(epoll, partner, ...fds.map((fd): Step => ['closeOwned', fd]))
    t.equal(epoll.size, 0)
    t.strictSame(fdinfo(epoll.fd), [])
    t.strictSame(epoll.reports, [])
    for (const keeper of keepers) closeSync(keeper)
  }
})

test('what is closed without genpoll meanwhile doesn’t make it fail', async (t) => {
  await using partner = await Partner.start()
  for (let round = 0; round < ROUNDS; round++) {
    using fds = new Descriptors()
    using epoll = new ReportingEpoll()
    const lasting = fds.eventfd(1)
    const numbers = eventfds()
    epoll.add(lasting, EPOLLIN, 'lasting')
    epoll.addAll(numbers.map((fd) => [fd, EPOLLIN, 'closed']))
    rebuildDuring(epoll, partner, ...numbers.reverse().map((fd): Step => ['nativeClose', fd]))
    epoll.rebuild()
    t.equal(epoll.size, 1)
    t.strictSame(delivered(epoll), ['lasting'])
  }
})

test('what is replaced by Epoll.replace meanwhile stays registered', async (t) => {
  await using partner = await Partner.start()
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const numbers = eventfds().map((fd) => fds.own(fd))
  const [one, other] = [fds.eventfd(1), fds.eventfd(1)]
  const number = fds.eventfd()
  epoll.addAll(numbers.map((fd) => [fd, 0, 'idle']))
  const registration = epoll.add(number, EPOLLIN | EPOLLET, 'replaced')
  for (let round = 0; round < ROUNDS; round++) {
    rebuildDuring(epoll, partner, ['replaceTimes', number, one, other, 100])
    t.equal(registration.state, 'active')
    t.strictSame(epoll.audit().counts, { live: COUNT + 1, zombie: 0, lost: 0, replaced: 0 })
    t.strictSame(delivered(epoll), ['replaced'])
  }
})
