// wake(token) from other threads: it wakes the loop that gave the token, or does nothing at all.

import { once } from 'node:events'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import {
  EFD_NONBLOCK,
  EPOLLIN,
  Epoll,
  EventFd,
  fdTable,
  Loop,
  TimerFd,
  type Waker,
  wake,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { bad } from './fixtures/bad.js'
import { untilBlocked } from './fixtures/blocked.js'
import { openDescriptors, test } from './fixtures/check.js'
import { NOT_OPEN } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'
import { Partner } from './fixtures/partner.js'
import { poll } from './fixtures/poll.js'

const ignore = () => {}

/** Whether nothing ends a wait before its time is up. */
function isQuiet(loop: Loop): boolean {
  const startMs = performance.now()
  return loop.runOnce(10) === 0 && performance.now() - startMs >= 10
}

/** A worker with a loop; resolves once that is made, with its token and its epoll's number. */
async function loopWorker(): Promise<{ worker: Worker; waker: Waker; epfd: number }> {
  const worker = new Worker(new URL('fixtures/children/loop-waits.mjs', import.meta.url), {
    execArgv: [],
  })
  const [{ waker, epfd }] = await once(worker, 'message')
  return { worker, waker, epfd }
}

test('the token names the loop for as long as it is open', (t) => {
  const loop = new Loop()
  const { waker } = loop
  t.equal(loop.waker, waker)
  t.strictSame(Object.keys(waker).sort(), ['fd', 'generation'])
  t.equal(wake(waker), true)
  t.equal(wake({ ...waker }), true, 'a copy is as good')
  t.strictSame(structuredClone(waker), { ...waker })
  loop.close()
  t.equal(wake(waker), false)
  t.equal(wake(loop.waker), false)
})

test('each loop has its own', (t) => {
  using one = new Loop()
  using other = new Loop()
  wake(one.waker)
  t.equal(isQuiet(other), true)
  t.equal(one.runOnce(), 0)
  t.equal(isQuiet(one), true)
})

test('a worker gets it by message, and wakes a runOnce without a time-out', async (t) => {
  using loop = new Loop()
  const script = `
    const { parentPort } = require('node:worker_threads')
    parentPort.once('message', async (waker) => parentPort.postMessage((await import('genpoll')).wake(waker)))`
  const worker = new Worker(script, { eval: true, execArgv: [] })
  const exit = once(worker, 'exit')
  const answer = once(worker, 'message')
  worker.postMessage(loop.waker)
  t.equal(loop.runOnce(), 0)
  t.strictSame(await answer, [true])
  await exit
})

test('10,000 wakes from a worker never block, and are one for a loop that isn’t waiting', async (t) => {
  using loop = new Loop()
  const script = `
    import('genpoll').then(({ wake }) => {
      const { parentPort, workerData } = require('node:worker_threads')
      let woken = 0
      for (let i = 0; i < 10_000; i++) if (wake(workerData)) woken++
      parentPort.postMessage(woken)
    })`
  const options = { eval: true, execArgv: [], workerData: loop.waker }
  const worker = new Worker(script, options)
  const exit = once(worker, 'exit')
  t.strictSame(await once(worker, 'message'), [10_000])
  await exit
  t.equal(loop.runOnce(), 0)
  t.equal(isQuiet(loop), true)
})

test('nor do they when they come while the loop runs', async (t) => {
  await using partner = await Partner.start()
  using loop = new Loop()
  using bell = new EventFd()
  const { fd, generation } = loop.waker
  loop.watch(bell, EPOLLIN, () => loop.stop())
  let calls = 0
  loop.every(0.1, () => calls++)
  for (let i = 0; i < 10; i++) {
    const wakes = Array.from({ length: 1000 }, (): ['wake', number, number] => [
      'wake',
      fd,
      generation,
    ])
    partner.begin(...wakes, ['eventfd_write', bell.fd, 1])
    loop.run()
    partner.finish()
    t.equal(bell.read(), 1)
  }
  t.ok(calls > 0)
})

test('this thread wakes a worker that is blocked in its loop, until that is gone', async (t) => {
  const { worker, waker, epfd } = await loopWorker()
  for (let i = 0; i < 3; i++) {
    await untilBlocked('epoll_pwait', epfd)
    t.equal(wake(waker), true)
    t.strictSame(await once(worker, 'message'), [0])
  }
  await untilBlocked('epoll_pwait', epfd)
  await worker.terminate()
  t.equal(wake(waker), false)
})

for (const [whose, recycle] of Object.entries({
  'this thread’s': (_partner: Partner) => {
    sys.eventfd(0, EFD_NONBLOCK)
  },
  'another thread’s': (partner: Partner) => partner.make(['eventfd', 0, EFD_NONBLOCK]),
})) {
  test(`the token of a loop that is gone isn’t written to ${whose} eventfd of its number`, async (t) => {
    await using partner = await Partner.start()
    using fds = new Descriptors()
    const loop = new Loop()
    const { waker } = loop
    const before = openDescriptors()
    loop.close()
    while (!openDescriptors().has(waker.fd)) recycle(partner)
    for (const [fd, what] of openDescriptors()) if (before.get(fd) !== what) fds.own(fd)
    fds.own(waker.fd)
    t.equal(openDescriptors().get(waker.fd), 'anon_inode:[eventfd]')
    t.equal(wake(waker), false)
    partner.make(['wake', waker.fd, waker.generation])
    t.equal(sys.eventfd_read(waker.fd), null)
  })
}

test('nor to another loop that has its number', (t) => {
  const gone = new Loop()
  const { waker } = gone
  gone.close()
  using loop = new Loop()
  t.equal(loop.waker.fd, waker.fd)
  t.not(loop.waker.generation, waker.generation)
  t.equal(wake(waker), false)
  t.equal(isQuiet(loop), true)
})

test('nor to what a dup3 has put under its number', (t) => {
  const loop = new Loop()
  const { waker } = loop
  using bell = new EventFd()
  sys.dup3(bell.fd, waker.fd, 0)
  t.equal(wake(waker), false)
  t.equal(wake(fdTable.token(waker.fd)), false)
  t.equal(bell.read(), null)
  loop.close()
  t.equal(openDescriptors().has(waker.fd), true, 'it isn’t the loop’s to close')
  sys.close(waker.fd)
})

test('the token of something else is false, and nothing is written', (t) => {
  using fds = new Descriptors()
  using loop = new Loop()
  using bell = new EventFd()
  using clock = new TimerFd()
  using epoll = new Epoll()
  const [reading, writing] = fds.pipe()
  for (const fd of [bell.fd, clock.fd, epoll.fd, reading, writing, fds.eventfd(), NOT_OPEN]) {
    t.equal(wake(fdTable.token(fd)), false, `${fd}`)
  }
  t.equal(bell.read(), null)
  t.equal(poll(reading), 0)
  // The loop’s other descriptors.
  for (const fd of [loop.waker.fd - 1, loop.waker.fd + 1, loop.waker.fd + 2]) {
    t.equal(wake(fdTable.token(fd)), false, `${fd}`)
  }
  t.equal(isQuiet(loop), true)
})

test('a generation that is made up is false, and nothing is written', (t) => {
  using loop = new Loop()
  const { fd, generation } = loop.waker
  const others = [0, 1, generation - 1, generation + 1, generation ^ 0x8000_0000, 2 ** 32 - 1]
  for (const other of others) t.equal(wake({ fd, generation: other >>> 0 }), false, `${other}`)
  t.equal(isQuiet(loop), true)
})

test('a bell that is watched by others too is rung for them', (t) => {
  using loop = new Loop()
  using epoll = new Epoll()
  epoll.add(loop.waker, EPOLLIN, undefined)
  wake(loop.waker)
  t.equal(epoll.wait(0, ignore), 1)
  t.equal(loop.runOnce(), 0)
})

test('bad arguments are refused', (t) => {
  using loop = new Loop()
  const { fd, generation } = loop.waker
  const numbers = bad.uint32.filter(([, { code }]) => code === 'ERR_INVALID_ARG_TYPE')
  for (const [value, expected] of [...bad.object, [undefined, bad.object[0]![1]] as const]) {
    t.throws(() => wake(value as never), { ...expected, message: /"waker"/ }, inspect(value))
  }
  for (const [value, expected] of [...bad.uint32, [undefined, numbers[0]![1]] as const]) {
    const what = inspect(value)
    t.throws(
      () => wake({ fd: value as never, generation }),
      { ...expected, message: /"waker.fd"/ },
      what,
    )
    t.throws(
      () => wake({ fd, generation: value as never }),
      { ...expected, message: /"waker.generation"/ },
      what,
    )
  }
  t.throws(() => wake({ fd: 2 ** 20, generation }), { code: 'ERR_OUT_OF_RANGE' })
  t.equal(isQuiet(loop), true)
})
