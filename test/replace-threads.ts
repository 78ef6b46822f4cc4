// Epoll.replace while another thread waits for the number.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { EPOLLIN, Epoll } from 'genpoll'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { Descriptors, read, write } from './fixtures/kernel.js'
import { PATIENCE_MS } from './fixtures/poll.js'
import { Waiter } from './fixtures/waiters.js'

const ROUNDS = 3000

test('a thread that is blocked in its Epoll gets what comes to the new file', async (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  await using waiter = await Waiter.start()
  const [fd] = fds.pipe()
  const [reading, writing] = fds.pipe()
  const epfd = await waiter.add(fd, EPOLLIN)
  epoll.add(fd, EPOLLIN, undefined)
  const result = waiter.deliver(epfd, PATIENCE_MS)
  await untilBlocked('epoll_pwait', epfd)
  epoll.replace(reading, fd)
  write(writing, 'new')
  t.strictSame(await result, [[EPOLLIN, fd]])
  t.equal(read(fd), 'new')
  t.strictSame(await waiter.deliver(epfd, 0), [])
})

test('again and again: nothing is stale, and the last file is heard', async (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const [fd] = fds.pipe()
  const [idle] = fds.pipe()
  // Ready for whoever looks: also for a thread that is woken while the question is asked whether
  // it can be registered.
  const [hungUp, writing] = fds.pipe()
  fds.close(writing)
  const [last, lastWriting] = fds.pipe()
  write(lastWriting, 'last')
  epoll.add(fd, EPOLLIN, undefined)
  const child = new URL('fixtures/children/replaced.mjs', import.meta.url)
  const worker = new Worker(child, { workerData: fd, execArgv: [] })
  try {
    await once(worker, 'message')
    const outcome = once(worker, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) })
    for (let i = 0; i < ROUNDS; i++) epoll.replace(i % 2 === 0 ? hungUp : idle, fd)
    epoll.replace(last, fd)
    t.strictSame((await outcome)[0], {
      texts: ['last'],
      reports: [],
      rebuilds: 0,
      counts: { live: 1, zombie: 0, lost: 0, replaced: 0 },
      state: 'active',
    })
  } finally {
    await worker.terminate()
  }
})
