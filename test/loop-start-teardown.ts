// An environment ends at every stage of a started loop's life: the process never by a signal that
// nobody sent, and a worker leaves nothing behind.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { hostAddon } from './fixtures/native-host.js'

const SCRIPT = fileURLToPath(new URL('fixtures/children/loop-ends.mjs', import.meta.url))
const GROUPS: Record<string, string[]> = {
  'started, and before anything has happened': [
    'started',
    'stopped',
    'closed',
    'unreferenced',
    'about to set its clock',
    'about to call what is deferred',
    'woken',
  ],
  'while Node’s loop runs': ['idle', 'going on', 'many at once', 'each in another way'],
  'in a handler': [
    'in a handler of watch',
    'in a handler of after',
    'in a handler of every',
    'in a handler of signal',
    'in a handler of child',
    'in a handler of defer',
    'in one of a batch',
    'in a handler that runs another',
  ],
  'in a handler that has done something': [
    'in a handler that has stopped it',
    'in a handler that has closed it',
    'in a handler that has closed another',
    'in a tick after a handler',
    'in a microtask after a handler',
  ],
  'around promises': [
    'after ready',
    'between two steps',
    'when ready is refused for it was closed',
  ],
  'around a rebuild': ['rebuilt', 'in the report of a rebuild', 'in the report of a stale event'],
}

/** What a process printed, a JSON value each line, and how it ended. */
async function run(...args: string[]): Promise<{ exit: unknown[]; lines: unknown[] }> {
  // Without what the test runner puts into children.
  const bare = ['-u', 'NODE_OPTIONS', process.execPath, SCRIPT, hostAddon, ...args]
  const child = spawn('env', bare, { stdio: ['ignore', 'pipe', 'ignore'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  const exit = await once(child, 'close')
  return {
    exit,
    lines: output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line)),
  }
}

for (const [when, stages] of Object.entries(GROUPS)) {
  for (const [how, code] of Object.entries({ exit: 3, throw: 1 })) {
    test(`main thread, ${when}: the process ends in order by ${how}`, async (t) => {
      const all = await Promise.all(stages.map((stage) => run('main thread', how, stage)))
      all.forEach(({ exit }, i) => void t.strictSame(exit, [code, null], `${stages[i]}`))
    })
  }

  for (const [how, ended] of Object.entries({
    terminate: { code: 1 },
    exit: { code: 3 },
    throw: { code: 1, error: 'on purpose' },
  })) {
    test(`worker, ${when}: nothing is left when it ends by ${how}`, async (t) => {
      const { exit, lines } = await run('worker', how, ...stages)
      t.strictSame(exit, [0, null])
      t.strictSame(
        lines,
        stages.map((stage) => ({ stage, ...ended, descriptors: 0, isMaskAsBefore: true })),
      )
    })
  }
}

test('main thread: it ends by itself, with everything still open', async (t) => {
  for (const stage of ['stopped', 'closed', 'unreferenced']) {
    t.strictSame((await run('main thread', 'return', stage)).exit, [0, null], stage)
  }
})
