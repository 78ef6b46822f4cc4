// worker.terminate() can come between any two steps of JavaScript: it ends the worker alone, and leaves
// nothing open.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { test } from './fixtures/check.js'
import { randomFrom, seed } from './fixtures/random.js'
import { masks } from './fixtures/signals.js'

const CHILDREN = new URL('./fixtures/children/', import.meta.url)
const TIMES = 10

for (const what of ['Epoll', 'EventFd', 'TimerFd', 'SignalFd', 'PidFd', 'Loop', 'a started Loop']) {
  test(`while it opens and closes ${what} (GENPOLL_SEED=${seed})`, async (t) => {
    const random = randomFrom(seed)
    const blocked = new Set(masks().values())
    for (let i = 0; i < TIMES; i++) {
      const script = new URL('opens-and-closes.mjs', CHILDREN)
      const worker = new Worker(script, { workerData: what, execArgv: [] })
      await once(worker, 'message')
      await sleep(random() * 3)
      t.equal(await worker.terminate(), 1)
    }
    t.strictSame(new Set(masks().values()), blocked)
  })
}

test('while it loads the addon', async (t) => {
  const script = fileURLToPath(new URL('terminated-while-loading.mjs', CHILDREN))
  const addon = fileURLToPath(new URL('../build/Release/genpoll.node', import.meta.url))
  // Without what the test runner puts into children.
  const bare = ['-u', 'NODE_OPTIONS', process.execPath, script, addon]
  const child = spawn('env', bare, { stdio: 'ignore' })
  t.strictSame(await once(child, 'exit'), [0, null])
})
