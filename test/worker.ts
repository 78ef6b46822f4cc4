import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { EPOLLIN, Epoll, EventFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { openDescriptors, test } from './fixtures/check.js'

const CHILD = new URL('./fixtures/children/worker-tour.mjs', import.meta.url)

interface Tour {
  worker: Worker
  fds: number[]
  seen: string[]
}

async function tour(): Promise<Tour> {
  const worker = new Worker(CHILD, { execArgv: [] })
  const [{ fds, seen }] = await once(worker, 'message')
  return { worker, fds, seen }
}

function stillOpen({ fds }: Tour): number[] {
  const open = openDescriptors()
  return fds.filter((fd) => open.has(fd))
}

test('the addon works in several workers at once', async (t) => {
  const tours = await Promise.all([1, 2, 3, 4].map(tour))
  for (const { seen } of tours) t.strictSame(seen, ['bell', 'reading', 'timer'])
  const fds = tours.flatMap((one) => one.fds)
  t.equal(new Set(fds).size, 4 * 8, 'each has descriptors of its own')
  await Promise.all(tours.map(({ worker }) => worker.terminate()))
})

const ENDS = { terminated: 'terminate', 'that calls process.exit': 'exit', 'that throws': 'throw' }

for (const [kind, how] of Object.entries(ENDS)) {
  test(`a worker ${kind} leaks no descriptor`, async (t) => {
    const { worker, ...one } = await tour()
    t.equal(stillOpen({ worker, ...one }).length, 8)
    worker.on('error', () => {})
    const exit = new Promise((resolve) => worker.once('exit', resolve))
    if (how === 'terminate') worker.terminate()
    else worker.postMessage(how)
    await exit
    t.strictSame(stillOpen({ worker, ...one }), [])
  })
}

test('a worker’s end leaves alone what it closed and others opened since', async (t) => {
  const one = await tour()
  one.worker.postMessage('close')
  while (stillOpen(one).length > 0) await new Promise(setImmediate)
  const bells = one.fds.map(() => new EventFd())
  t.ok(
    bells.some(({ fd }) => one.fds.includes(fd)),
    'their numbers are ours now',
  )
  await one.worker.terminate()
  for (const bell of bells) {
    t.equal(bell.write(), true)
    bell.close()
  }
})

test('what a worker closes by its number is closed here too', async (t) => {
  using epoll = new Epoll()
  using bell = new EventFd({ initial: 1 })
  const registration = epoll.add(bell, EPOLLIN, undefined)
  const worker = new Worker(
    `import('genpoll/sys').then(({ close }) => close(${bell.fd}))`, //
    { eval: true, execArgv: [] },
  )
  await once(worker, 'exit')
  t.equal(bell.closed, true)
  t.equal(registration.state, 'stale')
  t.equal(
    epoll.wait(0, () => t.fail('delivered')),
    0,
  )
  t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'closed' })
  t.equal(registration.remove(), false)
  t.equal(epoll.size, 0)
})

test('a worker watches and wakes the main thread’s descriptors by number', async (t) => {
  using bell = new EventFd()
  using answer = new EventFd()
  using epoll = new Epoll()
  epoll.add(answer, EPOLLIN, undefined)
  const worker = new Worker(
    `import('genpoll').then(({ Epoll, EPOLLIN }) => import('genpoll/sys').then((sys) => {
       const epoll = new Epoll()
       epoll.add(${bell.fd}, EPOLLIN)
       epoll.wait(-1, () => sys.eventfd_write(${answer.fd}, sys.eventfd_read(${bell.fd}) * 2n))
     }))`,
    { eval: true, execArgv: [] },
  )
  await once(worker, 'online')
  sys.eventfd_write(bell.fd, 21)
  t.equal(
    epoll.wait(-1, () => t.equal(answer.read(), 42)),
    1,
  )
  await once(worker, 'exit')
})

test('waits in a worker return what is ready, or nothing in time', async (t) => {
  const worker = new Worker(new URL('./fixtures/children/waits.mjs', import.meta.url))
  const ended = once(worker, 'exit')
  const [delivered] = await once(worker, 'message')
  t.strictSame(delivered, {
    'ready at once': 1,
    'a look': 0,
    'a while': 0,
    'stale at most': 0,
    'left by an error': 'from the handler',
    'gone on with': 1,
    'interrupted by Node': 1,
    'closed by what hears of a rebuild': 0,
    'audited by its handler': { live: 1, zombie: 0, lost: 0, replaced: 0 },
    'closed by its handler': 1,
  })
  t.strictSame(await ended, [0])
})

test('an onStale that closes its Epoll ends the wait of a worker', async (t) => {
  const child = new URL('./fixtures/children/stale-closes.mjs', import.meta.url)
  const worker = new Worker(child, { execArgv: [] })
  const [seen] = await once(worker, 'message')
  t.strictSame(seen, { delivered: 0, isClosed: true })
  await once(worker, 'exit')
})
