// Once what sent stale events has gone, they are neither measured nor waited for any more.

import { EPOLLIN } from 'genpoll'
import { alias, ReportingEpoll, untilRebuilt } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

test('a zombie that goes with its file needs no rebuild; one that comes later gets its own', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const zombie = (): number => {
    const file = fds.eventfd(1)
    const number = alias(file)
    epoll.add(number, EPOLLIN, 'former')
    host.close(number)
    // Met, and met again: it is in the kernel’s list for certain.
    for (let i = 0; i < 2; i++) delivered(epoll)
    return file
  }
  fds.close(zombie())
  const { stale } = epoll.stats
  for (let turns = 0; turns < 100; turns++) t.strictSame(delivered(epoll), [])
  t.equal(epoll.stats.stale, stale)
  t.equal(epoll.stats.rebuilds, 0)
  zombie()
  untilRebuilt(epoll)
  t.equal(epoll.stats.rebuilds, 1)
})
