// What keeps Node alive: a started loop with anything referenced, and nothing else.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { EPOLLIN } from 'genpoll'
import type { Test } from 'tap'
import { test } from './fixtures/check.js'
import { PATIENCE_MS } from './fixtures/poll.js'

const SCRIPT = fileURLToPath(new URL('fixtures/children/loop-lives.mjs', import.meta.url))

/** What a process has seen that ended by itself. */
async function life(scene: string, kind = 'watch'): Promise<unknown> {
  // Without what the test runner puts into children.
  const bare = ['-u', 'NODE_OPTIONS', process.execPath, SCRIPT, scene, kind]
  const child = spawn('env', bare, { stdio: ['ignore', 'pipe', 'inherit'], timeout: PATIENCE_MS })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  const [code, signal] = await once(child, 'close')
  return code === 0 ? JSON.parse(output) : `ended with ${code ?? signal}`
}

/** What the same source sees in several scenes: `expected` in each. */
async function same(t: Test, kind: string, expected: unknown[], scenes: string[]): Promise<void> {
  const seen = await Promise.all(scenes.map((scene) => life(scene, kind)))
  seen.forEach((one, i) => void t.strictSame(one, expected, `${scenes[i]}`))
}

for (const kind of ['watch', 'after', 'every', 'signal', 'child', 'defer']) {
  const called = kind === 'watch' || kind === 'signal' ? ['alive', 'called'] : ['called']
  test(`a source keeps Node alive until it is gone (${kind})`, async (t) => {
    await same(t, kind, called, ['has a source', 'has one of two sources removed'])
  })

  test(`as long as it is referenced, and its loop is (${kind})`, async (t) => {
    await same(t, kind, called, ['is unref’ed and ref’ed', 'has its source unref’ed and ref’ed'])
    await same(
      t,
      kind,
      [],
      [
        'is unref’ed',
        'was unref’ed before',
        'has its source unref’ed',
        'had its source unref’ed before',
      ],
    )
  })

  test(`and while its loop is started, and neither stopped nor closed (${kind})`, async (t) => {
    await same(t, kind, [], ['isn’t started', 'is stopped', 'is closed', 'has its source removed'])
  })

  test(`what ends while Node’s loop runs ends Node (${kind})`, async (t) => {
    const seen = kind === 'defer' ? called : []
    await same(t, kind, seen, ['is closed a turn later', 'has its source removed a turn later'])
  })
}

test('an idle loop doesn’t keep it alive', async (t) => {
  t.strictSame(await life('is idle'), [])
  t.strictSame(await life('audits nothing'), [])
})

test('C474 nor do two', async (t) => {
  t.strictSame(await life('is one of two with nothing added'), [])
})

test('C475 nor does one in which everything was added, removed and closed in one tick', async (t) => {
  t.strictSame(await life('has everything added, removed and closed'), [])
})

for (const what of [
  'is closed in a handler',
  'is stopped in a handler',
  'is unref’ed in a handler',
  'has its source removed in a handler',
  'has its source unref’ed in a handler',
  'has its descriptor closed',
  'has it closed by its number',
  'has it closed a turn later',
  'has it closed in a handler',
  'has it given out of hand',
  'audits, and has it closed behind genpoll’s back',
  'waits in ready, and is unref’ed',
  'waits in ready, and is stopped',
]) {
  test(`nor does a loop that ${what}`, async (t) => {
    t.strictSame(await life(what), [])
  })
}

/** These live for a while, and then end by themselves. */
const LIVES: Record<string, unknown[]> = {
  'has a one-shot that has fired': ['fired', 'alive'],
  'goes on for a timer, with a source that is unref’ed': ['alive', 'called'],
  'is given a timer before the exit': ['called'],
  'waits in ready': ['alive', EPOLLIN],
  'waits in ready for a time': [0],
  'waits in ready, and is closed': ['ERR_CLOSED'],
  'waits in ready, which is aborted': ['AbortError'],
  'waits in ready, its descriptor closed by another thread': ['closed'],
  'has it closed by another thread': [],
  'has it replaced by another thread': [],
  'is iterated over, to the first step': ['alive', EPOLLIN],
}

for (const [what, expected] of Object.entries(LIVES)) {
  test(`Node lives as long as needed with a loop that ${what}`, async (t) => {
    t.strictSame(await life(what), expected)
  })
}
