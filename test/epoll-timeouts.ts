import { EPOLLIN, Epoll, type EventFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { Descriptors, timed, wait, write } from './fixtures/kernel.js'
import { listener, tcpPair } from './fixtures/tcp.js'

const NS_PER_MS = 1e6
const out = new Uint32Array(24)

/** An epoll that watches idle eventfds. */
function idle(fds: Descriptors, count: number): number {
  return fds.epoll(
    ...Array.from({ length: count }, (): [number, number] => [fds.eventfd(), EPOLLIN]),
  )
}

test('C102 C103 C105 an empty epoll waits as long as it was told', (t) => {
  using fds = new Descriptors()
  const [events, elapsedNs] = timed(() => wait(fds.epoll(), 100))
  t.same(events, [])
  t.ok(elapsedNs >= 100 * NS_PER_MS)
})

test('C120 C127 so does one with idle descriptors', (t) => {
  using fds = new Descriptors()
  const epfd = idle(fds, 3)
  for (const timeoutMs of [200, 300]) {
    const [events, elapsedNs] = timed(() => wait(epfd, timeoutMs))
    t.same(events, [])
    t.ok(elapsedNs >= timeoutMs * NS_PER_MS)
  }
})

test('C121 C128 C142 C143 no wait in milliseconds is early', (t) => {
  using fds = new Descriptors()
  const epfd = idle(fds, 1)
  for (const timeoutMs of [1, 1.5, 2, 3.0001, 5, 10, 15.9, 20, 33.4, 50]) {
    const [events, elapsedNs] = timed(() => wait(epfd, timeoutMs))
    t.same(events, [])
    t.ok(elapsedNs >= timeoutMs * NS_PER_MS, `${timeoutMs} ms took ${elapsedNs} ns`)
  }
})

test('C140 C142 C143 C144 C147 no wait in nanoseconds is early', (t) => {
  using fds = new Descriptors()
  const epfd = idle(fds, 1)
  const waitsNs = [
    0n,
    1n,
    999n,
    50_000n,
    999_999n,
    1_000_001n,
    2_000_000n,
    10_000_000n,
    200_000_000n,
  ]
  for (const timeoutNs of waitsNs) {
    const [count, elapsedNs] = timed(() => sys.epoll_pwait2(epfd, out, timeoutNs))
    t.equal(count, 0)
    t.ok(elapsedNs >= timeoutNs, `${timeoutNs} ns took ${elapsedNs}`)
  }
})

test('C147 no short wait among many is early', (t) => {
  using fds = new Descriptors()
  const epfd = idle(fds, 1)
  let early = 0
  for (let timeoutNs = 1n; timeoutNs <= 1_000_000n; timeoutNs += 3333n) {
    const [, elapsedNs] = timed(() => sys.epoll_pwait2(epfd, out, timeoutNs))
    if (elapsedNs < timeoutNs) early++
  }
  t.equal(early, 0)
})

test('C139 no wait of 3.1 ms is early', (t) => {
  using fds = new Descriptors()
  const epfd = idle(fds, 1)
  let shortestNs = 2n ** 63n
  for (let i = 0; i < 100; i++) {
    const [, elapsedNs] = timed(() => wait(epfd, 3.1))
    if (elapsedNs < shortestNs) shortestNs = elapsedNs
  }
  t.ok(shortestNs >= 3_100_000n, `the shortest took ${shortestNs} ns`)
})

test('C122 C124 a timeout of 0 reports what there is', (t) => {
  using fds = new Descriptors()
  const epfd = idle(fds, 1)
  for (let i = 0; i < 100; i++) t.same(wait(epfd, 0), [])
})

test('C124 C125 Epoll.wait is never early and never late for what is ready', (t) => {
  using idle = new Epoll<EventFd>()
  for (let i = 0; i < 2; i++) {
    const [count, elapsedNs] = timed(() => idle.wait(100.5, () => {}))
    t.equal(count, 0)
    t.ok(elapsedNs >= 100.5 * NS_PER_MS)
  }
  t.equal(
    idle.wait(0, () => {}),
    0,
  )
  using bell = ready()
  idle.add(bell, EPOLLIN, bell)
  for (const timeoutMs of [0, -1, -0.5, 1000]) {
    t.equal(
      idle.wait(timeoutMs, ({ data }) => t.equal(data, bell)),
      1,
    )
  }
})

test('C123 a timeout of 0 ns reports what there is', async (t) => {
  using fds = new Descriptors()
  const pairs = [await tcpPair(fds), await tcpPair(fds), await tcpPair(fds)]
  const epfd = fds.epoll(...pairs.map(([reading]): [number, number] => [reading, EPOLLIN]))
  t.equal(sys.epoll_pwait2(epfd, out, 0n), 0)
  for (const [, writing] of pairs) write(writing, 'w')
  t.equal(sys.epoll_pwait2(epfd, out, 0n), 3)
})

test('C126 a listener with no connection waits', async (t) => {
  using fds = new Descriptors()
  const { fd } = await listener(fds)
  const epfd = fds.epoll([fd, EPOLLIN])
  for (let i = 0; i < 3; i++) {
    const [events, elapsedNs] = timed(() => wait(epfd, 100))
    t.same(events, [])
    t.ok(elapsedNs >= 100 * NS_PER_MS)
  }
})

test('a fraction that rounds up to the next second is one', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll([fds.eventfd(1), EPOLLIN])
  t.equal(sys.epoll_pwait(epfd, out, 999.999_999_9), 1)
})
