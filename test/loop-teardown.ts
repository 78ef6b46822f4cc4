// A process ends at every stage of a loop's life, and never by a signal that nobody sent.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'

const KINDS = ['watch', 'after', 'every', 'signal', 'defer']
const STAGES = [
  'made',
  'watching',
  ...KINDS.map((kind) => `in a handler of ${kind}`),
  ...KINDS.map((kind) => `closed in a handler of ${kind}`),
  'after a run',
  'closed',
]
const CODES = { nothing: 0, exit: 3, throw: 1 }
const script = fileURLToPath(new URL('fixtures/children/loop-teardown.mjs', import.meta.url))

/** How a process ends. */
async function endOf(...args: string[]): Promise<unknown[]> {
  // Without what the test runner puts into children: its handlers for signals need Node's loop.
  const bare = ['-u', 'NODE_OPTIONS', process.execPath, script]
  return once(spawn('env', [...bare, ...args], { stdio: 'ignore' }), 'exit')
}

for (const where of ['main thread', 'worker']) {
  for (const [how, code] of Object.entries(CODES)) {
    test(`${where}: a process ends in order by ${how}`, async (t) => {
      for (const stage of STAGES) {
        t.strictSame(await endOf(stage, how, where), [code, null], stage)
      }
    })
  }
}

test('a process that blocks in run can be ended by a signal', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
    const code = `import('genpoll').then(({ Loop }) => {
      const loop = new Loop()
      loop.after(0, () => require('node:fs').writeSync(1, 'running'))
      loop.every(60_000, () => {})
      loop.run()
    })`
    const bare = ['-u', 'NODE_OPTIONS', process.execPath, '-e', code]
    const child = spawn('env', bare, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout!, 'data')
    child.kill(signal)
    t.strictSame(await once(child, 'exit'), [null, signal])
  }
})
