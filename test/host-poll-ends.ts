// The life of a process, or of a worker, whose loop watches an epoll: what keeps it going, what it is
// told of exceptions, and that it ends in order at every moment.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { hostAddon } from './fixtures/native-host.js'
import { WAYS } from './fixtures/watched.js'

const { ESTALE } = constants.errno
const STAGES = [
  'started',
  'going on',
  'idle',
  'in the callback',
  'after a hundred callbacks',
  'stopped in the callback',
  'unreferenced',
  'paused',
  'stopped',
  'each in another way',
]

/** What a child process printed, and how it ended. */
async function run(name: string, ...args: (string | number)[]) {
  const path = fileURLToPath(new URL(`fixtures/children/${name}.mjs`, import.meta.url))
  // Without what the test runner puts into children.
  const bare = ['-u', 'NODE_OPTIONS', process.execPath]
  // V8's other threads wouldn't be in a child that is forked off.
  const flags = name === 'host-fork' ? ['--single-threaded'] : []
  const child = spawn('env', [...bare, ...flags, path, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  const exit = await once(child, 'close')
  return { exit, output: output.trimEnd().split('\n') }
}

for (const [way, usesThread] of Object.entries(WAYS)) {
  test(`${way}: keeps Node alive if it is to`, async (t) => {
    const called = { exit: [0, null], output: ['called'] }
    const ended = { exit: [0, null], output: [''] }
    t.strictSame(await run('host-life', usesThread, 'nothing'), called)
    t.strictSame(await run('host-life', usesThread, 'unref'), ended)
    t.strictSame(await run('host-life', usesThread, 'ref'), called)
    t.strictSame(await run('host-life', usesThread, 'stop'), ended)
    t.strictSame(await run('host-life', usesThread, 'unref and stop'), ended)
  })

  test(`${way}: an epoll that can’t be watched after all ends no process`, async (t) => {
    const { exit, output } = await run('host-life', usesThread, 'close the epoll')
    t.strictSame([exit, output], [[0, null], ['called']])
    // Newer kernels refuse it to who nests it.
    const deep = await run('host-life', usesThread, 'nest it too deep')
    t.strictSame([deep.exit, deep.output.at(-1)], [[0, null], 'called'])
  })

  test(`${way}: an exception is an uncaught one, and the loop goes on`, async (t) => {
    const caught = ['called', 'uncaughtException: on purpose']
    const outcomes = {
      'throws itself': [0, [...caught, 'tick', 'called again']],
      'throws in a tick': [0, [...caught, 'tick', 'called again']],
      'reports it': [0, [...caught, 'went on', 'tick', 'called again']],
      'is heard by nobody': [1, ['called']],
    }
    for (const [how, [code, seen]] of Object.entries(outcomes)) {
      const { exit, output } = await run('host-calls', usesThread, how)
      t.strictSame([exit, ...output], [[code, null], JSON.stringify(seen)], how)
    }
  })

  for (const [how, code] of Object.entries({ terminate: 1, exit: 3 })) {
    test(`${way}: nothing is left of a worker that ends by ${how}`, async (t) => {
      const { exit, output } = await run('host-stages', usesThread, 'worker', how, ...STAGES)
      t.strictSame(exit, [0, null])
      t.strictSame(
        output.map((line) => JSON.parse(line)),
        STAGES.map((stage) => ({ stage, code, threads: 0, descriptors: 0 })),
      )
    })
  }

  test(`${way}: the main thread ends in order`, async (t) => {
    await Promise.all(
      STAGES.map(async (stage) => {
        const { exit } = await run('host-stages', usesThread, 'main thread', 'exit', stage)
        t.strictSame(exit, [3, null], stage)
      }),
    )
    for (const stage of ['unreferenced', 'stopped']) {
      const { exit } = await run('host-stages', usesThread, 'main thread', 'return', stage)
      t.strictSame(exit, [0, null], stage)
    }
  })

  test(`${way}: a process that was forked without exec is refused everything`, async (t) => {
    const { exit, output } = await run('host-fork', hostAddon, usesThread)
    t.strictSame(exit, [0, null])
    t.strictSame(JSON.parse(output[0]!), {
      there: [-ESTALE, -ESTALE, -ESTALE, -ESTALE, -ESTALE],
      here: [1, 0, 0, 0, 0],
      status: 0,
    })
  })
}
