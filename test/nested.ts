import { setImmediate as turn } from 'node:timers/promises'
import { EPOLLET, EPOLLIN, EPOLLOUT } from 'genpoll'
import { test } from './fixtures/check.js'
import { add, Descriptors, modify, read, remove, wait, write } from './fixtures/kernel.js'
import { poll } from './fixtures/poll.js'
import { Waiter } from './fixtures/waiters.js'

test('C189 an epoll can be added to another, changed and removed', (t) => {
  using fds = new Descriptors()
  const inner = fds.epoll()
  const outer = fds.epoll([inner, EPOLLOUT])
  modify(outer, inner, EPOLLIN)
  remove(outer, inner)
  t.throws(() => remove(outer, inner), { code: 'ENOENT', errno: -2, syscall: 'epoll_ctl' })
})

test('C190 C191 epolls can’t watch each other', (t) => {
  using fds = new Descriptors()
  const c = fds.epoll()
  const b = fds.epoll([c, EPOLLIN])
  const a = fds.epoll([b, EPOLLIN])
  for (const above of [a, b]) {
    t.throws(() => add(c, above, EPOLLIN), { code: 'ELOOP', errno: -40, syscall: 'epoll_ctl' })
  }
})

/** e0 → e1 → s0, with s0 readable. */
function chain(fds: Descriptors, mode: number): { e0: number; e1: number } {
  const [s0, peer] = fds.pair()
  const e1 = fds.epoll([s0, EPOLLIN | mode])
  const e0 = fds.epoll([e1, EPOLLIN | mode])
  write(peer, 'w')
  return { e0, e1 }
}

test('C192 an edge is reported once through two epolls', (t) => {
  using fds = new Descriptors()
  const { e0, e1 } = chain(fds, EPOLLET)
  t.same(wait(e0), [[EPOLLIN, e1]])
  t.same(wait(e0), [])
})

test('C193 an edge makes the outer epoll readable until it is reported', (t) => {
  using fds = new Descriptors()
  const { e0, e1 } = chain(fds, EPOLLET)
  t.equal(poll(e0), EPOLLIN)
  t.same(wait(e0), [[EPOLLIN, e1]])
  t.equal(poll(e0), 0)
  t.same(wait(e0), [])
})

test('C201 C202 a level is reported through two epolls as long as it lasts', (t) => {
  using fds = new Descriptors()
  const { e0, e1 } = chain(fds, 0)
  for (let i = 0; i < 2; i++) {
    t.equal(poll(e0), EPOLLIN)
    t.same(wait(e0), [[EPOLLIN, e1]])
  }
})

test('C196 C197 two inner epolls are reported together', (t) => {
  using fds = new Descriptors()
  const { e1, e0: x } = chain(fds, 0)
  const { e1: e2, e0: y } = chain(fds, 0)
  fds.close(x)
  fds.close(y)
  const e0 = fds.epoll([e1, EPOLLIN], [e2, EPOLLIN])
  for (let i = 0; i < 2; i++) {
    t.equal(poll(e0), EPOLLIN)
    t.same(
      wait(e0, 0, 2).sort(),
      [
        [EPOLLIN, e1],
        [EPOLLIN, e2],
      ].sort(),
    )
  }
})

test('C205 an idle entry makes no difference to a nested epoll', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const [idle, idleWriting] = fds.pipe()
  write(writing, 'w')
  const inner = fds.epoll([reading, EPOLLIN])
  t.equal(poll(inner), EPOLLIN)
  add(inner, idle, EPOLLIN)
  t.equal(poll(inner), EPOLLIN)
  write(idleWriting, 'w')
  t.equal(poll(inner), EPOLLIN)
  t.same(wait(fds.epoll([inner, EPOLLIN])), [[EPOLLIN, inner]])
})

test('C206 a nested epoll is readable from the first event to the last', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const inner = fds.epoll([reading, EPOLLIN])
  const outer = fds.epoll([inner, EPOLLIN])
  t.same(wait(outer), [])
  t.throws(() => add(inner, outer, EPOLLIN), { code: 'ELOOP' })
  write(writing, 'w')
  t.same(wait(outer), [[EPOLLIN, inner]])
  t.equal(poll(inner), EPOLLIN)
  read(reading)
  t.same(wait(outer), [])
  t.equal(poll(inner), 0)
})

test('C207 entries come and go in nested epolls while another thread waits', async (t) => {
  using fds = new Descriptors()
  const ready = [fds.eventfd(1), fds.eventfd(1), fds.eventfd(1)]
  const inner = [fds.epoll(), fds.epoll()]
  const outer = fds.epoll(...inner.map((fd): [number, number] => [fd, EPOLLIN]))
  await using waiter = await Waiter.start()
  let isDone = false
  const churn = waiter.churn(inner, ready, 2000).then(() => {
    isDone = true
  })
  let seen = 0
  while (!isDone) {
    for (let i = 0; i < 100; i++) {
      for (const epfd of [outer, ...inner]) seen += wait(epfd).length
    }
    await turn()
  }
  await churn
  t.ok(seen > 0)
  t.same(wait(outer), [])
})

test('C208 each level of a chain reports the next', (t) => {
  for (const length of [2, 3, 4, 5]) {
    using fds = new Descriptors()
    const [reading, writing] = fds.pipe()
    const levels = [reading]
    for (let i = 0; i < length; i++) levels.unshift(fds.epoll([levels[0]!, EPOLLIN]))
    write(writing, 'w')
    for (let i = 0; i < length; i++) t.same(wait(levels[i]!), [[EPOLLIN, levels[i + 1]!]])
  }
})
