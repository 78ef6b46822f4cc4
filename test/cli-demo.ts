import { spawnSync } from 'node:child_process'
import { readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { genpoll, inFolder, MAIN, Running, run } from './fixtures/cli.js'

const SOURCES = ['eventfd', 'timerfd', 'signalfd', 'pidfd', 'FIFO', 'recycled']
const READ: Record<string, RegExp> = {
  eventfd: /^count 3$/,
  timerfd: /^1 expiration$/,
  signalfd: /^SIGUSR2 from pid \d+, the child$/,
  pidfd: /^exit code 7$/,
  FIFO: /^"hello\\n"$/,
  recycled: /^the event of the old file, dropped$/,
}

/** The cells of the table at the end, by source. */
function rowsOf(stdout: string): Map<string, string[]> {
  const lines = stdout.slice(stdout.indexOf('\nsource ') + 1).split('\n')
  return new Map(
    lines.map((line) => line.split(/ {2,}/)).map(([source, ...cells]) => [source!, cells]),
  )
}

test('the demo sees everything it sets out to see', async (t) => {
  await inFolder(async (folder) => {
    const { status, stdout, stderr } = await genpoll(['demo'], {
      env: { ...process.env, TMPDIR: folder },
    })
    t.equal(status, 0)
    t.equal(stderr, '')
    t.notMatch(stdout, '\u001b', 'no colours')
    t.same(readdirSync(folder), [], 'nothing is left behind')

    const rows = rowsOf(stdout)
    t.same(rows.get('source'), ['number', 'generation', 'events', 'read', 'ms'])
    let before = 0
    for (const source of SOURCES) {
      const [number, generation, events, read, ms] = rows.get(source) ?? []
      t.match(number, /^\d+$/, source)
      t.match(generation, source === 'recycled' ? /^\d+ → \d+$/ : /^\d+$/)
      t.match(events, source === 'FIFO' ? /^EPOLLIN( EPOLLHUP)?$/ : /^EPOLLIN$/)
      t.match(read, READ[source]!)
      t.ok(Number(ms) >= before, 'in order')
      before = Number(ms)
    }
    t.match(stdout, 'stats.stale: 1 more.')
  })
})

test('the demo leaves no descriptor open', async (t) => {
  const child = fileURLToPath(new URL('fixtures/children/demo-leaks.mjs', import.meta.url))
  const { status, stdout } = await run(process.execPath, [child])
  t.equal(status, 0)
  t.match(stdout, /\n0\n$/)
})

const noTerminal =
  spawnSync('script', ['--version']).error && 'no script(1) to make a terminal with'

test(
  'colours are for terminals, unless NO_COLOR is set',
  async (t) => {
    const env: NodeJS.ProcessEnv = { ...process.env, TERM: 'xterm' }
    for (const name of ['NO_COLOR', 'FORCE_COLOR', 'CI']) delete env[name]
    const command = ['-qec', `${process.execPath} ${MAIN} demo`, '/dev/null']
    const coloured = await run('script', command, { env })
    t.equal(coloured.status, 0)
    t.match(coloured.stdout, '\u001b[32m')
    const plain = await run('script', command, { env: { ...env, NO_COLOR: '1' } })
    t.equal(plain.status, 0)
    t.notMatch(plain.stdout, '\u001b[32m')
  },
  { skip: noTerminal ?? false },
)

test('the demo ends when its reader goes away', async (t) => {
  const [reading, writing] = sys.pipe2(sys.O_CLOEXEC)
  sys.close(reading)
  const outcome = await genpoll(['demo'], { stdio: ['ignore', writing, 'pipe'] })
  sys.close(writing)
  t.same(outcome, { status: 0, stdout: '', stderr: '' })
})

test('the demo says what it misses', async (t) => {
  const without = await genpoll(['demo'], { env: { ...process.env, PATH: '' } })
  t.equal(without.status, 1)
  t.equal(without.stderr, 'genpoll demo: the demo needs a shell: there is no sh in PATH\n')

  await inFolder(async (folder) => {
    symlinkSync('/bin/true', join(folder, 'sh'))
    const idle = await genpoll(['demo'], { env: { ...process.env, PATH: folder } })
    t.equal(idle.status, 1)
    t.equal(idle.stderr, 'genpoll demo: signalfd: nothing came in 5000 ms\n')
  })
})

test('Ctrl-C ends the demo, which cleans up', async (t) => {
  await inFolder(async (folder) => {
    symlinkSync('/bin/true', join(folder, 'sh'))
    const env = { ...process.env, PATH: folder }
    const demo = new Running(['demo'], { env })
    await demo.hears(2)
    demo.child.kill('SIGINT')
    t.equal(await demo.ended, 130)
    t.equal(await demo.stderr, 'genpoll demo: interrupted\n')
  })
})
