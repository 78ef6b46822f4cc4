// An interest list that several threads change at once, while this one waits.

import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLIN, EPOLLOUT } from 'genpoll'
import { test } from './fixtures/check.js'
import { byNumber, Descriptors, type Ready, wait } from './fixtures/kernel.js'
import { Partner, type Step } from './fixtures/partner.js'
import { PATIENCE_MS } from './fixtures/poll.js'

const BELLS = 50
const ROUNDS = 100

/** Eventfds for one thread, readable and writable. */
function bellsIn(fds: Descriptors): number[] {
  return Array.from({ length: BELLS }, () => fds.eventfd(1))
}

test('C168 what two threads register during a wait is reported', async (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const some = bellsIn(fds)
  const others = bellsIn(fds)
  await using one = await Partner.start()
  await using other = await Partner.start()
  const register = (fd: number): Step[] => [
    ['untilWaiting', epfd],
    ['epoll_ctl', epfd, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET],
  ]
  one.begin(...some.flatMap(register))
  other.begin(...others.flatMap(register))
  const seen: Ready[] = []
  while (seen.length < 2 * BELLS) {
    const ready = wait(epfd, PATIENCE_MS)
    if (ready.length === 0) break
    seen.push(...ready)
  }
  one.finish()
  other.finish()
  t.strictSame(
    byNumber(seen),
    [...some, ...others].map((fd) => [EPOLLIN, fd]),
  )
})

test('C169 what three threads register and take out again ends as they left it', async (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  await using a = await Partner.start()
  await using b = await Partner.start()
  await using c = await Partner.start()
  const partners = [a, b, c].map((partner) => ({ partner, bells: bellsIn(fds) }))
  for (const { partner, bells } of partners) {
    const each = (op: number, events: number) =>
      bells.map((fd): Step => ['epoll_ctl', epfd, op, fd, events])
    const added = each(EPOLL_CTL_ADD, EPOLLIN)
    const round = [...added, ...each(EPOLL_CTL_DEL, 0)]
    const rounds = Array.from({ length: ROUNDS }, () => round).flat()
    partner.begin(...rounds, ...added, ...each(EPOLL_CTL_MOD, EPOLLOUT))
  }
  const masks = new Set<number>()
  while (partners.some(({ partner }) => !partner.isDone)) {
    for (const [events] of wait(epfd)) masks.add(events)
  }
  for (const { partner } of partners) partner.finish()
  // An entry was either the former or the latter, never something in between.
  masks.delete(EPOLLIN)
  masks.delete(EPOLLOUT)
  t.strictSame([...masks], [])
  t.strictSame(
    byNumber(wait(epfd, 0, 4 * BELLS)),
    partners.flatMap(({ bells }) => bells.map((fd) => [EPOLLOUT, fd])),
  )
})
