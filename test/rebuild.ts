// A new epoll in the place of the old: nothing that was registered is to notice, but for edges that
// may come once more.

import { closeSync } from 'node:fs'
import {
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLPRI,
  Epoll,
  EventFd,
  FD_CLOEXEC,
  type Registration,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { alias, fdinfo, ReportingEpoll } from './fixtures/behind.js'
import { openDescriptors, test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { pipe, ready, recycle } from './fixtures/descriptors.js'
import { Descriptors } from './fixtures/kernel.js'
import { Waiter } from './fixtures/waiters.js'

test('the descriptor, its flag, the registrations and the counters stay', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN | EPOLLPRI, 'bell')
  const { fd } = epoll
  const { generation } = registration
  const before = openDescriptors()
  delivered(epoll)
  const [line] = fdinfo(fd)
  epoll.rebuild()
  t.equal(epoll.fd, fd)
  t.equal(sys.fcntl_getfd(fd), FD_CLOEXEC)
  t.strictSame(openDescriptors(), before)
  t.strictSame(fdinfo(fd), [line])
  t.strictSame(epoll.stats, { waits: 1, delivered: 1, stale: 0, rebuilds: 1 })
  t.match(registration, { generation, state: 'active', events: EPOLLIN | EPOLLPRI })
  t.equal(epoll.get(bell), registration)
  t.strictSame(delivered(epoll), ['bell'])
  registration.modify(EPOLLOUT)
  epoll.rebuild()
  t.equal(
    epoll.wait(0, (_, events) => t.equal(events, EPOLLOUT)),
    1,
  )
  t.equal(registration.remove(), true)
  t.equal(epoll.stats.rebuilds, 2)
})

test('an Epoll that watches nothing can be rebuilt', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  epoll.rebuild()
  t.equal(epoll.stats.rebuilds, 1)
  epoll.add(bell, EPOLLIN, 'bell')
  t.strictSame(delivered(epoll), ['bell'])
})

test('a CLOEXEC flag that was cleared stays so', (t) => {
  using epoll = new Epoll()
  sys.fcntl_setfd(epoll.fd, 0)
  epoll.rebuild()
  t.equal(sys.fcntl_getfd(epoll.fd), 0)
})

test('edge-triggered: readiness that nobody heard of yet isn’t lost, and new edges come', (t) => {
  using epoll = new Epoll<string>()
  using unheard = ready()
  using idle = new EventFd()
  epoll.add(unheard, EPOLLIN | EPOLLET, 'unheard')
  epoll.add(idle, EPOLLIN | EPOLLET, 'idle')
  epoll.rebuild()
  t.strictSame(delivered(epoll), ['unheard'])
  t.strictSame(delivered(epoll), [])
  for (const name of ['idle', 'unheard']) {
    const bell = name === 'idle' ? idle : unheard
    bell.write()
    t.strictSame(delivered(epoll), [name])
  }
})

test('edge-triggered: what is still ready reports once more, what isn’t doesn’t', (t) => {
  using epoll = new Epoll<string>()
  using still = ready()
  using consumed = ready()
  epoll.add(still, EPOLLIN | EPOLLET, 'still')
  epoll.add(consumed, EPOLLIN | EPOLLET, 'consumed')
  t.equal(delivered(epoll).length, 2)
  consumed.read()
  epoll.rebuild()
  t.strictSame(delivered(epoll), ['still'])
})

test('a one-shot that hasn’t fired stays armed', (t) => {
  using epoll = new Epoll<string>()
  using bell = new EventFd()
  const registration = epoll.add(bell, EPOLLIN | EPOLLONESHOT, 'bell')
  epoll.rebuild()
  t.equal(registration.state, 'active')
  bell.write()
  t.strictSame(delivered(epoll), ['bell'])
  t.equal(registration.state, 'disarmed')
  t.strictSame(delivered(epoll), [])
})

test('a disarmed one-shot stays disarmed, through several rebuilds, and can be armed again', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  const mask = EPOLLIN | EPOLLONESHOT
  const registration = epoll.add(bell, mask, 'bell')
  t.strictSame(delivered(epoll), ['bell'])
  for (let i = 0; i < 3; i++) {
    epoll.rebuild()
    bell.write()
    t.strictSame(delivered(epoll), [])
    t.equal(registration.state, 'disarmed')
    t.equal(registration.verify(), 'current')
    t.equal(epoll.audit().counts.live, 1)
  }
  t.equal(registration.events, mask)
  registration.modify(mask)
  t.strictSame(delivered(epoll), ['bell'])
  t.equal(registration.state, 'disarmed')
  t.strictSame(epoll.stats, { waits: 5, delivered: 2, stale: 0, rebuilds: 3 })
})

test('a disarmed one-shot with a hang-up pending stays disarmed until it is armed again', (t) => {
  for (const isHungUpBefore of [true, false]) {
    using epoll = new Epoll<string>()
    const [reading, writing] = pipe()
    const mask = EPOLLIN | EPOLLONESHOT
    const registration = epoll.add(reading, mask, 'pipe')
    writing.write(Buffer.from('x'))
    t.strictSame(delivered(epoll), ['pipe'])
    if (isHungUpBefore) writing.close()
    epoll.rebuild()
    writing.close()
    for (let i = 0; i < 3; i++) t.strictSame(delivered(epoll), [])
    t.equal(
      epoll.wait(1, () => t.fail('delivered')),
      0,
    )
    t.equal(registration.state, 'disarmed')
    registration.modify(mask)
    t.equal(
      epoll.wait(0, (_, events) => t.equal(events, EPOLLIN | EPOLLHUP)),
      1,
    )
    t.equal(epoll.stats.stale, 0)
    reading.close()
  }
})

test('an exclusive registration stays exclusive', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  const mask = EPOLLIN | EPOLLEXCLUSIVE
  const registration = epoll.add(bell, mask, 'bell')
  for (let i = 0; i < 2; i++) {
    const [, events] = /events: +([0-9a-f]+)/.exec(fdinfo(epoll.fd)[0]!)!
    t.equal(Number.parseInt(events!, 16), mask | EPOLLERR | EPOLLHUP)
    t.throws(() => registration.modify(EPOLLIN), { code: 'EINVAL' })
    t.strictSame(delivered(epoll), ['bell'])
    epoll.rebuild()
  }
  t.strictSame(delivered(epoll), ['bell'])
})

test('an outer Epoll goes on hearing of an inner one that is rebuilt', (t) => {
  for (const trigger of [0, EPOLLET]) {
    using inner = new Epoll<string>()
    using outer = new Epoll<string>()
    using bell = new EventFd()
    inner.add(bell, EPOLLIN, 'bell')
    const registration = outer.add(inner, EPOLLIN | trigger, 'inner')
    const { generation } = registration
    for (let i = 0; i < 2; i++) {
      inner.rebuild()
      t.strictSame(delivered(outer), [])
      bell.write()
      t.strictSame(delivered(outer), ['inner'])
      t.strictSame(delivered(inner), ['bell'])
      bell.read()
    }
    t.equal(registration.state, 'active')
    t.equal(registration.generation, generation)
    t.equal(registration.verify(), 'current')
    t.strictSame(outer.audit().counts, { live: 1, zombie: 0, lost: 0, replaced: 0 })
    inner.close()
    t.equal(registration.state, 'stale')
    t.strictSame(fdinfo(outer.fd), [])
  }
})

test('an event that was pending in the inner Epoll wakes the outer one after the rebuild', (t) => {
  using inner = new Epoll<string>()
  using outer = new Epoll<string>()
  using bell = ready()
  inner.add(bell, EPOLLIN | EPOLLET, 'bell')
  outer.add(inner, EPOLLIN | EPOLLET, 'inner')
  inner.rebuild()
  t.strictSame(delivered(outer), ['inner'])
  t.strictSame(delivered(inner), ['bell'])
})

test('a disarmed one-shot of an outer Epoll stays disarmed when the inner one is rebuilt', (t) => {
  using inner = new Epoll<string>()
  using outer = new Epoll<string>()
  using bell = ready()
  const mask = EPOLLIN | EPOLLONESHOT
  inner.add(bell, EPOLLIN, 'bell')
  const registration = outer.add(inner, mask, 'inner')
  t.strictSame(delivered(outer), ['inner'])
  inner.rebuild()
  for (let i = 0; i < 2; i++) t.strictSame(delivered(outer), [])
  t.equal(registration.state, 'disarmed')
  registration.modify(mask)
  t.strictSame(delivered(outer), ['inner'])
})

test('an outer Epoll that is rebuilt goes on hearing of its inner ones', (t) => {
  using inner = new Epoll<string>()
  using outer = new Epoll<string>()
  using bell = new EventFd()
  inner.add(bell, EPOLLIN, 'bell')
  outer.add(inner, EPOLLIN, 'inner')
  outer.rebuild()
  t.strictSame(delivered(outer), [])
  bell.write()
  t.strictSame(delivered(outer), ['inner'])
  t.strictSame(delivered(inner), ['bell'])
})

test('a chain of five is rebuilt at any of its levels', (t) => {
  using bell = new EventFd()
  const levels = Array.from({ length: 5 }, () => new Epoll<string>())
  levels[0]!.add(bell, EPOLLIN, 'below')
  for (let i = 1; i < 5; i++) levels[i]!.add(levels[i - 1]!, EPOLLIN, 'below')
  for (const level of levels) {
    level.rebuild()
    bell.write()
    for (const each of levels) t.strictSame(delivered(each), ['below'])
    bell.read()
    t.strictSame(delivered(levels[4]!), [])
  }
  for (const level of levels) level.close()
})

test('a thread that waits in an outer Epoll hears of an inner one that is rebuilt here', async (t) => {
  await using waiter = await Waiter.start()
  using inner = new Epoll<string>()
  using bell = new EventFd()
  inner.add(bell, EPOLLIN, 'bell')
  const outer = await waiter.add(inner.fd, EPOLLIN)
  inner.rebuild()
  const result = waiter.deliver(outer, -1)
  bell.write()
  t.strictSame(await result, [[EPOLLIN, inner.fd]])
})

test('busy polling is carried over', (t) => {
  using epoll = new Epoll()
  const params = { usecs: 50, budget: 16, prefer: true }
  epoll.busyPoll(params)
  epoll.rebuild()
  t.strictSame(epoll.busyPoll(), params)
})

/** A wait whose first handler rebuilds the Epoll, while two more events are to be delivered. */
function rebuiltInBatch(
  mask: number,
  check: (seen: string[], epoll: Epoll<string>, bells: Registration<string>[]) => void,
): void {
  using epoll = new Epoll<string>()
  using one = ready()
  using two = ready()
  using three = ready()
  const names = ['one', 'two', 'three']
  const bells = [one, two, three].map((bell, i) => epoll.add(bell, mask, names[i]!))
  const seen: string[] = []
  epoll.wait(-1, ({ data }) => {
    if (seen.push(data) === 1) epoll.rebuild()
  })
  check(seen, epoll, bells)
}

test('a rebuild inside a handler: the rest of the batch is delivered', (t) => {
  for (const mask of [EPOLLIN, EPOLLIN | EPOLLET]) {
    rebuiltInBatch(mask, (seen, epoll) => {
      t.strictSame(seen, ['one', 'two', 'three'])
      t.strictSame(epoll.stats, { waits: 1, delivered: 3, stale: 0, rebuilds: 1 })
      t.strictSame(delivered(epoll), seen, 'still ready: an edge comes once more')
    })
  }
})

test('a rebuild inside a handler: one-shots of the batch fire once', (t) => {
  const mask = EPOLLIN | EPOLLONESHOT
  rebuiltInBatch(mask, (seen, epoll, bells) => {
    t.strictSame(seen, ['one', 'two', 'three'])
    for (let i = 0; i < 2; i++) t.strictSame(delivered(epoll), [])
    for (const bell of bells) {
      t.equal(bell.state, 'disarmed')
      bell.modify(mask)
    }
    t.strictSame(delivered(epoll), seen)
  })
})

test('a rebuild finds out which numbers were closed or recycled without genpoll', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll({ verify: 'never' })
  const [closed, recycled, fine] = [1, 1, 1].map((count) => alias(fds.eventfd(count)))
  const registrations = [closed, recycled, fine].map((fd) => epoll.add(fd!, EPOLLIN, String(fd)))
  closeSync(closed!)
  recycle(recycled!)
  epoll.rebuild()
  t.strictSame(
    registrations.map((registration) => registration.verify()),
    ['closed', 'replaced', 'current'],
  )
  t.equal(epoll.size, 1)
  t.strictSame(delivered(epoll), [String(fine)])
  t.equal(epoll.stats.stale, 0)
  for (const fd of [recycled!, fine!]) closeSync(fd)
})

test('it is refused on a closed Epoll', (t) => {
  const epoll = new Epoll()
  epoll.close()
  t.throws(() => epoll.rebuild(), { name: 'ClosedError', code: 'ERR_CLOSED' })
})
