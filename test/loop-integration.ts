// How a Loop goes together with what the kernel, Node and other loops do: the cases that the test
// suites of other event loops have.

import { EPOLLIN, EPOLLOUT, Epoll, Loop, wake } from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { openDescriptors, test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { refused } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { turns } from './fixtures/seen.js'
import { DEADLY, masks, send } from './fixtures/signals.js'

const ignore = () => {}

/** Both ways to let a loop go on until it has nothing left. */
const WAYS: Record<string, (t: Test, loop: Loop) => Promise<void> | void> = {
  run: runToEnd,
  start: async (_t, loop) => {
    loop.start()
    await turns()
    loop.stop()
  },
}

test('C449 one descriptor in two loops is allowed, as it is in two epolls', (t) => {
  using one = new Loop()
  using other = new Loop()
  using bell = ready()
  const seen: string[] = []
  one.watch(bell, EPOLLIN, () => seen.push('one'))
  const source = other.watch(bell, EPOLLIN, () => seen.push('other'))
  t.equal(one.runOnce(), 1)
  t.equal(other.runOnce(), 1)
  t.equal(source.remove(), true)
  t.equal(one.runOnce(), 1)
  t.strictSame(seen, ['one', 'other', 'one'])
})

test('C450 a loop has one waker, which it watches itself', (t) => {
  using loop = new Loop()
  const { waker } = loop
  t.equal(loop.waker, waker)
  t.throws(() => loop.watch(waker, EPOLLIN, ignore), refused('EEXIST'))
  t.equal(wake(waker), true)
  t.equal(loop.runOnce(), 0)
})

for (const [way, goOn] of Object.entries(WAYS)) {
  test(`C463 64 sockets that are closed before the loop turns: nothing is left to wait for (${way})`, async (t) => {
    using fds = new Descriptors()
    using loop = new Loop()
    const sockets = Array.from({ length: 32 }, () => fds.pair()).flat()
    const sources = sockets.map((fd) => loop.watch(fd, EPOLLIN | EPOLLOUT, () => t.fail('called')))
    for (const fd of sockets) fds.close(fd)
    await goOn(t, loop)
    t.equal(
      sources.findIndex(({ active }) => active),
      -1,
    )
    t.equal(loop.runOnce(0), 0)
  })

  test(`C464 an unref’ed signal source has ended when remove returns (${way})`, async (t) => {
    const before = { open: openDescriptors().size, masks: masks() }
    using loop = new Loop()
    const made = openDescriptors().size
    let heard = 0
    const source = loop.signal([DEADLY], () => heard++).unref()
    send(DEADLY)
    const over = new Promise<unknown>((resolve) => loop.after(5, resolve))
    if (way === 'run') loop.run()
    else loop.start()
    await over
    t.equal(heard, 1)
    t.equal(source.remove(), true)
    t.equal(openDescriptors().size, made)
    t.strictSame(masks(), before.masks)
    await goOn(t, loop)
    loop.close()
    t.equal(openDescriptors().size, before.open)
  })

  test(`C472 an idle epoll that is watched: nobody is called, and it closes (${way})`, async (t) => {
    using loop = new Loop()
    const epoll = new Epoll()
    const source = loop.watch(epoll, EPOLLIN, () => t.fail('called'))
    t.equal(loop.runOnce(0), 0)
    epoll.close()
    await goOn(t, loop)
    t.equal(source.active, false)
  })
}

test('epolls that are nested too deep for Node’s own: start is refused, and run goes on', async (t) => {
  using loop = new Loop()
  using bell = ready()
  const epolls = Array.from({ length: 4 }, () => new Epoll())
  epolls.forEach((epoll, i) => void epoll.add(epolls[i - 1] ?? bell, EPOLLIN, undefined))
  const source = loop.watch(epolls[3]!, EPOLLIN, () => source.remove())
  for (let i = 0; i < 2; i++) t.throws(() => loop.start(), { code: 'ELOOP' })
  t.equal(loop.runOnce(), 1)
  loop.start()
  t.equal(await loop.ready(bell, EPOLLIN), EPOLLIN)
  for (const epoll of epolls) epoll.close()
})

test('C476 a second source for one descriptor is EEXIST, and the first goes on', (t) => {
  using loop = new Loop()
  using bell = ready()
  let calls = 0
  const first = loop.watch(bell, EPOLLIN, () => calls++)
  t.throws(() => loop.watch(bell, EPOLLIN, ignore), refused('EEXIST'))
  t.throws(() => loop.watch(bell.fd, EPOLLOUT, ignore), refused('EEXIST'))
  t.equal(loop.runOnce(), 1)
  t.equal(first.active, true)
  t.equal(calls, 1)
})

test('C477 the first of two sources for one descriptor is removed, and the second made', (t) => {
  using loop = new Loop()
  const [reading, writing] = pipe()
  writing.write(Buffer.from('x'))
  const seen: string[] = []
  for (const name of ['first', 'second']) {
    const source = loop.watch(reading, EPOLLIN, () => seen.push(name))
    t.equal(loop.runOnce(), 1)
    t.equal(source.remove(), true)
  }
  t.strictSame(seen, ['first', 'second'])
  runToEnd(t, loop)
  sys.close(reading.fd)
  writing.close()
})
