// A bell that wakes whoever waits: one that is read when it rings, one that is watched for edges and
// never read, and a loop's own, of which its handlers hear nothing.

import { EPOLLET, EPOLLIN, Epoll, EventFd, Loop } from 'genpoll'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { Partner } from './fixtures/partner.js'
import { PATIENCE_MS } from './fixtures/poll.js'

test('C183 a bell that is read rings once', (t) => {
  using epoll = new Epoll()
  using bell = new EventFd()
  epoll.add(bell, EPOLLIN, undefined)
  bell.write()
  let count: number | null = null
  const hear = () => {
    count = bell.read()
  }
  t.equal(epoll.wait(0, hear), 1)
  t.equal(count, 1)
  t.equal(epoll.wait(0, hear), 0)
})

/** An Epoll with a bell that needs no reading. */
function setUp() {
  const epoll = new Epoll<string>()
  const bell = new EventFd()
  epoll.add(bell, EPOLLIN | EPOLLET, 'bell')
  return { epoll, bell }
}

test('C184 C185 it rings once for all that was written before the wait', (t) => {
  const { epoll, bell } = setUp()
  using _epoll = epoll
  using _bell = bell
  for (const times of [1, 3]) {
    for (let i = 0; i < times; i++) bell.write()
    t.strictSame(delivered(epoll), ['bell'])
    t.strictSame(delivered(epoll), [])
  }
})

test('C186 C187 it rings once for each wait that another thread ends', async (t) => {
  const { epoll, bell } = setUp()
  using _epoll = epoll
  using _bell = bell
  await using partner = await Partner.start()
  for (let i = 0; i < 2; i++) {
    partner.begin(['untilWaiting', epoll.fd], ['eventfd_write', bell.fd, 1])
    t.strictSame(delivered(epoll, PATIENCE_MS), ['bell'])
    partner.finish()
  }
  t.strictSame(delivered(epoll), [])
})

test('C188 a loop that is woken before or during a wait without end has nothing to report', async (t) => {
  using loop = new Loop()
  loop.wake()
  t.equal(loop.runOnce(-1), 0)
  await using partner = await Partner.start()
  const { fd, generation } = loop.waker
  partner.begin(['untilWaiting'], ['wake', fd, generation])
  t.equal(loop.runOnce(-1), 0)
  partner.finish()
})
