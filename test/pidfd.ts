import { once } from 'node:events'
import { release } from 'node:os'
import { EPOLLIN, Epoll, FD_CLOEXEC, O_NONBLOCK, PidFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'
import { Shell } from './fixtures/shell.js'

/** The kernel keeps how a process ended for those who hold a pidfd of it. */
const keepsExits = (() => {
  const [major, minor] = release().split('.').map(Number)
  return major! > 6 || (major === 6 && minor! >= 15)
})()

/** Waits, without giving Node a turn to reap its children. */
function ends(process: PidFd): boolean {
  return (poll(process.fd, EPOLLIN, PATIENCE_MS) & EPOLLIN) !== 0
}

test('it is CLOEXEC and non-blocking', (t) => {
  using self = new PidFd(process.pid)
  t.equal(sys.fcntl_getfd(self.fd), FD_CLOEXEC)
  t.equal(sys.fcntl_getfl(self.fd) & O_NONBLOCK, O_NONBLOCK)
  t.equal(self.info(), null)
})

test('a child’s exit code, and Node still hears of the exit', async (t) => {
  await using shell = new Shell('read _ <&3; exit 7')
  using process = new PidFd(shell.pid)
  t.equal(process.info(), null)
  t.equal(poll(process.fd), 0)
  shell.letGo()
  t.equal(ends(process), true)
  for (let i = 0; i < 3; i++) t.same(process.info(), { code: 7, signal: null })
  t.same(await shell.exit, [7, null])
})

test('the signal that ended a child, and Node still hears of it', async (t) => {
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGUSR2'] as const) {
    await using shell = new Shell('read _ <&3')
    using process = new PidFd(shell.pid)
    process.send(signal)
    t.equal(ends(process), true)
    t.same(process.info(), { code: null, signal })
    t.same(await shell.exit, [null, signal])
  }
})

test('a child that Node has reaped is known as long as the kernel keeps it', async (t) => {
  await using shell = new Shell('read _ <&3; exit 3')
  using process = new PidFd(shell.pid)
  shell.letGo()
  await shell.exit
  t.equal(ends(process), true)
  t.same(process.info(), keepsExits ? { code: 3, signal: null } : null)
})

test('the exit of a process that is no child', async (t) => {
  for (const [ending, expected] of [
    ['exit 9', { code: 9, signal: null }],
    ['kill -KILL $$', { code: null, signal: 'SIGKILL' }],
  ] as const) {
    await using shell = new Shell(`sh -c 'echo $$; read _ <&3; ${ending}' & wait`)
    const [line] = await once(shell.child.stdout!, 'data')
    using process = new PidFd(Number(line))
    t.equal(process.info(), null)
    shell.letGo()
    t.equal(ends(process), true)
    await shell.exit // and so its parent has reaped it
    t.same(process.info(), keepsExits ? expected : null)
  }
})

test('it is watched by an Epoll', async (t) => {
  await using shell = new Shell('read _ <&3')
  using epoll = new Epoll<PidFd>()
  using process = new PidFd(shell.pid)
  epoll.add(process, EPOLLIN, process)
  t.equal(
    epoll.wait(0, () => {}),
    0,
  )
  shell.letGo()
  const ended: unknown[] = []
  epoll.wait(PATIENCE_MS, ({ data }) => ended.push(data.info()))
  t.same(ended, [{ code: 1, signal: null }])
})

test('signals are sent by name and by number; 0 only asks', async (t) => {
  await using shell = new Shell('trap "exit 5" USR2; echo ready; while :; do sleep 0.01; done')
  using process = new PidFd(shell.pid)
  await once(shell.child.stdout!, 'data')
  process.send(0)
  t.equal(process.info(), null)
  process.send(12)
  t.equal(ends(process), true)
  t.same(process.info(), { code: 5, signal: null })
  await shell.exit
  const { fd } = process
  t.throws(() => process.send(0), { code: 'ESRCH', errno: -3, syscall: 'pidfd_send_signal', fd })
  t.throws(() => process.send('SIGKILL'), { code: 'ESRCH' })
})

test('a process that is gone can’t be opened', async (t) => {
  await using shell = new Shell('exit 0')
  await shell.exit
  t.throws(() => new PidFd(shell.pid), { code: 'ESRCH', syscall: 'pidfd_open' })
})

test('arguments are checked before the kernel sees them', (t) => {
  const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
  const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }
  for (const pid of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
    t.throws(() => new PidFd(pid), outOfRange)
  }
  for (const pid of ['1', null, undefined, 1n]) t.throws(() => new PidFd(pid as never), wrongType)
  using self = new PidFd(process.pid)
  for (const signal of [-1, 65, 0.5]) t.throws(() => self.send(signal), outOfRange)
  for (const signal of [null, undefined, {}]) {
    t.throws(() => self.send(signal as never), wrongType)
  }
  t.throws(() => self.send('SIGNOPE' as never), { name: 'TypeError', code: 'ERR_UNKNOWN_SIGNAL' })
})

test('once closed it can’t be used', (t) => {
  const self = new PidFd(process.pid)
  self.close()
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.throws(() => self.info(), closed)
  t.throws(() => self.send(0), closed)
})
