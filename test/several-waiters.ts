// One epoll, and several threads that wait in it.

import { EPOLLIN } from 'genpoll'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { Descriptors, write } from './fixtures/kernel.js'
import { isSome, Waiter } from './fixtures/waiters.js'

test('C178 C182 a level wakes both waiters', async (t) => {
  using fds = new Descriptors()
  const [s0, peer] = fds.pair()
  const e0 = fds.epoll([s0, EPOLLIN])
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0), b.wait(e0)]
  await untilBlocked('epoll_pwait', e0, 2)
  write(peer, 'w')
  t.strictSame(await Promise.all(waits), [[[EPOLLIN, s0]], [[EPOLLIN, s0]]])
})

test('C180 a level wakes a waiter and a poller', async (t) => {
  using fds = new Descriptors()
  const [s0, peer] = fds.pair()
  const e0 = fds.epoll([s0, EPOLLIN])
  const outer = fds.epoll([e0, EPOLLIN])
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0), b.pollAndWait(outer, e0)]
  await untilBlocked('epoll_pwait', e0)
  await untilBlocked('epoll_pwait', outer)
  write(peer, 'w')
  t.strictSame(await Promise.all(waits), [[[EPOLLIN, s0]], [[EPOLLIN, s0]]])
})

test('C179 two levels wake both waiters', async (t) => {
  using fds = new Descriptors()
  const [s0, peer0] = fds.pair()
  const [s2, peer2] = fds.pair()
  const e0 = fds.epoll([s0, EPOLLIN], [s2, EPOLLIN])
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0, { maxEvents: 2 }), b.wait(e0, { maxEvents: 2 })]
  await untilBlocked('epoll_pwait', e0, 2)
  write(peer0, 'w')
  write(peer2, 'w')
  for (const seen of await Promise.all(waits)) t.ok(isSome(seen, s0, s2))
})

test('C181 two levels wake a waiter and a poller', async (t) => {
  using fds = new Descriptors()
  const [s0, peer0] = fds.pair()
  const [s2, peer2] = fds.pair()
  const e0 = fds.epoll([s0, EPOLLIN], [s2, EPOLLIN])
  const outer = fds.epoll([e0, EPOLLIN])
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0, { maxEvents: 2 }), b.pollAndWait(outer, e0)]
  await untilBlocked('epoll_pwait', e0)
  await untilBlocked('epoll_pwait', outer)
  write(peer0, 'w')
  write(peer2, 'w')
  for (const seen of await Promise.all(waits)) t.ok(isSome(seen, s0, s2))
})
