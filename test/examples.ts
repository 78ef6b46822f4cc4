import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { test } from './fixtures/check.js'
import { inFolder, run } from './fixtures/cli.js'

const FOLDER = fileURLToPath(new URL('../examples/', import.meta.url))

/** What each example prints, and nothing else. */
const PRINTS: Record<string, RegExp> = {
  'child-exit.mjs':
    /^(?=.*^exit 7: exit code 7$)(?=.*^exec sleep 60: SIGTERM$)(?=.*^sleep 0.1; kill -KILL \$\$: SIGKILL$)(.*\n){3}$/ms,
  'eventfd-threads.mjs': /^10000 rounds between two threads\n$/,
  'fifo-tail.mjs': /^line 1\nline 2\nline 3\n$/,
  'loop-echo.mjs': /^HELLO\nBYE\n$/,
  'ping-pong.mjs': /^10000 rounds\n10000 rounds\n$/,
  'pomodoro.mjs':
    /^work, 25 minutes\npause, 5 minutes\nwork, 25 minutes\na long pause, 15 minutes\ndone after (\d+) minutes\n$/,
  'pressure.mjs': /^too few processors\n$/,
  'recycled.mjs':
    /^descriptor (\d+), generation (\d+): closing it\ndescriptor \1, generation (?!\2:)\d+: a new file\n1 event delivered, 1 dropped\n$/,
  'signals.mjs':
    /^SIGHUP from pid (\d+), user (\d+)\nSIGUSR2 from pid \1, user \2\nSIGTERM from pid \1, user \2\n$/,
  'supervisor.mjs':
    /^exit 1: ended by exit code 1, again in 10 ms\nkill -TERM \$\$: ended by SIGTERM, again in 20 ms\nexit 0: done\n$/,
  'timerfd.mjs': /^(\d+ ms: fired (once|\d+ times)\n)+$/,
}

/** Why an example can't be run here. */
const SKIPPED: Record<string, string | false> = { 'pressure.mjs': whyNoPressure() }

function whyNoPressure(): string | false {
  try {
    closeSync(openSync('/proc/pressure/cpu', 'r+'))
    return false
  } catch (error) {
    return `the kernel doesn’t tell of pressure: ${(error as Error).message}`
  }
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.mjs'))

for (const file of files) {
  const body = (t: Test) =>
    inFolder(async (folder) => {
      const env = { ...process.env, TMPDIR: folder }
      const { status, stdout, stderr } = await run(process.execPath, [FOLDER + file], { env })
      t.equal(status, 0)
      t.equal(stderr, '')
      t.match(stdout, PRINTS[file]!)
      t.same(readdirSync(folder), [], 'nothing is left behind')
    })
  test(`examples/${file}`, body, { skip: SKIPPED[file] ?? false })
}

test('each example is short, and in the table of the README', (t) => {
  const readme = readFileSync(`${FOLDER}README.md`, 'utf8')
  t.same(files, Object.keys(PRINTS))
  for (const file of files) {
    t.ok(
      readFileSync(FOLDER + file, 'utf8')
        .trimEnd()
        .split('\n').length <= 40,
      file,
    )
    t.match(readme, `[${file}](${file})`)
  }
})

test('examples/timerfd.mjs counts what it misses', async (t) => {
  const { stdout } = await run(process.execPath, [`${FOLDER}timerfd.mjs`])
  const expirations = [...stdout.matchAll(/fired (?:once|(\d+) times)/g)].map(([, n]) =>
    Number(n ?? 1),
  )
  t.ok(expirations.some((count) => count >= 3))
  t.ok(expirations.reduce((sum, count) => sum + count) >= 8)
})

test('examples/fifo-tail.mjs PATH', async (t) => {
  await inFolder(async (folder) => {
    const path = join(folder, 'fifo')
    execFileSync('mkfifo', [path])
    const reader = run(process.execPath, [`${FOLDER}fifo-tail.mjs`, path])
    await run('sh', ['-c', 'echo hello > "$1"', 'sh', path])
    t.same(await reader, { status: 0, stdout: 'hello\n', stderr: '' })
  })
})
