// A process ends at every stage of an object's life, and never by a signal that nobody sent.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'

const STAGES = ['loaded', 'made', 'added', 'in a handler', 'closed in a handler', 'after a wait']
const CODES = { nothing: 0, exit: 3, throw: 1 }

function child(name: string, ...args: string[]) {
  const path = fileURLToPath(new URL(`fixtures/children/${name}.mjs`, import.meta.url))
  // Without what the test runner puts into children: its handlers for signals need Node's loop.
  const bare = ['-u', 'NODE_OPTIONS', process.execPath, path]
  return spawn('env', [...bare, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
}

for (const where of ['main thread', 'worker']) {
  for (const [how, code] of Object.entries(CODES)) {
    test(`${where}: a process ends in order by ${how}`, async (t) => {
      await Promise.all(
        [...STAGES, 'closed'].map(async (stage) => {
          const exit = await once(child('teardown', stage, how, where), 'exit')
          t.strictSame(exit, [code, null], stage)
        }),
      )
    })
  }
}

test('a process that waits without end can be ended by a signal', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
    const waiting = child('waiting')
    await once(waiting.stdout, 'data')
    waiting.kill(signal)
    t.strictSame(await once(waiting, 'exit'), [null, signal])
  }
})
