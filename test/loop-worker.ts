// Loops in workers. terminate() ends them wherever they are, and they leave nothing open. There is no
// bound on how long it takes but the test runner's own.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { EPOLLIN, EventFd, Loop, type Waker, wake } from 'genpoll'
import * as sys from 'genpoll/sys'
import { untilBlocked } from './fixtures/blocked.js'
import { openDescriptors, test } from './fixtures/check.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { masks } from './fixtures/signals.js'

const SEEN = [
  'SIGRTMIN+2',
  'after',
  'bell 3',
  'defer',
  'every',
  'gone false',
  'one in other',
  'other',
  'woken 0',
]

function start(name: string, workerData?: string): Worker {
  const url = new URL(`./fixtures/children/${name}.mjs`, import.meta.url)
  // Without the test runner's loaders, which take a second, and without Node's warning that a
  // descriptor is closed which it hasn't opened.
  return new Worker(url, { workerData, execArgv: [], trackUnmanagedFds: false })
}

interface Running {
  worker: Worker
  epfd: number
  waker: Waker
  bell: number
  writing: number
}

/** A worker in the middle of a loop. */
async function running(way: string): Promise<Running> {
  const worker = start('loop-worker', way)
  const [told] = await once(worker, 'message')
  if (way.startsWith('blocks')) await untilBlocked('epoll_pwait', told.epfd)
  return { worker, ...told }
}

for (const count of [1, 3]) {
  test(`two loops in each of ${count} workers`, async (t) => {
    const workers = Array.from({ length: count }, () => start('loop-tour'))
    for (const worker of workers) worker.on('error', (error) => t.error(error))
    const exits = workers.map((worker) => once(worker, 'exit'))
    const told = await Promise.all(workers.map((worker) => once(worker, 'message')))
    // A signal is the process's: each worker hears of one, if not of its own.
    for (const [seen] of told) t.strictSame(seen.sort(), SEEN)
    for (const exit of exits) t.strictSame(await exit, [0])
  })
}

const WAYS = [
  'blocks in run',
  'blocks in runOnce',
  'blocks in a runOnce of a minute',
  'audits',
  'is busy with a descriptor that is always ready',
  'is busy with timers',
  'is busy with deferred calls',
  'is busy in a handler',
  'is busy with runOnce',
  'runs another loop in a handler',
]

for (const way of WAYS) {
  test(`terminate ends a worker that ${way}`, async (t) => {
    const blocked = masks()
    const before = [...openDescriptors()]
    const { worker, waker } = await running(way)
    t.equal(wake(waker), true)
    t.equal(await worker.terminate(), 1)
    t.strictSame([...openDescriptors()], before)
    t.equal(wake(waker), false)
    for (const [tid, mask] of masks()) t.equal(mask, blocked.get(tid) ?? mask)
  })
}

test('a message neither ends run nor is lost', async (t) => {
  const { worker, epfd, bell } = await running('blocks in run')
  worker.postMessage('hello')
  await untilBlocked('epoll_pwait', epfd)
  sys.eventfd_write(bell, 1)
  await untilBlocked('epoll_pwait', epfd)
  t.equal(await worker.terminate(), 1)
})

test('a worker that is terminated ends the sources of its descriptors elsewhere', async (t) => {
  const { worker, bell } = await running('blocks in run')
  using loop = new Loop()
  const source = loop.watch(bell, 0, () => t.fail('called'))
  const exit = worker.terminate()
  runToEnd(t, loop)
  t.equal(source.active, false)
  await exit
})

test('a worker is terminated while others wake its loop and ring what it watches', async (t) => {
  for (let i = 0; i < 5; i++) {
    const { worker, waker, writing } = await running('blocks in run')
    const keeper = sys.dup(writing)
    const exit = worker.terminate()
    let isOver = false
    void exit.then(() => {
      isOver = true
    })
    while (!isOver) {
      wake(waker)
      await new Promise(setImmediate)
    }
    t.equal(wake(waker), false)
    t.equal(await exit, 1)
    sys.close(keeper)
  }
})

for (const [how, code] of Object.entries({ exits: 7, throws: 1 })) {
  test(`a worker that ${how} in a handler leaves nothing open`, async (t) => {
    const before = [...openDescriptors()]
    const act = how === 'exits' ? 'process.exit(7)' : 'throw new Error("mine")'
    const script = `import('genpoll').then(({ EPOLLIN, EventFd, Loop }) => {
      const loop = new Loop()
      loop.signal(['SIGUSR2'], () => {})
      loop.watch(new EventFd({ initial: 1 }), EPOLLIN, () => { ${act} })
      loop.run()
    })`
    const blocked = masks()
    const worker = new Worker(script, { eval: true, execArgv: [] })
    const errors: Error[] = []
    worker.on('error', (error) => errors.push(error))
    t.equal(await new Promise((resolve) => worker.on('exit', resolve)), code)
    t.match(errors, how === 'throws' ? [{ message: 'mine' }] : [])
    t.strictSame([...openDescriptors()], before)
    t.strictSame(masks(), blocked)
  })
}

for (const what of [
  'its last source is found to be stale',
  'onStale stops it',
  'onStale closes it',
]) {
  test(`run in a worker returns when ${what}`, async (t) => {
    const worker = start('loop-stale', what)
    const exit = once(worker, 'exit')
    t.strictSame(await once(worker, 'message'), ['run returned'])
    t.strictSame(await exit, [0])
  })
}

test('this thread and a worker ring each other through eventfds', async (t) => {
  using loop = new Loop()
  using ours = new EventFd()
  using theirs = new EventFd()
  const ROUNDS = 1000
  const script = `import('genpoll').then(({ EPOLLIN, Loop }) => import('genpoll/sys').then((sys) => {
    const loop = new Loop()
    let count = 0
    loop.watch(${theirs.fd}, EPOLLIN, (_events, source) => {
      sys.eventfd_read(${theirs.fd})
      sys.eventfd_write(${ours.fd}, 1)
      if (++count === ${ROUNDS}) source.remove()
    })
    loop.run()
  }))`
  const worker = new Worker(script, { eval: true, execArgv: [] })
  const exit = once(worker, 'exit')
  let count = 0
  loop.watch(ours, EPOLLIN, (_events, source) => {
    ours.read()
    if (++count === ROUNDS) source.remove()
    else theirs.write()
  })
  theirs.write()
  runToEnd(t, loop)
  t.equal(count, ROUNDS)
  t.strictSame(await exit, [0])
})
