import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readSync, writeSync } from 'node:fs'
import { EPOLLIN, FD_CLOEXEC, O_NONBLOCK, PIDFD_NONBLOCK, PidFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'
import { Descriptors } from './fixtures/kernel.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'
import { Shell } from './fixtures/shell.js'

/** Beyond any pid that the kernel gives (2^22 at most). */
const NO_PID = 0x7fffffff

test('C397 a pidfd can’t be read or written, and 0 and -1 are no pids', (t) => {
  using fds = new Descriptors()
  const fd = fds.own(sys.pidfd_open(process.pid, 0))
  const byte = Buffer.alloc(1)
  t.throws(() => sys.read(fd, byte), { code: 'EINVAL', syscall: 'read', fd })
  t.throws(() => sys.write(fd, byte), { code: 'EINVAL', syscall: 'write', fd })
  t.throws(() => readSync(fd, byte, 0, 1, 0), { code: 'EINVAL' })
  t.throws(() => writeSync(fd, byte, 0, 1, 0), { code: 'EINVAL' })
  for (const pid of [0, -1]) {
    t.throws(() => sys.pidfd_open(pid, 0), { code: 'EINVAL', errno: -22, syscall: 'pidfd_open' })
  }
})

test('C398 C399 C400 no such process, and unknown flags', (t) => {
  t.throws(() => sys.pidfd_open(NO_PID, 0), { code: 'ESRCH', errno: -3, syscall: 'pidfd_open' })
  t.throws(() => sys.pidfd_open(-1, 0), { code: 'EINVAL', syscall: 'pidfd_open' })
  t.throws(() => sys.pidfd_open(process.pid, 1), { code: 'EINVAL', syscall: 'pidfd_open' })
})

test('C401 PIDFD_NONBLOCK sets O_NONBLOCK, and asking whether it has ended never blocks', async (t) => {
  using fds = new Descriptors()
  await using shell = new Shell('read _ <&3; exit 0')
  const fd = fds.own(sys.pidfd_open(shell.pid, PIDFD_NONBLOCK))
  t.equal(sys.fcntl_getfl(fd) & O_NONBLOCK, O_NONBLOCK)
  using handle = new PidFd(shell.pid)
  t.equal(handle.info(), null)
  shell.letGo()
  t.equal(poll(fd, EPOLLIN, PATIENCE_MS), EPOLLIN)
  t.same(handle.info(), { code: 0, signal: null })
})

test('C402 C403 it is CLOEXEC, and the kernel says whose it is', (t) => {
  using fds = new Descriptors()
  const fd = fds.own(sys.pidfd_open(process.pid, 0))
  t.equal(sys.fcntl_getfd(fd), FD_CLOEXEC)
  const fdinfo = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
  t.match(fdinfo, new RegExp(`^Pid:\\s+${process.pid}$`, 'm'))
})

test('C404 readable when the process ends, and not before', async (t) => {
  using fds = new Descriptors()
  await using shell = new Shell('read _ <&3; exit 0')
  const fd = fds.own(sys.pidfd_open(shell.pid, 0))
  t.equal(poll(fd), 0)
  shell.letGo()
  t.equal(poll(fd, EPOLLIN, PATIENCE_MS), EPOLLIN)
})

test('C405 10,000 processes, each killed through its pidfd, each seen to end', async (t) => {
  using fds = new Descriptors()
  const [input, toParent] = sys.pipe2(sys.O_CLOEXEC).map((fd) => fds.own(fd)) as [number, number]
  const [fromParent, output] = sys.pipe2(sys.O_CLOEXEC).map((fd) => fds.own(fd)) as [number, number]
  const parent = spawn(compile('fork-and-pause'), { stdio: [input, output, 'inherit'] })
  const exit = once(parent, 'exit')
  fds.close(input)
  fds.close(output)
  const pid = new Int32Array(1)
  let seen = 0
  for (let i = 0; i < 10_000; i++) {
    sys.write(toParent, Buffer.from('.'))
    if (sys.read(fromParent, pid) !== 4) break
    const pidfd = sys.pidfd_open(pid[0]!, 0)
    sys.pidfd_send_signal(pidfd, 'SIGKILL')
    if (poll(pidfd, EPOLLIN, 3000) & EPOLLIN) seen++
    sys.close(pidfd)
  }
  t.equal(seen, 10_000)
  fds.close(toParent)
  t.same(await exit, [0, null])
})
