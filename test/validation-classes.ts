// Bad arguments of Epoll, Registration, Fd and fdTable. The other kernel objects have theirs in the
// files that carry their names.

import { EPOLLIN, Epoll, type EventFd, Fd, fdTable, O_NONBLOCK } from 'genpoll'
import * as sys from 'genpoll/sys'
import { bad, refuses } from './fixtures/bad.js'
import { openDescriptors, test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'

const TYPE = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
const RANGE = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }

/** What a call that got through would have changed. */
function state(epoll: Epoll): unknown {
  return { open: [...openDescriptors()], size: epoll.size, stats: epoll.stats }
}

test('new Epoll refuses bad options', (t) => {
  const make = (options: never): Epoll => new Epoll(options)
  const before = [...openDescriptors()]
  refuses(t, make, [['options', 'object', {}, 'optional']])
  for (const [maxEvents, expected] of [...bad.int32, [0, RANGE], [-1, RANGE], [65537, RANGE]]) {
    if (maxEvents === undefined) continue
    const message = /"options.maxEvents"/
    t.throws(() => new Epoll({ maxEvents } as never), { ...(expected as typeof TYPE), message })
  }
  t.strictSame([...openDescriptors()], before)
})

test('C434 add and get refuse what is no target', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const before = state(epoll)
  const targets = [
    undefined,
    null,
    '0',
    true,
    0n,
    {},
    [],
    { fd: '0' },
    { fd: null },
    () => 0,
    Symbol('0'),
  ]
  const numbers = [-1, 0.5, NaN, Infinity, 2 ** 20, 2 ** 32, -(2 ** 31), { fd: -1 }, { fd: 1.5 }]
  const calls: ((target: never) => unknown)[] = [
    (target) => epoll.add(target, EPOLLIN, undefined),
    (target) =>
      epoll.addAll([
        [bell, EPOLLIN, undefined],
        [target, EPOLLIN, undefined],
      ]),
    (target) => epoll.get(target),
  ]
  for (const call of calls) {
    const message = /"target"/
    for (const target of targets) t.throws(() => call(target as never), { ...TYPE, message })
    for (const target of numbers) t.throws(() => call(target as never), { ...RANGE, message })
  }
  t.strictSame(state(epoll), before)
})

test('Epoll refuses bad words for what it verifies, and a bad onStale', (t) => {
  for (const verify of [1, null, {}, true]) {
    t.throws(() => new Epoll({ verify } as never), { ...TYPE, message: /"options.verify"/ })
  }
  t.throws(() => new Epoll({ verify: 'sometimes' } as never), RANGE)
  for (const onStale of [1, null, {}, 'log']) {
    t.throws(() => new Epoll({ onStale } as never), { ...TYPE, message: /"options.onStale"/ })
  }
})

test('add, addAll and modify refuse bad masks', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  using other = ready()
  const registration = epoll.add(other, EPOLLIN, undefined)
  const before = state(epoll)
  refuses(t, (events: number) => epoll.add(bell, events, undefined), [['events', 'mask32', 1]])
  refuses(t, (events: number) => epoll.addAll([[bell, events, undefined]]), [
    ['events', 'mask32', 1],
  ])
  refuses(t, (events: number) => registration.modify(events), [['events', 'mask32', 1]])
  t.equal(registration.events, EPOLLIN)
  t.strictSame(state(epoll), before)
})

test('addAll refuses what isn’t an iterable of entries', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const message = /"entries"/
  for (const entries of [undefined, null, 7, 'text', {}, () => []]) {
    t.throws(() => epoll.addAll(entries as never), { ...TYPE, message })
  }
  for (const entry of [undefined, null, 7, 'text', {}, bell]) {
    t.throws(() => epoll.addAll([[bell, EPOLLIN, 0], entry] as never), { ...TYPE, message })
  }
  t.throws(() => epoll.addAll(new Array(1)), { ...TYPE, message })
  t.throws(() => epoll.addAll([[]] as never), TYPE)
  t.equal(epoll.size, 0)
})

test('an error of addAll’s iterable passes through, and nothing is added', (t) => {
  using epoll = new Epoll<undefined>()
  using bell = ready()
  function* entries(): Generator<[EventFd, number, undefined]> {
    yield [bell, EPOLLIN, undefined]
    throw new Error('mine')
  }
  t.throws(() => epoll.addAll(entries()), { message: 'mine' })
  t.equal(epoll.size, 0)
  t.equal(
    epoll.wait(0, () => {}),
    0,
  )
})

test('wait refuses bad arguments', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  epoll.add(bell, EPOLLIN, undefined)
  const visit = (): void => {
    t.fail('visited')
  }
  const before = state(epoll)
  refuses(t, (...args: Parameters<Epoll['wait']>) => epoll.wait(...args), [
    ['timeoutMs', 'milliseconds', 0],
    ['visit', 'function', visit],
    ['options', 'object', {}, 'optional'],
  ])
  refuses(t, (sigmask: never) => epoll.wait(0, visit, { sigmask }), [
    ['sigmask', 'mask', [], 'optional'],
  ])
  t.strictSame(state(epoll), before)
})

test('busyPoll refuses bad parameters', (t) => {
  using epoll = new Epoll()
  const good = { usecs: 1, budget: 1, prefer: false }
  const set = (params: object): unknown => epoll.busyPoll(params as never)
  refuses(t, set, [['params', 'object', good, 'optional']])
  refuses(t, (usecs: number) => set({ ...good, usecs }), [['params.usecs', 'int32', 1]])
  refuses(t, (budget: number) => set({ ...good, budget }), [['params.budget', 'int32', 1]])
  refuses(t, (prefer: boolean) => set({ ...good, prefer }), [
    ['params.prefer', 'boolean', false, 'optional'],
  ])
  for (const field of ['usecs', 'budget']) t.throws(() => set({ ...good, [field]: -1 }), RANGE)
  t.throws(() => set({ ...good, budget: 65536 }), RANGE)
  t.equal(epoll.busyPoll().usecs, 0)
})

test('Fd refuses bad arguments', (t) => {
  const [reading, writing] = pipe()
  using _reading = reading
  using _writing = writing
  const before = [...openDescriptors()]
  const bytes = Buffer.alloc(8)
  refuses(t, (fd: number) => Fd.adopt(fd), [['fd', 'int32', 0]])
  t.throws(() => Fd.adopt(-1), { ...RANGE, message: /"fd"/ })
  for (const call of [
    (...args: Parameters<Fd['read']>) => reading.read(...args),
    (...args: Parameters<Fd['write']>) => writing.write(...args),
  ]) {
    refuses(t, call, [
      ['buffer', 'buffer', bytes],
      ['offset', 'offset', 0, 'optional'],
      ['length', 'offset', 8, 'optional'],
    ])
  }
  refuses(t, (on: boolean) => reading.setCloexec(on), [['on', 'boolean', true]])
  refuses(t, (on: boolean) => reading.setNonBlocking(on), [['on', 'boolean', true]])
  t.equal(sys.fcntl_getfl(reading.fd) & O_NONBLOCK, O_NONBLOCK)
  t.equal(sys.ioctl_fionread(reading.fd), 0)
  t.strictSame([...openDescriptors()], before)
})

test('fdTable refuses bad arguments', (t) => {
  for (const call of [fdTable.generation, fdTable.token, fdTable.retire]) {
    refuses(t, call, [['fd', 'int32', 0]])
    for (const fd of [-1, 2 ** 20]) t.throws(() => call(fd), { ...RANGE, message: /"fd"/ })
  }
  const token = fdTable.token(0)
  refuses(t, (given: never) => fdTable.isCurrent(given), [['token', 'object', token]])
  for (const [value, expected] of bad.uint32) {
    t.throws(() => fdTable.isCurrent({ ...token, fd: value as number }), expected)
    t.throws(() => fdTable.isCurrent({ ...token, generation: value as number }), expected)
  }
  t.equal(fdTable.isCurrent(token), true)
})
