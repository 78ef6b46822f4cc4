import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { ClosedError, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLPRI, Epoll, EventFd, fdTable } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'

/** A number above the limit of open files. */
const UNUSED = 999_999

const ignore = (): void => {}

test('add registers a descriptor, and an event is handed over with its registration', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN | EPOLLOUT | EPOLLPRI, 'bell')
  t.match(registration, { fd: bell.fd, generation: bell.generation, data: 'bell' })
  t.equal(registration.events, EPOLLIN | EPOLLOUT | EPOLLPRI)
  t.equal(registration.state, 'active')
  const seen: unknown[] = []
  t.equal(
    epoll.wait(-1, (...event) => seen.push(event)),
    1,
  )
  t.strictSame(seen, [[registration, EPOLLIN | EPOLLOUT]])
})

test('masks are accepted signed and unsigned, and told unsigned', (t) => {
  const signed = EPOLLIN | EPOLLET
  t.ok(signed < 0)
  for (const mask of [signed, signed >>> 0]) {
    using epoll = new Epoll()
    using bell = ready()
    const registration = epoll.add(bell, mask, undefined)
    t.equal(registration.events, 0x80000001)
    t.equal(
      epoll.wait(0, (_, events) => t.equal(events, EPOLLIN)),
      1,
    )
    t.equal(epoll.wait(0, ignore), 0, 'edge-triggered')
    registration.modify(mask)
    t.equal(registration.events, 0x80000001)
    t.equal(epoll.wait(0, ignore), 1)
  }
})

test('C433 a target is a number or anything with a numeric fd', async (t) => {
  using bell = ready()
  await using file = await open('/dev/random')
  using inner = new Epoll<string>()
  using epoll = new Epoll<string>()
  inner.add(bell, EPOLLIN, 'bell')
  const seen = new Set<string>()
  epoll.add(bell.fd, EPOLLIN, 'number')
  epoll.add(file, EPOLLIN, 'FileHandle')
  epoll.add(inner, EPOLLIN, 'Epoll')
  using other = ready()
  epoll.add({ fd: other.fd }, EPOLLIN, 'object')
  t.equal(
    epoll.wait(-1, ({ data }) => seen.add(data)),
    4,
  )
  t.strictSame(seen, new Set(['number', 'FileHandle', 'Epoll', 'object']))
})

test('what the kernel refuses is an ErrnoError of epoll_ctl', async (t) => {
  using epoll = new Epoll()
  using inner = new Epoll()
  using bell = new EventFd()
  await using folder = await open(tmpdir())
  await using file = await open('/proc/self/exe')
  epoll.add(bell, EPOLLIN, undefined)
  epoll.add(inner, EPOLLIN, undefined)
  const refused = (of: Epoll, target: number | { fd: number }, code: string): void => {
    const { fd } = typeof target === 'number' ? { fd: target } : target
    const expected = { name: 'ErrnoError', code, syscall: 'epoll_ctl', op: 'EPOLL_CTL_ADD', fd }
    t.throws(() => of.add(target, EPOLLIN, undefined), expected)
  }
  refused(epoll, bell, 'EEXIST')
  refused(epoll, UNUSED, 'EBADF')
  refused(epoll, folder, 'EPERM')
  refused(epoll, file, 'EPERM')
  refused(epoll, epoll, 'EINVAL')
  refused(inner, epoll, 'ELOOP')
  t.equal(epoll.size, 2)
  t.equal(inner.size, 0)
})

test('a closed descriptor is refused before the kernel is asked', (t) => {
  using epoll = new Epoll()
  const bell = new EventFd()
  bell.close()
  t.throws(() => epoll.add(bell, EPOLLIN, undefined), { name: 'ClosedError', code: 'ERR_CLOSED' })
  t.throws(() => epoll.addAll([[bell, EPOLLIN, undefined]]), ClosedError)
})

test('addAll adds any iterable, in its order', (t) => {
  using epoll = new Epoll<number>()
  using first = ready()
  using second = ready()
  function* entries(): Generator<[EventFd, number, number]> {
    yield [first, EPOLLIN, 1]
    yield [second, EPOLLIN | EPOLLET, 2]
  }
  const registrations = epoll.addAll(entries())
  t.strictSame(
    registrations.map(({ fd, data, events, state }) => ({ fd, data, events, state })),
    [
      { fd: first.fd, data: 1, events: 1, state: 'active' },
      { fd: second.fd, data: 2, events: 0x80000001, state: 'active' },
    ],
  )
  t.equal(epoll.size, 2)
  t.equal(epoll.get(first), registrations[0])
  t.equal(epoll.wait(0, ignore), 2)
  t.strictSame(epoll.addAll([]), [])
})

test('addAll adds none if one of them can’t be added', async (t) => {
  using present = ready()
  using former = ready()
  using first = ready()
  using last = ready()
  await using file = await open('/proc/self/exe')
  for (const [wrong, code] of [
    [present, 'EEXIST'],
    [first, 'EEXIST'],
    [UNUSED, 'EBADF'],
    [file, 'EPERM'],
  ] as const) {
    using epoll = new Epoll()
    epoll.add(present, EPOLLIN, undefined)
    epoll.add(former, EPOLLIN, undefined).remove()
    const { fd } = typeof wrong === 'number' ? { fd: wrong } : wrong
    for (const others of [[first], [former, first]]) {
      const targets = [...others, wrong, last]
      t.throws(
        () => epoll.addAll(targets.map((target) => [target, EPOLLIN, undefined])),
        { name: 'ErrnoError', code, syscall: 'epoll_ctl', op: 'EPOLL_CTL_ADD', fd },
        code,
      )
      t.equal(epoll.size, 1)
      for (const target of [...others, last]) t.equal(epoll.get(target), undefined)
      t.equal(
        epoll.wait(0, ({ fd }) => t.equal(fd, present.fd)),
        1,
      )
    }
  }
})

test('addAll checks every entry before the kernel is asked', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const wrong = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
  const entries = [
    [bell, EPOLLIN, undefined],
    [bell, 'in', undefined],
  ] as never
  t.throws(() => epoll.addAll(entries), wrong)
  t.throws(() => epoll.addAll([[bell, EPOLLIN, undefined], 7] as never), wrong)
  t.throws(() => epoll.addAll(7 as never), wrong)
  t.equal(epoll.size, 0)
  t.equal(epoll.wait(0, ignore), 0)
})

test('get and size know the living registrations', (t) => {
  using epoll = new Epoll()
  using first = new EventFd()
  using second = new EventFd()
  const third = new EventFd()
  const registration = epoll.add(first, EPOLLIN, undefined)
  epoll.add(second, EPOLLIN, undefined)
  epoll.add(third, EPOLLIN, undefined)
  t.equal(epoll.size, 3)
  t.equal(epoll.get(first.fd), registration)
  t.equal(epoll.get({ fd: first.fd }), registration)
  const { fd } = third
  third.close()
  t.equal(epoll.size, 2)
  t.equal(epoll.get(fd), undefined)
  registration.remove()
  t.equal(epoll.size, 1)
  t.equal(epoll.get(first), undefined)
  t.equal(epoll.get(123456), undefined)
  epoll.close()
  t.equal(epoll.size, 0)
})

test('stats count the native waits and what was delivered', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  t.strictSame(epoll.stats, { waits: 0, delivered: 0, stale: 0, rebuilds: 0 })
  epoll.wait(0, ignore)
  epoll.add(bell, EPOLLIN, undefined)
  epoll.wait(0, ignore)
  epoll.wait(0, ignore)
  t.strictSame(epoll.stats, { waits: 3, delivered: 2, stale: 0, rebuilds: 0 })
})

test('a wait reads maxEvents events at most', (t) => {
  using epoll = new Epoll({ maxEvents: 2 })
  using first = ready()
  using second = ready()
  using third = ready()
  for (const bell of [first, second, third]) epoll.add(bell, EPOLLIN | EPOLLET, undefined)
  const counts = [0, 1, 2].map(() => epoll.wait(0, ignore))
  t.strictSame(counts, [2, 1, 0])
})

test('a stale event is dropped, counted, and doesn’t make wait(0) wait again', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const number = sys.dup(bell.fd)
  epoll.add(number, EPOLLIN, undefined)
  fdTable.retire(number)
  t.equal(epoll.wait(0, ignore), 0)
  t.strictSame(epoll.stats, { waits: 1, delivered: 0, stale: 1, rebuilds: 0 })
  sys.close(number)
})

test('stale events don’t end a wait before its time', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  const number = sys.dup(bell.fd)
  epoll.add(number, EPOLLIN, undefined)
  fdTable.retire(number)
  for (const timeoutMs of [4, 1.5]) {
    const start = process.hrtime.bigint()
    t.equal(epoll.wait(timeoutMs, ignore), 0)
    t.ok(process.hrtime.bigint() - start >= BigInt(timeoutMs * 1e6))
  }
  t.equal(epoll.stats.stale, 1, 'its entry went with the first')
  sys.close(number)
})

test('timeouts in fractions of a millisecond are never early', (t) => {
  using epoll = new Epoll()
  for (const timeoutMs of [0.000_000_1, 0.000_9, 0.25, 1, 1.000_001, 2.5, 5.75]) {
    for (const options of [{}, { sigmask: [] }]) {
      const start = process.hrtime.bigint()
      t.equal(epoll.wait(timeoutMs, ignore, options), 0)
      const tookNs = process.hrtime.bigint() - start
      t.ok(tookNs >= BigInt(Math.ceil(timeoutMs * 1e6)), `${timeoutMs} ms took ${tookNs} ns`)
    }
  }
})

test('any negative timeout waits for an event', (t) => {
  using epoll = new Epoll()
  using bell = ready()
  epoll.add(bell, EPOLLIN, undefined)
  for (const timeoutMs of [-1, -0.5, -(2 ** 40)]) t.equal(epoll.wait(timeoutMs, ignore), 1)
  t.equal(epoll.wait(-0, ignore), 1)
})

test('the epoll is readable itself while an event is pending', (t) => {
  using inner = new Epoll()
  using outer = new Epoll()
  using bell = new EventFd()
  outer.add(inner, EPOLLIN, undefined)
  inner.add(bell, EPOLLIN, undefined)
  t.equal(outer.wait(0, ignore), 0)
  bell.write()
  t.equal(outer.wait(-1, ignore), 1)
  bell.read()
  t.equal(outer.wait(0, ignore), 0)
})

test('closing a pipe’s other end is an event of the one that is watched', (t) => {
  using epoll = new Epoll()
  const [reading, writing] = pipe()
  epoll.add(reading, 0, undefined)
  writing.close()
  t.equal(
    epoll.wait(-1, (_, events) => t.equal(events, sys.EPOLLHUP)),
    1,
  )
  reading.close()
})

test('busyPoll sets and tells how the kernel polls the network', (t) => {
  using epoll = new Epoll()
  t.strictSame(epoll.busyPoll(), { usecs: 0, budget: 0, prefer: false })
  t.equal(epoll.busyPoll({ usecs: 50, budget: 16, prefer: true }), undefined)
  t.strictSame(epoll.busyPoll(), { usecs: 50, budget: 16, prefer: true })
  epoll.busyPoll({ usecs: 2 ** 31 - 1, budget: 0, prefer: false })
  t.strictSame(epoll.busyPoll(), { usecs: 2 ** 31 - 1, budget: 0, prefer: false })
})

test('a closed Epoll throws ClosedError, and its registrations are removed', (t) => {
  const epoll = new Epoll()
  using bell = ready()
  const registration = epoll.add(bell, EPOLLIN, undefined)
  const { fd } = epoll
  t.equal(epoll.closed, false)
  epoll.close()
  epoll.close()
  t.equal(epoll.closed, true)
  t.throws(() => sys.fcntl_getfd(fd), { code: 'EBADF' })
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.throws(() => epoll.fd, closed)
  t.throws(() => epoll.add(bell, EPOLLIN, undefined), closed)
  t.throws(() => epoll.addAll([]), closed)
  t.throws(() => epoll.addAll([[bell, EPOLLIN, undefined]]), closed)
  t.throws(() => epoll.wait(0, ignore), closed)
  t.throws(() => epoll.busyPoll(), closed)
  t.equal(epoll.get(bell), undefined)
  t.equal(registration.state, 'removed')
  t.equal(registration.remove(), false)
  t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'removed' })
  t.equal(bell.read(), 1, 'what it watched stays open')
})
