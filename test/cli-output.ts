// What becomes of the lines of `genpoll watch` when their reader is slow, stuck or gone.

import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { genpoll, MAIN, Running, run, until } from './fixtures/cli.js'

const BYTES = 300_000
const NODE = process.execPath

/** `genpoll watch --stdin` with more to print than its pipe holds, once the pipe is full. */
async function stuck(isBlocking: boolean): Promise<{ watch: Running; reading: number }> {
  const [reading, writing] = sys.pipe2(sys.O_CLOEXEC)
  const watch = new Running(['watch', '--stdin'], { stdio: ['pipe', writing, 'pipe'] })
  // The child's too: it is the same open file. Node makes it blocking for the child at first.
  if (!isBlocking) sys.ioctl_fionbio(writing, true)
  sys.close(writing)
  watch.child.stdin!.on('error', () => {}).end('x'.repeat(BYTES))
  let before = -1
  await until(() => {
    const now = sys.ioctl_fionread(reading)
    const isFull = now >= 32768 && now === before
    before = now
    return isFull
  })
  return { watch, reading }
}

/** All that can be read, to the end. */
async function drain(fd: number): Promise<string> {
  sys.ioctl_fionbio(fd, true)
  let text = ''
  const buffer = Buffer.alloc(65536)
  for (;;) {
    const count = sys.read(fd, buffer)
    if (count === 0) return text
    if (count === null) await sleep(1)
    else text += buffer.toString('latin1', 0, count)
  }
}

for (const isBlocking of [true, false]) {
  const kind = isBlocking ? 'blocking' : 'non-blocking'

  test(`${kind} output to a slow reader is complete`, async (t) => {
    const { watch, reading } = await stuck(isBlocking)
    const lines = (await drain(reading)).trimEnd().split('\n')
    sys.close(reading)
    t.equal(await watch.ended, 0)
    const data = lines.map((line) => JSON.parse(line).data)
    t.equal(data.join(''), 'x'.repeat(BYTES))
  })

  test(`Ctrl-C ends it while ${kind} output isn’t taken`, async (t) => {
    const { watch, reading } = await stuck(isBlocking)
    watch.child.kill('SIGINT')
    t.equal(await watch.ended, 0)
    t.equal(await watch.stderr, '')
    sys.close(reading)
  })
}

test('it ends when the reader goes away while it writes', async (t) => {
  const { watch, reading } = await stuck(true)
  sys.close(reading)
  t.equal(await watch.ended, 0)
  t.equal(await watch.stderr, '')
})

test('it ends when the reader goes away, though nothing happens', async (t) => {
  const watch = new Running(['watch', '--signal', 'USR2'])
  await watch.hears(12)
  watch.child.stdout!.destroy()
  t.equal(await watch.ended, 0)
})

test('genpoll watch | head -1', async (t) => {
  const script = '("$0" "$1" watch --timer 10ms; echo status $? >&2) | head -1'
  const { status, stdout, stderr } = await run('sh', ['-c', script, NODE, MAIN])
  t.equal(status, 0)
  t.equal(stdout.split('\n').length, 2)
  t.equal(JSON.parse(stdout).source, 'timer')
  t.equal(stderr, 'status 0\n')
})

test('a full disk is an error', async (t) => {
  const full = openSync('/dev/full', 'w')
  const { status, stderr } = await genpoll(['watch', '--timer', '1'], {
    stdio: ['ignore', full, 'pipe'],
  })
  closeSync(full)
  t.equal(status, 1)
  t.match(stderr, /^genpoll watch: ENOSPC: /)
})
