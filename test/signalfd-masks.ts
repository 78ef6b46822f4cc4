import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { pbkdf2 } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { EPOLLIN, SIG_BLOCK, SIG_SETMASK, type Signal, SignalFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'
import { Descriptors } from './fixtures/kernel.js'
import { SignalThread } from './fixtures/signal-thread.js'
import { DEADLY, has, masks, send, threadsBy } from './fixtures/signals.js'

const { SIGUSR2, SIGCHLD } = constants.signals
const refused = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }

/** Has libuv make all the threads of its pool, which it does when they are first needed. */
async function fillPool(): Promise<void> {
  const hash = promisify(pbkdf2)
  await Promise.all(Array.from({ length: 8 }, () => hash('password', 'salt', 100, 32, 'sha256')))
}

test('every thread blocks the signals while it is open, and has its old mask afterwards', async (t) => {
  await fillPool()
  const before = masks()
  const signals = new SignalFd(['SIGUSR2', DEADLY])
  for (const [tid, mask] of masks()) {
    t.equal(mask, before.get(tid)! | (1n << BigInt(SIGUSR2 - 1)) | (1n << BigInt(DEADLY - 1)))
  }
  signals.close()
  t.same(masks(), before)
})

test('the last of several for a signal restores it', async (t) => {
  await fillPool()
  const before = masks()
  const first = new SignalFd(['SIGUSR2', DEADLY])
  const second = new SignalFd(['SIGUSR2'])
  const third = new SignalFd(['SIGUSR2'])
  second.close()
  second.close()
  t.same(threadsBy(SIGUSR2).open, [])
  first.close()
  t.same(threadsBy(SIGUSR2).open, [])
  t.same(threadsBy(DEADLY).blocked, [])
  third.close()
  t.same(masks(), before)
})

test('the last of two in different workers restores it', async (t) => {
  await using first = new SignalThread()
  await using second = new SignalThread()
  await Promise.all([first.tell('tid'), second.tell('tid'), fillPool()])
  const before = masks()
  await Promise.all([first.tell('open', [DEADLY]), second.tell('open', [DEADLY])])
  t.same(threadsBy(DEADLY).open, [])
  await first.tell('close')
  t.same(threadsBy(DEADLY).open, [])
  await second.tell('close')
  t.same(masks(), before)
})

test('a thread that blocked the signal of its own accord still does', async (t) => {
  await using thread = new SignalThread()
  const tid = await thread.tell('tid')
  await thread.tell('block', [DEADLY])
  const signals = new SignalFd([DEADLY])
  t.same(threadsBy(DEADLY).open, [])
  signals.close()
  t.same(threadsBy(DEADLY).blocked, [tid])
})

test('so does the thread that opens it', (t) => {
  const old = sys.sigprocmask(SIG_BLOCK, [DEADLY])
  try {
    const signals = new SignalFd([DEADLY])
    signals.close()
    t.same(threadsBy(DEADLY).blocked, [process.pid])
  } finally {
    sys.sigprocmask(SIG_SETMASK, old)
  }
})

test('threads made while it is open block the signal, and don’t afterwards', async (t) => {
  await using thread = new SignalThread()
  await thread.tell('open', [DEADLY])
  await using child = new SignalThread()
  const tid = await child.tell('tid')
  t.ok(threadsBy(DEADLY).blocked.includes(tid))
  await thread.tell('close')
  t.ok(threadsBy(DEADLY).open.includes(tid))
  t.same(threadsBy(DEADLY).blocked, [])
})

test('a worker that is terminated gives its masks back, and discards what it didn’t read', async (t) => {
  await fillPool()
  const before = masks()
  const thread = new SignalThread()
  await thread.tell('open', [DEADLY, 'SIGUSR2'])
  t.same(threadsBy(DEADLY).open, [])
  send(DEADLY)
  await thread.terminate()
  t.same(masks(), before)
})

test('a worker’s end leaves blocked what another thread has open', async (t) => {
  using signals = new SignalFd([DEADLY])
  const thread = new SignalThread()
  await thread.tell('open', [DEADLY])
  await thread.terminate()
  t.same(threadsBy(DEADLY).open, [])
  const pid = send(DEADLY)
  t.equal(signals.read()?.pid, pid)
})

test('one that is garbage-collected gives its masks back, and warns', async (t) => {
  await fillPool()
  const before = masks()
  const warning = once(process, 'warning')
  ;(() => new SignalFd([DEADLY]))()
  t.same(threadsBy(DEADLY).open, [])
  while (threadsBy(DEADLY).blocked.length > 0) {
    globalThis.gc?.()
    await turn()
  }
  t.same(masks(), before)
  t.match(await warning, [{ name: 'GenpollWarning', code: 'GENPOLL_LEAK' }])
})

test('several threads open and close theirs at once', async (t) => {
  const threads = [new SignalThread(), new SignalThread(), new SignalThread()]
  await Promise.all([...threads.map((thread) => thread.tell('tid')), fillPool()])
  const before = masks()
  await Promise.all(
    threads.map(async (thread) => {
      for (let i = 0; i < 20; i++) {
        await thread.tell('open', ['SIGUSR2', DEADLY])
        await thread.tell('close')
      }
    }),
  )
  t.same(masks(), before)
  for (const thread of threads) await thread.terminate()
})

test('a thread that waits with the signal in its sigmask blocks it afterwards too', async (t) => {
  using fds = new Descriptors()
  await using thread = new SignalThread()
  const bell = fds.eventfd()
  const epfd = fds.epoll([bell, EPOLLIN])
  await thread.tell('tid')
  const waiting = thread.tell('waitWithMask', [epfd, [DEADLY]])
  await untilBlocked('epoll_pwait', epfd)
  using _signals = new SignalFd([DEADLY])
  sys.eventfd_write(bell, 1)
  t.equal(await waiting, 1)
  t.same(threadsBy(DEADLY).open, [])
})

test('nor does that thread take the signal, and the process with it', (t) => {
  const script = fileURLToPath(
    new URL('./fixtures/children/signal-during-pwait.mjs', import.meta.url),
  )
  const { stdout, signal, status } = spawnSync(process.execPath, [script], { encoding: 'utf8' })
  t.match({ stdout, signal, status }, { stdout: `${DEADLY}\n`, signal: null, status: 0 })
})

test('a thread that is spawning a process meanwhile blocks the signal afterwards too', async (t) => {
  // libuv blocks every signal of the thread while it forks.
  const script = new URL('./fixtures/children/spawn-loop.mjs', import.meta.url)
  const spawning = new Worker(script, { execArgv: [] })
  await once(spawning, 'message')
  const missed = new Set<number>()
  for (let i = 0; i < 300; i++) {
    using _signals = new SignalFd([DEADLY])
    await once(spawning, 'message')
    for (const tid of threadsBy(DEADLY).open) missed.add(tid)
  }
  await spawning.terminate()
  t.same([...missed], [])
})

test('children are spawned with nothing blocked', async (t) => {
  using _signals = new SignalFd(['SIGUSR2', DEADLY])
  const args = ['SigBlk', '/proc/self/status']
  const nothing = /^SigBlk:\s*0{16}\n$/
  t.match(execFileSync('grep', args, { encoding: 'utf8' }), nothing)
  const child = spawn('grep', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const text = (await child.stdout.toArray()).join('')
  t.match(text, nothing)
})

test('a child can be killed by a signal that its parent reads', async (t) => {
  using signals = new SignalFd([DEADLY])
  const child = spawn(compile('send-signal'), ['0', '0'])
  const exit = once(child, 'exit')
  using fds = new Descriptors()
  sys.pidfd_send_signal(fds.own(sys.pidfd_open(child.pid!, 0)), DEADLY)
  await exit
  t.equal(signals.read(), null)
})

test('what can’t be had safely is refused before anything is blocked', (t) => {
  const before = masks()
  const signals: Signal[] = [
    'SIGKILL',
    'SIGSTOP',
    'SIGSEGV',
    'SIGBUS',
    'SIGFPE',
    'SIGILL',
    'SIGTRAP',
    'SIGSYS',
    'SIGABRT',
    'SIGIOT',
    'SIGUSR1', // while there is an inspector to start, as here
    'SIGPROF',
    32,
    33,
  ]
  for (const signal of signals) {
    t.throws(() => new SignalFd([signal]), refused, `${signal}`)
    t.throws(() => new SignalFd(['SIGUSR2', signal, DEADLY]), refused, `${signal} among others`)
    t.same(masks(), before)
  }
})

test('34 is refused too, which some C libraries keep for themselves', (t) => {
  t.throws(() => new SignalFd([34]).close(), refused)
})

test('SIGCHLD is refused only while Node has a child', async (t) => {
  new SignalFd(['SIGCHLD']).close()
  const before = masks()
  const child = spawn(compile('send-signal'), [`${process.pid}`, '0'])
  const closed = once(child, 'close')
  t.throws(() => new SignalFd(['SIGCHLD']), refused)
  t.same(masks(), before)
  child.stdin.end()
  await closed
  using signals = new SignalFd(['SIGCHLD'])
  process.kill(process.pid, 'SIGCHLD')
  t.equal(signals.read()?.signo, SIGCHLD)
})

test('other signals that a thread blocks stay blocked', (t) => {
  const old = sys.sigprocmask(SIG_BLOCK, [DEADLY + 1])
  try {
    new SignalFd([DEADLY]).close()
    t.equal(has(masks().get(process.pid), DEADLY + 1), true)
    t.equal(has(masks().get(process.pid), DEADLY), false)
  } finally {
    sys.sigprocmask(SIG_SETMASK, old)
  }
})
