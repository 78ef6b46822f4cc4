import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import {
  EPOLLIN,
  EPOLLOUT,
  Epoll,
  FD_CLOEXEC,
  O_NONBLOCK,
  SFD_CLOEXEC,
  SFD_NONBLOCK,
  SIG_BLOCK,
  SIG_SETMASK,
  type Signal,
  SignalFd,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { add, Descriptors, wait } from './fixtures/kernel.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'
import { SignalThread, sendToThread } from './fixtures/signal-thread.js'
import { Sender } from './fixtures/signals.js'

const { SIGINT, SIGUSR1, SIGUSR2 } = constants.signals
const SIGRTMAX = 64
const INFO_BYTES = 128
const FLAGS = SFD_CLOEXEC | SFD_NONBLOCK

/** Sends a signal to this process, which has it blocked. */
function kill(signal: number): void {
  process.kill(process.pid, signal)
}

// What is sent to the whole process must be blocked in all of its threads: a SignalFd sees to that
// in these tests. What is sent to one thread needs to be blocked there only.

test('C354 C355 C356 a blocked signal that is sent to the thread is read, by whichever number', (t) => {
  for (const signal of [SIGUSR1, SIGRTMAX]) {
    using fds = new Descriptors()
    const old = sys.sigprocmask(SIG_BLOCK, [signal])
    try {
      const fd = fds.own(sys.signalfd(-1, [signal], FLAGS))
      // The main thread’s id is the process’s.
      sendToThread(process.pid, signal)
      const info = Buffer.alloc(2 * INFO_BYTES)
      t.equal(sys.read(fd, info), INFO_BYTES)
      t.equal(info.readUInt32LE(0), signal)
      t.equal(sys.read(fd, info), null)
    } finally {
      sys.sigprocmask(SIG_SETMASK, old)
    }
  }
})

test('C357 readable while a signal is pending', (t) => {
  using fds = new Descriptors()
  const blocked = new SignalFd(['SIGINT'])
  const fd = fds.own(sys.signalfd(-1, ['SIGINT'], FLAGS))
  kill(SIGINT)
  t.equal(poll(fd), EPOLLIN)
  t.equal(sys.signalfd_read(fd)?.signo, SIGINT)
  blocked.close()
  t.equal(poll(fd), 0)
})

test('C358 a thread blocked in read gets the signal that is sent to it', async (t) => {
  using fds = new Descriptors()
  await using thread = new SignalThread()
  await thread.tell('block', ['SIGUSR2'])
  const tid = await thread.tell('tid')
  const fd = fds.own(sys.signalfd(-1, ['SIGUSR2'], SFD_CLOEXEC))
  const reading = thread.tell('readFrom', fd)
  await untilBlocked('read', fd)
  sendToThread(tid, SIGUSR2)
  t.equal((await reading)?.signo, SIGUSR2)
})

test('C359 a thread blocked in read gets the signal that is sent to the process', async (t) => {
  using fds = new Descriptors()
  using _blocked = new SignalFd(['SIGINT'])
  await using thread = new SignalThread()
  const fd = fds.own(sys.signalfd(-1, ['SIGINT'], SFD_CLOEXEC))
  const reading = thread.tell('readFrom', fd)
  await untilBlocked('read', fd)
  kill(SIGINT)
  t.equal((await reading)?.signo, SIGINT)
})

test('C360 a signal that was pending before it is watched is reported, as IN alone', (t) => {
  using fds = new Descriptors()
  using _blocked = new SignalFd(['SIGINT'])
  const fd = fds.own(sys.signalfd(-1, ['SIGINT'], FLAGS))
  const epfd = fds.epoll()
  kill(SIGINT)
  add(epfd, fd, EPOLLIN | EPOLLOUT)
  t.same(wait(epfd), [[EPOLLIN, fd]])
  t.equal(sys.signalfd_read(fd)?.signo, SIGINT)
})

test('C361 a hundred signals are a hundred events, their data intact', (t) => {
  using fds = new Descriptors()
  using _blocked = new SignalFd(['SIGUSR2'])
  const fd = fds.own(sys.signalfd(-1, ['SIGUSR2'], FLAGS))
  const epfd = fds.epoll()
  const out = new Uint32Array(6)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, fd, EPOLLIN, 0x89abcdef, 0x01234567)
  for (let i = 0; i < 100; i++) {
    t.equal(sys.epoll_pwait(epfd, out, 0), 0)
    kill(SIGUSR2)
    t.equal(sys.epoll_pwait(epfd, out, PATIENCE_MS), 1)
    t.same([...out.subarray(0, 3)], [EPOLLIN, 0x89abcdef, 0x01234567])
    t.equal(sys.signalfd_read(fd)?.signo, SIGUSR2)
  }
})

test('C362 C363 C365 descriptors that are no signalfd', (t) => {
  using fds = new Descriptors()
  const [reading] = fds.pipe()
  const file = openSync(fileURLToPath(import.meta.url), 'r')
  t.throws(() => sys.signalfd(-2, [], 0), { code: 'EBADF', errno: -9, syscall: 'signalfd' })
  t.throws(() => sys.signalfd(file, [], 0), { code: 'EINVAL', syscall: 'signalfd', fd: file })
  t.throws(() => sys.signalfd(reading, [], 0), { code: 'EINVAL', fd: reading })
  closeSync(file)
})

test('C364 unknown flags', (t) => {
  t.throws(() => sys.signalfd(-1, [], -1), { code: 'EINVAL', errno: -22, syscall: 'signalfd' })
  t.throws(() => sys.signalfd(-1, [], 1), { code: 'EINVAL' })
})

test('C366 a read of less than one siginfo, and after close', (t) => {
  const fd = sys.signalfd(-1, ['SIGUSR2'], FLAGS)
  t.throws(() => sys.read(fd, Buffer.alloc(4)), { code: 'EINVAL', syscall: 'read', fd })
  t.throws(() => sys.read(fd, Buffer.alloc(INFO_BYTES - 1)), { code: 'EINVAL', fd })
  sys.close(fd)
  t.throws(() => sys.signalfd_read(fd), { code: 'EBADF', syscall: 'read', fd })
})

test('C367 a signal that doesn’t exist can’t be sent', (t) => {
  using fds = new Descriptors()
  const self = fds.own(sys.pidfd_open(process.pid, 0))
  for (const signal of [-1, 65, 4096]) {
    t.throws(() => sys.pidfd_send_signal(self, signal), {
      code: 'EINVAL',
      syscall: 'pidfd_send_signal',
      fd: self,
    })
  }
})

test('C368 C369 C370 C371 each flag sets its own bit, with an empty mask too', (t) => {
  for (const mask of [[], ['SIGUSR2']] as Signal[][]) {
    for (const flags of [0, SFD_CLOEXEC, SFD_NONBLOCK, FLAGS]) {
      using fds = new Descriptors()
      const fd = fds.own(sys.signalfd(-1, mask, flags))
      t.equal(sys.fcntl_getfd(fd), flags & SFD_CLOEXEC ? FD_CLOEXEC : 0)
      t.equal(sys.fcntl_getfl(fd) & O_NONBLOCK, flags & SFD_NONBLOCK ? O_NONBLOCK : 0)
    }
  }
})

test('C372 two with different masks each read their own signal, in any order', (t) => {
  using fds = new Descriptors()
  using _blocked = new SignalFd(['SIGINT', 'SIGUSR2'])
  const first = fds.own(sys.signalfd(-1, ['SIGINT'], FLAGS))
  const second = fds.own(sys.signalfd(-1, ['SIGUSR2'], FLAGS))
  kill(SIGINT)
  kill(SIGUSR2)
  t.equal(sys.signalfd_read(second)?.signo, SIGUSR2)
  t.equal(sys.signalfd_read(second), null)
  t.equal(sys.signalfd_read(first)?.signo, SIGINT)
  t.equal(sys.signalfd_read(first), null)
})

test('C373 it would block before a signal, and after it was read', (t) => {
  using fds = new Descriptors()
  using _blocked = new SignalFd(['SIGUSR2'])
  const fd = fds.own(sys.signalfd(-1, ['SIGUSR2'], FLAGS))
  t.equal(sys.signalfd_read(fd), null)
  kill(SIGUSR2)
  t.equal(sys.signalfd_read(fd)?.signo, SIGUSR2)
  t.equal(sys.signalfd_read(fd), null)
})

test('C374 read again and again until another process sends one', async (t) => {
  using fds = new Descriptors()
  using _blocked = new SignalFd(['SIGINT'])
  const fd = fds.own(sys.signalfd(-1, ['SIGINT'], FLAGS))
  await using sender = new Sender(SIGINT)
  const info = Buffer.alloc(INFO_BYTES)
  t.equal(sys.read(fd, info), null)
  await sender.send()
  let count = sys.read(fd, info)
  while (count === null) count = sys.read(fd, info)
  t.equal(count, INFO_BYTES)
  t.equal(info.readUInt32LE(0), SIGINT)
})

test('C375 a thread that polls is woken by a signal sent to it', async (t) => {
  using fds = new Descriptors()
  await using thread = new SignalThread()
  await thread.tell('block', ['SIGUSR2'])
  const fd = fds.own(sys.signalfd(-1, ['SIGUSR2'], FLAGS))
  const epfd = fds.epoll([fd, EPOLLIN])
  const tid = await thread.tell('tid')
  const waiting = thread.tell('waitOn', epfd)
  await untilBlocked('epoll_pwait', epfd)
  sendToThread(tid, SIGUSR2)
  t.equal(await waiting, 1)
  t.equal((await thread.tell('readFrom', fd))?.signo, SIGUSR2)
})

test('C376 C377 C378 C379 an existing one takes another mask, and keeps its number', (t) => {
  using fds = new Descriptors()
  using _blocked = new SignalFd(['SIGINT', 'SIGUSR2'])
  const fd = fds.own(sys.signalfd(-1, [], FLAGS))
  kill(SIGUSR2)
  t.equal(sys.signalfd_read(fd), null)
  t.equal(sys.signalfd(fd, ['SIGUSR2'], 0), fd)
  t.equal(sys.signalfd_read(fd)?.signo, SIGUSR2)

  t.equal(sys.signalfd(fd, ['SIGINT', 'SIGUSR2'], 0), fd)
  kill(SIGINT)
  t.equal(sys.signalfd_read(fd)?.signo, SIGINT)
  t.equal(sys.signalfd(fd, ['SIGINT'], 0), fd)
  kill(SIGUSR2)
  t.equal(sys.signalfd_read(fd), null)
})

test('C380 another thread’s 25,000 signals, while this one waits and reads', async (t) => {
  using fds = new Descriptors()
  using _blocked = new SignalFd(['SIGUSR2'])
  const fd = fds.own(sys.signalfd(-1, ['SIGUSR2'], FLAGS))
  const epfd = fds.epoll([fd, EPOLLIN])
  const script = new URL('./fixtures/children/kill-self.mjs', import.meta.url)
  const worker = new Worker(script, {
    workerData: { signal: SIGUSR2, times: 25_000 },
    execArgv: [],
  })
  let ended = false
  const exit = once(worker, 'exit').then(() => {
    ended = true
  })
  let count = 0
  while (!ended || poll(fd) !== 0) {
    if (wait(epfd, 1).length === 1 && sys.signalfd_read(fd) !== null) count++
    await turn()
  }
  await exit
  t.ok(count >= 1 && count <= 25_000, `${count}`)
})

test('C381 a signal that the process sends itself reaches its registration', (t) => {
  using signals = new SignalFd(['SIGUSR2'])
  using epoll = new Epoll<SignalFd>()
  epoll.add(signals, EPOLLIN, signals)
  kill(SIGUSR2)
  const seen: (string | undefined)[] = []
  const visited = epoll.wait(PATIENCE_MS, ({ data }) => seen.push(data.read()?.name))
  t.equal(visited, 1)
  t.same(seen, ['SIGUSR2'])
})
