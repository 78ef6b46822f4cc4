import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { EFD_NONBLOCK, EFD_SEMAPHORE } from 'genpoll'
import * as sys from 'genpoll/sys'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { poll } from './fixtures/poll.js'

const children = new URL('./fixtures/children/', import.meta.url)

/** Runs a script in a process that inherits descriptors as 3, 4, …; resolves with its exit code. */
async function run(script: string, fds: number[], ...args: string[]): Promise<number> {
  const path = fileURLToPath(new URL(script, children))
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ['ignore', 'ignore', 'inherit', ...fds],
    timeout: 60_000,
  })
  const [code] = await once(child, 'exit')
  return code
}

function start(data: { fd: number; write?: bigint; times: number }): Promise<bigint[]> {
  const url = new URL('eventfd-worker.mjs', children)
  // Without the test runner's hooks, which take longer to load than the worker to run.
  const worker = new Worker(url, { workerData: data, execArgv: [] })
  return Promise.all([once(worker, 'message'), once(worker, 'exit')]).then(([[got]]) => got)
}

test('C272 C273 C274 the count crosses to another process', async (t) => {
  const fd = sys.eventfd(0, EFD_NONBLOCK)
  try {
    for (const [args, sum] of [
      [['11', '222', '3333'], 3566n],
      [['0xdeadbeef'], 0xdeadbeefn],
      [['1'], 1n],
    ] as const) {
      t.equal(await run('eventfd-write.mjs', [fd], ...args), 0)
      t.equal(sys.eventfd_read(fd), sum)
    }
  } finally {
    sys.close(fd)
  }
})

test('C290 a thread blocked in read is woken by each write', async (t) => {
  const fd = sys.eventfd(0, EFD_SEMAPHORE)
  const reader = start({ fd, times: 3 })
  for (let i = 0; i < 3; i++) {
    await untilBlocked('read', fd)
    sys.eventfd_write(fd, 1)
  }
  t.same(await reader, [1n, 1n, 1n])
  sys.close(fd)
})

test('C291 two processes hand semaphores to and fro', async (t) => {
  const a = sys.eventfd(0, EFD_SEMAPHORE)
  const b = sys.eventfd(0, EFD_SEMAPHORE)
  const script = 'semaphore-partner.mjs'
  t.same(await Promise.all([run(script, [a, b]), run(script, [b, a])]), [0, 0])
  t.equal(poll(a), 0)
  t.equal(poll(b), 0)
  sys.close(a)
  sys.close(b)
})

test('C299 nothing is lost between many blocked writers and one reader', async (t) => {
  const fd = sys.eventfd(0, 0)
  // In all more than 2^64, so that the writers do have to wait for the reader.
  const values = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n].map((prime) => prime << 48n)
  const times = 1000
  const expected = values.reduce((sum, value) => sum + value, 0n) * BigInt(times)
  const writers = values.map((write) => start({ fd, write, times }))
  await untilBlocked('write', fd)
  let sum = 0n
  while (sum < expected) {
    if (poll(fd) === 0) await turn()
    else sum += sys.eventfd_read(fd)!
  }
  await Promise.all(writers)
  t.equal(sum, expected)
  t.equal(poll(fd), 0)
  sys.close(fd)
})
