// worker.terminate() ends a wait of any length, and the worker leaves nothing open. There is no
// bound on how long it takes but the test runner's own.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { EPOLLIN } from 'genpoll'
import * as sys from 'genpoll/sys'
import { untilBlocked } from './fixtures/blocked.js'
import { openDescriptors, test } from './fixtures/check.js'

const CHILD = new URL('./fixtures/children/blocking-wait.mjs', import.meta.url)

/** Without the test runner's loaders, which take a second. */
const BARE = { execArgv: [] }

interface Waiting {
  worker: Worker
  epfd: number
  bell: number
  writing: number
}

/**
 * A worker that is in the middle of `wait`.
 *
 * @param options `{}` has its coverage recorded, if it ends by itself.
 */
async function waiting(workerData: object, options: object = BARE): Promise<Waiting> {
  const worker = new Worker(CHILD, { workerData, ...options })
  const [fds] = await once(worker, 'message')
  if (!('busy' in workerData)) await untilBlocked('epoll_pwait', fds.epfd)
  return { worker, ...fds }
}

/** The descriptors of a worker that are open still. */
function stillOpen({ epfd, bell, writing }: Waiting): number[] {
  const open = openDescriptors()
  return [epfd, bell, writing].filter((fd) => open.has(fd))
}

const WAITS = {
  'without end': { timeoutMs: -1 },
  'of a minute': { timeoutMs: 60_000 },
  'of a minute and a fraction': { timeoutMs: 60_000.000_5 },
  'with a signal mask': { timeoutMs: -1, sigmask: ['SIGHUP'] },
}

for (const [kind, workerData] of Object.entries(WAITS)) {
  test(`terminate ends a wait ${kind}`, async (t) => {
    const waiter = await waiting(workerData)
    t.equal(await waiter.worker.terminate(), 1)
    t.strictSame(stillOpen(waiter), [])
  })
}

for (const busy of ['that looks again and again', 'that stale events keep busy']) {
  test(`terminate ends a program ${busy}`, async (t) => {
    const waiter = await waiting({ timeoutMs: -1, busy })
    t.equal(await waiter.worker.terminate(), 1)
    t.strictSame(stillOpen(waiter), [])
  })
}

test('terminate ends a wait in which messages are pending', async (t) => {
  for (const workerData of Object.values(WAITS)) {
    const waiter = await waiting(workerData)
    for (let i = 0; i < 3; i++) waiter.worker.postMessage(i)
    // The wait has noticed, can do nothing for them, and goes on.
    await untilBlocked('epoll_pwait', waiter.epfd)
    t.equal(await waiter.worker.terminate(), 1)
    t.strictSame(stillOpen(waiter), [])
  }
})

test('a message neither ends a wait nor makes it spin', async (t) => {
  const waiter = await waiting({ timeoutMs: -1 }, {})
  const exit = once(waiter.worker, 'exit')
  waiter.worker.postMessage('hello')
  await untilBlocked('epoll_pwait', waiter.epfd)
  sys.eventfd_write(waiter.bell, 1)
  const [{ delivered, waits }] = await once(waiter.worker, 'message')
  t.equal(delivered, 1)
  t.ok(waits < 1000, `${waits} native waits`)
  t.strictSame(await exit, [7], 'once it has returned, Node delivers the message')
})

test('a wait that Node has interrupted lasts as long as it was told', async (t) => {
  const timeoutMs = 400
  const waiter = await waiting({ timeoutMs }, {})
  const exit = once(waiter.worker, 'exit')
  process.report.getReport() // asks every worker for its part
  waiter.worker.postMessage('hello')
  const [{ delivered, tookMs }] = await once(waiter.worker, 'message')
  t.equal(delivered, 0)
  t.ok(tookMs >= timeoutMs, `${tookMs} ms`)
  await exit
})

test('process.exit in a worker closes what it has', async (t) => {
  const before = openDescriptors().size
  const worker = new Worker(
    `const { Epoll, EventFd } = await import('genpoll')
     const epoll = new Epoll()
     epoll.add(new EventFd({ initial: 1 }), ${EPOLLIN})
     epoll.wait(-1, () => process.exit(7))`,
    { eval: true, ...BARE },
  )
  const [code] = await once(worker, 'exit')
  t.equal(code, 7)
  t.equal(openDescriptors().size, before)
})

test('terminate ends a wait that Node has interrupted before', async (t) => {
  const waiter = await waiting({ timeoutMs: -1 })
  // Asks every worker for its part, and waits for that. What Node's loop was woken for is now pending
  // there until the wait is over, and a request of the same kind wakes it no second time.
  const report = process.report.getReport() as unknown as { workers: unknown[] }
  t.ok(report.workers.length > 0)
  await untilBlocked('epoll_pwait', waiter.epfd)
  t.equal(await waiter.worker.terminate(), 1)
  t.strictSame(stillOpen(waiter), [])
})

/** As on Bun, where most of libuv's functions end the process. */
const WITHOUT_LIBUV = ['--import', new URL('fixtures/children/bun.mjs', import.meta.url).href]

test('a wait without libuv: terminate ends it', async (t) => {
  const waiter = await waiting({ timeoutMs: -1 }, { execArgv: WITHOUT_LIBUV })
  t.equal(await waiter.worker.terminate(), 1)
  t.strictSame(stillOpen(waiter), [])
})

test('a wait without libuv: an event ends it', async (t) => {
  const inherited = process.execArgv.filter((flag) => flag !== '--expose-gc')
  const execArgv = [...inherited, ...WITHOUT_LIBUV]
  const waiter = await waiting({ timeoutMs: -1 }, { execArgv })
  const exit = once(waiter.worker, 'exit')
  waiter.worker.postMessage('the end')
  sys.eventfd_write(waiter.bell, 1)
  const [{ delivered }] = await once(waiter.worker, 'message')
  t.equal(delivered, 1)
  t.strictSame(await exit, [7])
})
