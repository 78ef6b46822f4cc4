// What the classes make of the kernel's calls: arguments, and how a registration is found, told and
// changed. The cases that the test suites of other languages' wrappers have.

import { EPOLLET, EPOLLIN, EPOLLOUT, Epoll, EventFd, Loop, type Target } from 'genpoll'
import * as sys from 'genpoll/sys'
import { openDescriptors, test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { ready } from './fixtures/descriptors.js'
import { NOT_OPEN, refused } from './fixtures/errno.js'

const TYPE = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
const RANGE = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }
const ignore = () => {}

for (const Class of [Epoll, Loop]) {
  test(`C431 new ${Class.name} of what is no object of options makes no descriptor`, (t) => {
    const before = [...openDescriptors()]
    for (const options of ['text', null, 7, [], [1, 2], () => {}]) {
      t.throws(() => new Class(options as never), TYPE, String(options))
    }
    t.strictSame([...openDescriptors()], before)
  })

  test(`C432 new ${Class.name} for fewer events than one`, (t) => {
    for (const maxEvents of [0, -2]) t.throws(() => new Class({ maxEvents }), RANGE)
  })
}

test('C435 C438 a negative number is refused before the kernel is asked', (t) => {
  using epoll = new Epoll<null>()
  using loop = new Loop()
  const calls: ((target: Target) => unknown)[] = [
    (target) => epoll.add(target, EPOLLIN, null),
    (target) => epoll.addAll([[target, EPOLLIN, null]]),
    (target) => epoll.get(target),
    (target) => loop.watch(target, EPOLLIN, ignore),
  ]
  for (const fd of [-1, -10]) {
    for (const call of calls) {
      t.throws(() => call(fd), RANGE)
      t.throws(() => call({ fd }), RANGE)
    }
  }
  t.equal(epoll.size, 0)
})

test('C436 addAll takes any iterable, whatever it says of its length', (t) => {
  const bells = Array.from({ length: 100 }, () => ready())
  const entries = bells.map((bell, i) => [bell, EPOLLIN, i] as const)
  const iterables: Record<string, Iterable<readonly [EventFd, number, number]>> = {
    'a tuple': Object.freeze([...entries]),
    'a set': new Set(entries),
    'an iterator': entries.values(),
    'one that says it has none': Object.assign(new Set(entries), { length: 0 }),
    'one that says it has a million': Object.assign(new Set(entries), { length: 1e6 }),
  }
  for (const [what, iterable] of Object.entries(iterables)) {
    using epoll = new Epoll<number>()
    t.strictSame(
      epoll.addAll(iterable).map(({ data }) => data),
      [...bells.keys()],
      what,
    )
    t.strictSame(new Set(delivered(epoll)), new Set(bells.keys()), what)
  }
  for (const bell of bells) bell.close()
})

test('C437 any mask of 32 bits is the kernel’s to understand', (t) => {
  using epoll = new Epoll<null>()
  using bell = ready()
  const registration = epoll.add(bell, 999_999, null)
  t.equal(registration.events, 999_999)
  t.equal(
    epoll.wait(0, (_, events) => t.equal(events, EPOLLIN | EPOLLOUT)),
    1,
  )
  t.throws(() => registration.modify(2 ** 32), RANGE)
  t.equal(registration.events, 999_999)
})

test('C440 what a target throws is passed on as it is', (t) => {
  using epoll = new Epoll<null>()
  using loop = new Loop()
  using bell = ready()
  const failure = new Error('no number today')
  const target = {
    get fd(): number {
      throw failure
    },
  }
  const calls = [
    () => epoll.add(target, EPOLLIN, null),
    () =>
      epoll.addAll([
        [bell, EPOLLIN, null],
        [target, EPOLLIN, null],
      ]),
    () => epoll.get(target),
    () => loop.watch(target, EPOLLIN, ignore),
  ]
  for (const call of calls) {
    try {
      call()
      t.fail('nothing was thrown')
    } catch (error) {
      t.equal(error, failure)
    }
  }
  t.equal(epoll.size, 0)
  t.equal(loop.runOnce(0), 0)
  loop.run() // which has nothing to wait for
})

test('C453 a registration tells its number, events and data', (t) => {
  using epoll = new Epoll<object>()
  using bell = new EventFd()
  const data = { name: 'bell' }
  const { fd, generation } = bell
  const registration = epoll.add(bell, EPOLLIN, data)
  t.match(registration, { fd, generation, events: EPOLLIN, state: 'active' })
  t.equal(registration.data, data)
})

test('C454 an object and its number are the same', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  epoll.add(bell, EPOLLIN, 'first')
  for (const target of [bell.fd, { fd: bell.fd }, bell]) {
    t.throws(() => epoll.add(target, EPOLLIN, 'second'), refused('EEXIST'))
  }
  t.strictSame(delivered(epoll), ['first'])
})

test('C455 what isn’t registered can’t be found, nor removed a second time', (t) => {
  using epoll = new Epoll<null>()
  using bell = new EventFd()
  t.equal(epoll.get(NOT_OPEN), undefined)
  t.equal(epoll.get(bell), undefined)
  const registration = epoll.add(bell, EPOLLIN, null)
  t.equal(registration.remove(), true)
  t.equal(registration.remove(), false)
  t.equal(epoll.get(bell), undefined)
})

test('C456 other events show in the registration that is found', (t) => {
  using epoll = new Epoll<null>()
  using bell = new EventFd()
  const registration = epoll.add(bell, EPOLLIN, null)
  registration.modify(EPOLLIN | EPOLLOUT)
  t.equal(epoll.get(bell), registration)
  t.equal(epoll.get(bell.fd)?.events, EPOLLIN | EPOLLOUT)
})

test('C457 other data is no matter of the kernel’s: no edge comes again', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN | EPOLLET, 'old')
  const { generation } = registration
  t.strictSame(delivered(epoll), ['old'])
  registration.data = 'new'
  t.equal(epoll.get(bell)?.data, 'new')
  t.strictSame(delivered(epoll), [])
  t.match(registration, { generation, state: 'active' })
  bell.write()
  t.strictSame(delivered(epoll), ['new'])
})

test('C458 what isn’t registered can’t be modified', (t) => {
  using epoll = new Epoll<null>()
  using loop = new Loop()
  using bell = new EventFd()
  using other = new EventFd()
  const source = loop.watch(bell, EPOLLIN, ignore)
  for (const registration of [epoll.add(bell, EPOLLIN, null), source]) {
    registration.remove()
    const expected = { ...refused('ENOENT'), name: 'StaleRegistrationError', reason: 'removed' }
    t.throws(() => registration.modify(EPOLLOUT), expected)
  }
  t.throws(() => epoll.replace(other, bell), { code: 'ENOENT', fd: bell.fd })
  const raw = () => sys.epoll_ctl(epoll.fd, sys.EPOLL_CTL_MOD, bell.fd, EPOLLIN)
  t.throws(raw, refused('ENOENT'))
})

test('C459 get and size look at the list as it is, and can’t change it', (t) => {
  using epoll = new Epoll<null>()
  using bell = ready()
  t.strictSame([epoll.size, epoll.get(bell)], [0, undefined])
  const registration = epoll.add(bell, EPOLLIN, null)
  t.equal(epoll.size, 1)
  t.equal(epoll.get(bell), registration)
  t.equal(epoll.get(NOT_OPEN), undefined)
  t.throws(() => Object.assign(epoll, { size: 0 }), TypeError)
  for (const name of ['events', 'generation', 'state']) {
    t.throws(() => Object.assign(registration, { [name]: 0 }), TypeError, name)
  }
  t.equal(epoll.size, 1)
  t.equal(epoll.wait(0, ignore), 1)
})

test('C461 DEL of what isn’t registered is ENOENT; without events nothing is added', (t) => {
  using epoll = new Epoll<undefined>()
  using bell = ready()
  const unregister = () => sys.epoll_ctl(epoll.fd, sys.EPOLL_CTL_DEL, bell.fd)
  t.throws(unregister, { ...refused('ENOENT'), op: 'EPOLL_CTL_DEL', fd: bell.fd })
  const add = epoll.add.bind(epoll) as unknown as (target: Target) => unknown
  t.throws(() => add(bell), TYPE)
  t.equal(epoll.size, 0)
  t.equal(epoll.wait(0, ignore), 0)
})
