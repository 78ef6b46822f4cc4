import { EPOLLET, EPOLLIN } from 'genpoll'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { add, Descriptors, write } from './fixtures/kernel.js'
import { first, isSome, Waiter } from './fixtures/waiters.js'

/** e0 → e1 → s0: the epolls, and the peer that makes s0 readable. */
function chain(fds: Descriptors, mode: number) {
  const [s0, peer] = fds.pair()
  const e1 = fds.epoll([s0, EPOLLIN | mode])
  const e0 = fds.epoll([e1, EPOLLIN | mode])
  return { e0, e1, s0, peer }
}

/** e0 → { e1 → s0, e2 → s2 }, level-triggered. */
function fork(fds: Descriptors) {
  const [s0, peer0] = fds.pair()
  const [s2, peer2] = fds.pair()
  const e1 = fds.epoll([s0, EPOLLIN])
  const e2 = fds.epoll([s2, EPOLLIN])
  const e0 = fds.epoll([e1, EPOLLIN], [e2, EPOLLIN])
  return { e0, e1, e2, peer0, peer2 }
}

test('C194 one edge wakes one of two waiters', async (t) => {
  using fds = new Descriptors()
  const { e0, e1, peer } = chain(fds, EPOLLET)
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0), b.wait(e0)] as const
  await untilBlocked('epoll_pwait', e0, 2)
  write(peer, 'w')
  const [winner, rest] = await first(...waits)
  t.same(winner, [[EPOLLIN, e1]])
  // Something else ends the other wait, and is all that it sees.
  const bell = fds.eventfd(1)
  add(e0, bell, EPOLLIN)
  t.same(await rest, [[EPOLLIN, bell]])
})

test('C195 one edge goes to a waiter or to a poller, not to both', async (t) => {
  using fds = new Descriptors()
  const { e0, e1, peer } = chain(fds, EPOLLET)
  const outer = fds.epoll([e0, EPOLLIN])
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0), b.pollAndWait(outer, e0)] as const
  await untilBlocked('epoll_pwait', e0)
  await untilBlocked('epoll_pwait', outer)
  write(peer, 'w')
  await first(...waits)
  add(e0, fds.eventfd(1), EPOLLIN)
  const seen = (await Promise.all(waits)).flat()
  t.same(
    seen.filter(([, fd]) => fd === e1),
    [[EPOLLIN, e1]],
  )
})

test('C203 a level wakes both waiters', async (t) => {
  using fds = new Descriptors()
  const { e0, e1, peer } = chain(fds, 0)
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0), b.wait(e0)]
  await untilBlocked('epoll_pwait', e0, 2)
  write(peer, 'w')
  t.same(await Promise.all(waits), [[[EPOLLIN, e1]], [[EPOLLIN, e1]]])
})

test('C204 a level wakes a waiter and a poller', async (t) => {
  using fds = new Descriptors()
  const { e0, e1, peer } = chain(fds, 0)
  const outer = fds.epoll([e0, EPOLLIN])
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0), b.pollAndWait(outer, e0)]
  await untilBlocked('epoll_pwait', e0)
  await untilBlocked('epoll_pwait', outer)
  write(peer, 'w')
  t.same(await Promise.all(waits), [[[EPOLLIN, e1]], [[EPOLLIN, e1]]])
})

test('C198 two levels wake two waiters that take one event each', async (t) => {
  using fds = new Descriptors()
  const { e0, e1, e2, peer0, peer2 } = fork(fds)
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0, { maxEvents: 1 }), b.wait(e0, { maxEvents: 1 })]
  await untilBlocked('epoll_pwait', e0, 2)
  write(peer0, 'w')
  write(peer2, 'w')
  for (const seen of await Promise.all(waits)) t.ok(isSome(seen, e1, e2))
})

test('C199 two levels wake a waiter and a poller', async (t) => {
  using fds = new Descriptors()
  const { e0, e1, e2, peer0, peer2 } = fork(fds)
  const outer = fds.epoll([e0, EPOLLIN])
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.wait(e0, { maxEvents: 1 }), b.pollAndWait(outer, e0)]
  await untilBlocked('epoll_pwait', e0)
  await untilBlocked('epoll_pwait', outer)
  write(peer0, 'w')
  write(peer2, 'w')
  for (const seen of await Promise.all(waits)) t.ok(isSome(seen, e1, e2))
})

test('C200 two levels wake two pollers', async (t) => {
  using fds = new Descriptors()
  const { e0, e1, e2, peer0, peer2 } = fork(fds)
  const outers = [fds.epoll([e0, EPOLLIN]), fds.epoll([e0, EPOLLIN])] as const
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  const waits = [a.pollAndWait(outers[0], e0), b.pollAndWait(outers[1], e0)]
  for (const outer of outers) await untilBlocked('epoll_pwait', outer)
  write(peer0, 'w')
  write(peer2, 'w')
  for (const seen of await Promise.all(waits)) t.ok(isSome(seen, e1, e2))
})

test('C209 C210 C211 C212 a level wakes who waits or polls within, and who does without', async (t) => {
  await using a = await Waiter.start()
  await using b = await Waiter.start()
  for (const [innerPolls, outerPolls] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    using fds = new Descriptors()
    const { e0, e1, s0, peer } = chain(fds, 0)
    const start = async (waiter: Waiter, epfd: number, polls: boolean) => {
      const blocksIn = polls ? fds.epoll([epfd, EPOLLIN]) : epfd
      const seen = polls ? waiter.pollAndWait(blocksIn, epfd) : waiter.wait(epfd)
      await untilBlocked('epoll_pwait', blocksIn)
      return { seen }
    }
    const inner = await start(a, e1, innerPolls)
    const outer = await start(b, e0, outerPolls)
    write(peer, 'w')
    t.same(await inner.seen, [[EPOLLIN, s0]])
    t.same(await outer.seen, [[EPOLLIN, e1]])
  }
})
