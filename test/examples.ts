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
  'fd-broker.mjs': /^process (\d+) reads a letter from process (?!\1\n)\d+\n$/,
  'fifo-tail.mjs': /^line 1\nline 2\nline 3\n$/,
  'http.mjs':
    /^connection 1, request 1\nconnection 1, request 2\n(connection 2, request 1\nconnection 2, request 2|no curl)\n$/,
  'line-echo.mjs': /^1000 clients, 505000 lines\n$/,
  'loop-echo.mjs': /^HELLO\nBYE\n$/,
  'ping-pong.mjs': /^10000 rounds\n10000 rounds\n$/,
  'pomodoro.mjs':
    /^work, 25 minutes\npause, 5 minutes\nwork, 25 minutes\na long pause, 15 minutes\ndone after (\d+) minutes\n$/,
  'pressure.mjs': /^too few processors\n$/,
  'recycled.mjs':
    /^descriptor (\d+), generation (\d+): closing it\ndescriptor \1, generation (?!\2:)\d+: a new file\n1 event delivered, 1 dropped\n$/,
  'sharded.mjs':
    /^reusePort: 3 threads, 300 of 300 were welcome\nEPOLLEXCLUSIVE: 3 threads, 300 of 300 were welcome\n$/,
  'signals.mjs':
    /^SIGHUP from pid (\d+), user (\d+)\nSIGUSR2 from pid \1, user \2\nSIGTERM from pid \1, user \2\n$/,
  'supervisor.mjs':
    /^exit 1: ended by exit code 1, again in 10 ms\nkill -TERM \$\$: ended by SIGTERM, again in 20 ms\nexit 0: done\n$/,
  'timerfd.mjs': /^(\d+ ms: fired (once|\d+ times)\n)+$/,
  'udp-echo.mjs': /^100 datagrams, there and back\n$/,
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

/** curl hangs where the libraries of the sanitizers are loaded into it: there it isn't to be found. */
const isSanitized = process.env.ASAN_OPTIONS !== undefined
const withoutCurl = isSanitized ? { PATH: '/bin/nowhere' } : {}

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.mjs'))

for (const file of files) {
  const body = (t: Test) =>
    inFolder(async (folder) => {
      const own = file === 'http.mjs' ? withoutCurl : {}
      const env = { ...process.env, TMPDIR: folder, ...own }
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
        .split('\n').length <= 48,
      file,
    )
    t.match(readme, `[${file}](${file})`)
  }
})

/** Before and behind each block of docs/net.md but the first, the server: what gives it something to do. */
const AROUND: [before: string, behind: string][] = [
  ['const { port } = listener.address()', ''],
  ['const listener = Listener.tcp()', 'console.log(await call(listener))'],
  ['const listener = other', 'console.log(await call(other)); source.remove()'],
  ['const listener = other', ''],
  ['', 'console.log(await call(other))'],
  ['', 'console.log(await send(socket.address().port))'],
  ["const file = Fd.adopt(openSync('/dev/null'))", ''],
  ['const listener = Listener.tcp()', 'console.log(await get(listener))'],
  ['', "await once(child, 'close')"],
  ['const socket = Socket.connect(listener.address())', ''],
]

/** What they print, one after the other. */
const DOCS_PRINT = [
  'connected to port true',
  ...['closed well', 'hello'],
  'greeted',
  'greeted',
  ...['127.0.0.1 sends 5 bytes', 'hello'],
  'a file 1',
  'by node:http',
  ...['the child says hello', ''],
  '60',
]

test('each block of docs/net.md runs, and does what it says', async (t) => {
  const docs = readFileSync(`${FOLDER}../docs/net.md`, 'utf8')
  const [server, ...blocks] = [...docs.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(
    ([, code]) => code!,
  )
  t.ok(readFileSync(`${FOLDER}http.mjs`, 'utf8').includes(server!), 'the server is the example’s')
  t.equal(blocks.length, AROUND.length)
  const given = new URL('fixtures/children/docs-net.mjs', import.meta.url)
  const prelude = `Object.assign(globalThis, await import('${given}'))`
  const parts = blocks.map((code, i) => `{ ${AROUND[i]![0]}\n{ ${code}\n${AROUND[i]![1]} } }`)
  const code = [server, prelude, ...parts, 'process.exit()'].join('\n')
  const { status, stdout, stderr } = await run(
    process.execPath,
    ['--input-type=module', '--eval', code],
    // Fragments leave open what they open: that it is collected is no news.
    { cwd: FOLDER, env: { ...process.env, NODE_NO_WARNINGS: '1' } },
  )
  t.equal(stderr, '')
  t.equal(status, 0)
  t.same(stdout.trimEnd().split('\n'), DOCS_PRINT)
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
