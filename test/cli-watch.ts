import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants as os, release } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { ended, genpoll, inFolder, Running } from './fixtures/cli.js'

const { SIGINT, SIGUSR2 } = os.signals
const UID = process.getuid!()
const [major = 0, minor = 0] = release().split('.').map(Number)
/** Whether the kernel tells others than the parent how a process ended. */
const TELLS = major > 6 || (major === 6 && minor >= 15)
/** As kernels name it: later ones number them. */
const PIDFD = /^(anon_inode:\[pidfd\]|pidfd:)/

/** Takes the numbers out of a line that a test can't know. */
function known(line: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  if (line === undefined) return undefined
  const { fd, generation, ...rest } = line
  if (!Number.isInteger(fd) || !((generation as number) > 0)) throw new Error('no descriptor')
  return rest
}

/** The same of one whose number is known. */
function withoutGeneration(line: Record<string, unknown> | undefined): Record<string, unknown> {
  return { fd: line?.fd, ...known(line) }
}

test('--timer: expirations, again and again, until --count', async (t) => {
  const { status, stdout, stderr } = await genpoll(['watch', '--timer', '20ms', '--count', '3'])
  t.equal(status, 0)
  t.equal(stderr, '')
  const lines = stdout.trimEnd().split('\n')
  t.equal(lines.length, 3)
  let expirations = 0
  for (const line of lines) {
    const { t: ms, expirations: more, ...rest } = JSON.parse(line)
    expirations += more
    t.ok(ms >= 20 * expirations, 'never early')
    t.same(known(rest), { source: 'timer', events: ['in'], intervalMs: 20 })
  }
})

test('--for ends it, whatever else is watched', async (t) => {
  for (const source of [
    ['--timer', '60m'],
    ['--signal', 'USR2'],
  ]) {
    t.same(await genpoll(['watch', ...source, '--for', '0.02s']), {
      status: 0,
      stdout: '',
      stderr: '',
    })
  }
})

test('--signal: who sent it, once though it is named three times', async (t) => {
  const names = ['--signal', 'usr2', '--signal', 'SIGUSR2', '--signal', String(SIGUSR2)]
  const watch = new Running(['watch', ...names, '--count', '2'])
  await watch.hears(SIGUSR2)
  for (let i = 0; i < 2; i++) {
    watch.child.kill('SIGUSR2')
    t.same(known(await watch.next()), {
      source: 'signal',
      events: ['in'],
      signal: 'SIGUSR2',
      pid: process.pid,
      uid: UID,
    })
  }
  t.equal(await watch.ended, 0)
})

test('Ctrl-C and SIGTERM end it with status 0', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const watch = new Running(['watch', '--timer', '10ms'])
    await watch.next()
    watch.child.kill(signal)
    t.equal(await watch.ended, 0)
    t.equal(await watch.stderr, '')
  }
})

test('a watched SIGINT is printed, and SIGTERM still ends it', async (t) => {
  const watch = new Running(['watch', '--signal', 'INT'])
  await watch.hears(SIGINT)
  watch.child.kill('SIGINT')
  t.equal((await watch.next())?.signal, 'SIGINT')
  watch.child.kill('SIGTERM')
  t.equal(await watch.ended, 0)
})

test('--pid: how processes end', async (t) => {
  for (const [end, exit] of [
    ['exit 3', { code: 3, signal: null }],
    ['kill -KILL $$', { code: null, signal: 'SIGKILL' }],
  ] as const) {
    const child = spawn('sh', ['-c', `read line; ${end}`], { stdio: ['pipe', 'ignore', 'ignore'] })
    const watch = new Running(['watch', '--pid', String(child.pid)])
    await watch.holds(PIDFD)
    child.stdin.end('\n')
    const { events, ...line } = known(await watch.next())!
    t.same(line, { source: 'pid', pid: child.pid, exit: TELLS ? exit : null })
    t.same((events as string[])[0], 'in')
    t.equal(await watch.next(), undefined, 'nothing is left')
    t.equal(await watch.ended, 0)
  }
})

test('--pid: a process whose parent asks late, or never, how it ended', async (t) => {
  const script = fileURLToPath(new URL('fixtures/children/late-parent.mjs', import.meta.url))
  for (const asks of [true, false]) {
    const stdio = ['pipe', 'pipe', 'inherit', 'pipe'] as const
    const parent = spawn(process.execPath, [script], { stdio: [...stdio] })
    const isOver = ended(parent)
    const [output] = await once(parent.stdout!, 'data')
    const pid = Number(output)
    const watch = new Running(['watch', '--pid', String(pid)])
    await watch.holds(PIDFD)
    ;(parent.stdio[3] as Writable).end('\n')
    // It has heard of the end, and waits a while for the rest.
    await watch.holds(/^anon_inode:\[timerfd\]$/)
    if (asks) parent.stdin!.end('\n')
    const exit = asks && TELLS ? { code: 3, signal: null } : null
    const events = exit ? ['in', 'hup'] : ['in']
    t.same(known(await watch.next()), { source: 'pid', events, pid, exit })
    t.equal(await watch.ended, 0)
    if (!asks) parent.stdin!.end('\n')
    t.equal(await isOver, 0)
  }
})

test('--fifo: what its writers say, one after the other', async (t) => {
  await inFolder(async (folder) => {
    const path = join(folder, 'fifo')
    execFileSync('mkfifo', [path])
    const watch = new Running(['watch', '--fifo', path])
    await watch.holds(/\/fifo$/)
    for (const { text, bytes, data, rest } of [
      { text: 'hello', bytes: 5, data: 'hello', rest: '' },
      { text: '\\303\\251t\\303', bytes: 4, data: 'ét', rest: '\ufffd' },
    ]) {
      execFileSync('sh', ['-c', 'printf "$1" > "$2"', 'sh', text, path])
      const { events, ...line } = known(await watch.next())!
      t.equal((events as string[])[0], 'in')
      t.same(line, { source: 'fifo', path, bytes, data, eof: false })
      const last = { source: 'fifo', events: ['hup'], path, bytes: 0, data: rest, eof: true }
      t.same(known(await watch.next()), last)
    }
    watch.child.kill('SIGINT')
    t.equal(await watch.ended, 0)
  })
})

test('--stdin: to its end', async (t) => {
  const watch = new Running(['watch', '--stdin'], { stdio: ['pipe', 'pipe', 'pipe'] })
  const stdin = watch.child.stdin!
  stdin.write('one')
  const line = { source: 'stdin', fd: 0, events: ['in'] }
  t.same(withoutGeneration(await watch.next()), { ...line, bytes: 3, data: 'one', eof: false })
  stdin.write(Buffer.from([0xe2, 0x82]))
  t.same(withoutGeneration(await watch.next()), { ...line, bytes: 2, data: '', eof: false })
  stdin.write(Buffer.from([0xac]))
  t.same(withoutGeneration(await watch.next()), { ...line, bytes: 1, data: '€', eof: false })
  stdin.end()
  const { events, generation, ...last } = (await watch.next())!
  t.same(last, { source: 'stdin', fd: 0, bytes: 0, data: '', eof: true })
  t.ok((events as string[]).length > 0)
  t.ok((generation as number) > 0)
  t.equal(await watch.ended, 0)
})

test('--fd: edge-triggered, unread, until it hangs up', async (t) => {
  const [reading, writing] = sys.pipe2(sys.O_CLOEXEC)
  const watch = new Running(['watch', '--fd', '3'], { stdio: ['ignore', 'pipe', 'pipe', reading] })
  const line = { source: 'fd', fd: 3 }
  for (let i = 0; i < 2; i++) {
    sys.write(writing, Buffer.from('x'))
    t.same(withoutGeneration(await watch.next()), { ...line, events: ['in'] })
  }
  sys.close(writing)
  t.same(withoutGeneration(await watch.next()), { ...line, events: ['in', 'hup'] })
  t.equal(await watch.next(), undefined)
  t.equal(await watch.ended, 0)
  t.equal(sys.ioctl_fionread(reading), 2, 'it was not read')
  sys.close(reading)
})

test('--fd with oneshot: one line', async (t) => {
  const [one, other] = sys.socketpair(sys.AF_UNIX, sys.SOCK_STREAM | sys.SOCK_CLOEXEC, 0)
  const { status, stdout } = await genpoll(['watch', '--fd', '3:in,out,pri,rdhup,oneshot'], {
    stdio: ['ignore', 'pipe', 'pipe', one],
  })
  t.equal(status, 0)
  const { t: _, ...line } = JSON.parse(stdout)
  t.same(withoutGeneration(line), { source: 'fd', fd: 3, events: ['out'] })
  sys.close(one)
  sys.close(other)
})

test('--fd with lt: a line when what is ready changes', async (t) => {
  const [reading, writing] = sys.pipe2(sys.O_CLOEXEC)
  const watch = new Running(['watch', '--fd', '3:in,lt'], {
    stdio: ['ignore', 'pipe', 'pipe', reading],
  })
  const byte = Buffer.from('x')
  const line = { source: 'fd', fd: 3 }
  for (let i = 0; i < 2; i++) {
    sys.write(writing, byte)
    t.same(withoutGeneration(await watch.next()), { ...line, events: ['in'] })
    sys.write(writing, byte)
    sys.read(reading, Buffer.alloc(2))
    t.same(withoutGeneration(await watch.next()), { ...line, events: [] })
  }
  sys.close(writing)
  t.same(withoutGeneration(await watch.next()), { ...line, events: ['hup'] })
  t.equal(await watch.ended, 0)
  sys.close(reading)
})

test('--fd with lt: what stays ready is not repeated', async (t) => {
  const [reading, writing] = sys.pipe2(sys.O_CLOEXEC)
  sys.write(writing, Buffer.from('x'))
  // It is looked at every 100 ms.
  const args = ['watch', '--fd', '3:in,lt', '--timer', '250ms', '--count', '3']
  const { stdout } = await genpoll(args, { stdio: ['ignore', 'pipe', 'pipe', reading] })
  const sources = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).source)
  t.same(sources, ['fd', 'timer', 'timer'])
  sys.close(reading)
  sys.close(writing)
})

test('status 1: what can’t be watched is one clear line', async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, 'file')
    const loop = join(folder, 'loop')
    writeFileSync(file, '')
    symlinkSync('loop', loop)
    const fd = openSync(file, constants.O_RDONLY)
    const gone = spawn('true')
    await once(gone, 'close')
    const cases: [args: string[], complaint: RegExp][] = [
      [['--fd', '999'], /--fd 999: EBADF: not open here; /],
      [['--fd', '999:out'], /--fd 999: EBADF: not open here; /],
      [['--fd', '3'], /--fd 3: EPERM: a regular file, /],
      [['--fd', '1', '--fd', '1:pri'], /--fd 1: EEXIST: given twice/],
      [['--stdin'], /--stdin: EPERM: .* or \/dev\/null is always ready .*; a pipe can: /],
      [['--fifo', file], /--fifo .*file: EPERM: /],
      [['--fifo', folder], /--fifo .*: EPERM: .* a directory/],
      [['--fifo', join(folder, 'fifo')], /--fifo .*: ENOENT: no such file; make it with mkfifo/],
      [['--fifo', loop], /--fifo .*: ELOOP: too many symbolic links/],
      [['--pid', String(gone.pid)], /--pid \d+: ESRCH: no such process/],
    ]
    for (const [args, complaint] of cases) {
      const { status, stdout, stderr } = await genpoll(['watch', ...args], {
        stdio: ['ignore', 'pipe', 'pipe', fd],
      })
      t.equal(status, 1, args.join(' '))
      t.equal(stdout, '')
      t.match(stderr, complaint)
      t.match(stderr, /^genpoll watch: .*\n$/, 'one line')
    }
    sys.close(fd)
  })
})
