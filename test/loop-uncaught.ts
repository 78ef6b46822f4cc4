// A handler of a started loop that throws is an uncaught exception as any other, and costs nobody else
// an event.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { openDescriptors, test } from './fixtures/check.js'

const SCRIPT = fileURLToPath(new URL('fixtures/children/loop-throws.mjs', import.meta.url))

interface Outcome {
  exit: unknown[]
  seen: unknown[]
  errors: string
}

/** What came of a scene in a process of its own. */
async function play(scene: string, hearing: string): Promise<Outcome> {
  // Without what the test runner puts into children.
  const bare = ['-u', 'NODE_OPTIONS', process.execPath, SCRIPT, scene, hearing]
  const child = spawn('env', bare, { stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = ['', '']
  for (const [i, stream] of [child.stdout, child.stderr].entries()) {
    stream.setEncoding('utf8').on('data', (text) => {
      texts[i] += text
    })
  }
  const exit = await once(child, 'close')
  return { exit, seen: JSON.parse(texts[0] || '[]'), errors: texts[1]! }
}

/** What was thrown, and then heard of. */
const twice = (what: unknown) => [what, `uncaughtException ${what}`]

const BATCH = [
  ...twice('one'),
  'other',
  ...twice('third'),
  'tick of one',
  'tick of other',
  'tick of third',
]

/** What a program sees that goes on. */
const SCENES: Record<string, unknown[]> = {
  'level-triggered': BATCH,
  'edge-triggered': BATCH,
  'again and again': [...twice('bell'), ...twice('bell'), ...twice('bell')],
  'values of any kind': [undefined, null, 'text', 0].map((value) => `uncaughtException ${value}`),
  'timers that are due at once': ['one', 'other', 'third'].flatMap(twice),
  every: [...twice('tick'), ...twice('tick'), ...twice('tick')],
  'what is deferred': [...twice('one'), 'other', ...twice('third')],
  'what is deferred by one that throws': [...twice('timer'), 'deferred'],
  'a signal’s': [...twice('SIGUSR2'), ...twice('SIGUSR2')],
  onStale: [...twice('closed'), 'bell'],
  'after an await': ['other', 'tick of one', 'tick of other', 'one', 'unhandledRejection one'],
  'in a tick': ['other', 'tick of one', ...twice('one in a tick'), 'tick of other'],
  'a thousand': Array.from({ length: 1000 }, (_, i) => twice(i)).flat(),
}

for (const [scene, expected] of Object.entries(SCENES)) {
  test(`${scene}: each is told, and the rest goes on`, async (t) => {
    const { exit, seen, errors } = await play(scene, 'a listener')
    t.strictSame(seen, expected)
    t.strictSame([exit, errors], [[0, null], ''])
  })
}

test('a child’s: it is told, and so is Node’s own event', async (t) => {
  const { exit, seen } = await play('a child’s', 'a listener')
  t.strictSame(exit, [0, null])
  t.strictSame([...seen].sort(), ['child', 'exit 0', 'unhandledRejection child'])
})

/** What is seen before the process ends, and the error of which it does. */
const UNHEARD: Record<string, [seen: unknown[], error: string]> = {
  'level-triggered': [['one'], 'Error: one'],
  'edge-triggered': [['one'], 'Error: one'],
  'timers that are due at once': [['one'], 'Error: one'],
  'what is deferred': [['one'], 'Error: one'],
  'what is deferred by one that throws': [['timer'], 'Error: timer'],
  'a signal’s': [['SIGUSR2'], 'Error: SIGUSR2'],
  'values of any kind': [[], 'undefined'],
  'after an await': [['other', 'tick of one', 'tick of other', 'one'], 'Error: one'],
}

for (const [scene, [expected, error]] of Object.entries(UNHEARD)) {
  test(`${scene}: heard by nobody, it ends the process, which says so`, async (t) => {
    const { exit, seen, errors } = await play(scene, 'nobody')
    t.strictSame(exit, [1, null])
    t.strictSame(seen, expected)
    t.ok(errors.includes(error), errors)
  })
}

test('a listener has the store of the handler that has thrown, as elsewhere in Node', async (t) => {
  const listener = 'one that looks for the store'
  const told = (name: string) => [name, `${name} in ${name}`]
  const { seen } = await play('level-triggered', listener)
  t.strictSame(seen.slice(0, 5), [...told('one'), 'other', ...told('third')])
  const timers = await play('timers that are due at once', listener)
  t.strictSame(timers.seen, ['one', 'other', 'third'].flatMap(told))
  const deferred = await play('what is deferred', listener)
  t.strictSame(deferred.seen, [...told('one'), 'other', ...told('third')])
})

test('a listener that stops the loop: the batch is delivered, and that is all', async (t) => {
  const batch = await play('level-triggered', 'one that stops the loop')
  t.strictSame(batch.seen, [
    'one',
    'other',
    'third',
    'tick of one',
    'tick of other',
    'tick of third',
  ])
  t.strictSame([batch.exit, batch.errors], [[0, null], ''])
  const again = await play('again and again', 'one that stops the loop')
  t.strictSame([again.exit, again.seen], [[0, null], ['bell']])
})

test('a listener that closes the loop: nothing more is delivered', async (t) => {
  for (const [scene, expected] of Object.entries({
    'level-triggered': ['one', 'tick of one'],
    'what is deferred': ['one'],
    'timers that are due at once': ['one'],
    'again and again': ['bell'],
  })) {
    const { exit, seen, errors } = await play(scene, 'one that closes the loop')
    t.strictSame([exit, seen, errors], [[0, null], expected, ''], scene)
  }
})

test('a listener that throws as well ends the process', async (t) => {
  const { exit, errors } = await play('level-triggered', 'one that throws as well')
  // As Node does it elsewhere, without an 'exit' event.
  t.strictSame(exit, [7, null])
  t.ok(errors.includes('Error: by the listener'), errors)
})

for (const where of ['watch', 'after', 'defer', 'signal']) {
  test(`in a worker it is the Worker’s ‘error’, and nothing is left open (${where})`, async (t) => {
    const before = openDescriptors()
    const make = {
      watch: 'loop.watch(new EventFd({ initial: 1 }), EPOLLIN, fail)',
      after: 'loop.after(1, fail)',
      defer: 'loop.defer(fail)',
      signal: 'loop.signal("SIGUSR2", fail), process.kill(process.pid, "SIGUSR2")',
    }[where]
    const script = `import('genpoll').then(({ EPOLLIN, EventFd, Loop }) => {
      const loop = new Loop()
      const fail = () => { throw new RangeError('mine') }
      loop.every(60_000, () => {})
      loop.start()
      ${make}
    })`
    const worker = new Worker(script, { eval: true, execArgv: [] })
    const exit = new Promise((resolve) => worker.once('exit', resolve))
    const [error] = await once(worker, 'error')
    t.match(error, { name: 'RangeError', message: 'mine' })
    t.equal(await exit, 1)
    t.strictSame(openDescriptors(), before)
  })
}
