// Bad arguments of genpoll/sys. The other arguments of each call are good, so that one that got
// through would succeed, or fail with an ErrnoError: both are seen.

import * as sys from 'genpoll/sys'
import tap from 'tap'
import { type Argument, refuses } from './fixtures/bad.js'
import { openDescriptors, test } from './fixtures/check.js'
import { pipe } from './fixtures/descriptors.js'
import { SOCKET_CALLS } from './fixtures/socket-calls.js'

const NS = 10n ** 9n
const none: string[] = []
const out = new Uint32Array(3)
const bytes = Buffer.alloc(8)

const [reading, writing] = sys.pipe2(sys.O_NONBLOCK | sys.O_CLOEXEC)
const epfd = sys.epoll_create1(sys.EPOLL_CLOEXEC)
const event = sys.eventfd(7, sys.EFD_NONBLOCK | sys.EFD_CLOEXEC)
const timer = sys.timerfd_create(sys.CLOCK_MONOTONIC, sys.TFD_NONBLOCK | sys.TFD_CLOEXEC)
const signals = sys.signalfd(-1, [], sys.SFD_NONBLOCK | sys.SFD_CLOEXEC)
const pidfd = sys.pidfd_open(process.pid, 0)
const { pid } = process
tap.teardown(() => {
  for (const fd of [reading, writing, epfd, event, timer, signals, pidfd]) sys.close(fd)
})

const FUNCTIONS: Partial<Record<keyof typeof sys, Argument[]>> = {
  epoll_create1: [['flags', 'int32', 0]],
  epoll_ctl: [
    ['epfd', 'int32', epfd],
    ['op', 'int32', sys.EPOLL_CTL_ADD],
    ['fd', 'int32', event],
    ['events', 'mask32', sys.EPOLLIN, 'optional'],
    ['dataLow', 'mask32', 1, 'optional'],
    ['dataHigh', 'mask32', 2, 'optional'],
  ],
  epoll_pwait: [
    ['epfd', 'int32', epfd],
    ['out', 'out', out],
    ['timeoutMs', 'milliseconds', 0],
    ['sigmask', 'mask', none, 'optional'],
  ],
  epoll_pwait2: [
    ['epfd', 'int32', epfd],
    ['out', 'out', out],
    ['timeoutNs', 'nanoseconds', 0n],
    ['sigmask', 'mask', none, 'optional'],
  ],
  eventfd: [
    ['initval', 'uint32', 0],
    ['flags', 'int32', 0],
  ],
  eventfd_read: [['fd', 'int32', event]],
  eventfd_write: [
    ['fd', 'int32', event],
    ['value', 'count', 1],
  ],
  timerfd_create: [
    ['clockid', 'int32', sys.CLOCK_MONOTONIC],
    ['flags', 'int32', 0],
  ],
  timerfd_settime: [
    ['fd', 'int32', timer],
    ['flags', 'int32', 0],
    ['valueNs', 'nanoseconds', NS],
    ['intervalNs', 'nanoseconds', NS],
  ],
  timerfd_gettime: [['fd', 'int32', timer]],
  timerfd_read: [['fd', 'int32', timer]],
  signalfd: [
    ['fd', 'int32', signals],
    ['mask', 'mask', ['SIGUSR2']],
    ['flags', 'int32', 0],
  ],
  signalfd_read: [['fd', 'int32', signals]],
  sigprocmask: [
    ['how', 'int32', sys.SIG_BLOCK],
    ['mask', 'mask', ['SIGUSR2']],
  ],
  pidfd_open: [
    ['pid', 'int32', pid],
    ['flags', 'int32', 0],
  ],
  pidfd_send_signal: [
    ['pidfd', 'int32', pidfd],
    ['signal', 'signal', 0],
  ],
  read: [
    ['fd', 'int32', reading],
    ['buffer', 'buffer', bytes],
    ['offset', 'offset', 0, 'optional'],
    ['length', 'offset', 8, 'optional'],
  ],
  write: [
    ['fd', 'int32', writing],
    ['buffer', 'buffer', bytes],
    ['offset', 'offset', 0, 'optional'],
    ['length', 'offset', 8, 'optional'],
  ],
  close: [['fd', 'int32', event]],
  dup: [['fd', 'int32', event]],
  dup3: [
    ['oldFd', 'int32', event],
    ['newFd', 'int32', reading],
    ['flags', 'int32', 0],
  ],
  pipe2: [['flags', 'int32', 0]],
  socketpair: [
    ['domain', 'int32', sys.AF_UNIX],
    ['type', 'int32', sys.SOCK_STREAM],
    ['protocol', 'int32', 0],
  ],
  fcntl_getfd: [['fd', 'int32', event]],
  fcntl_setfd: [
    ['fd', 'int32', event],
    ['flags', 'int32', 0],
  ],
  fcntl_getfl: [['fd', 'int32', event]],
  fcntl_setfl: [
    ['fd', 'int32', event],
    ['flags', 'int32', 0],
  ],
  ioctl_fionbio: [
    ['fd', 'int32', event],
    ['on', 'boolean', false],
  ],
  ioctl_fioclex: [['fd', 'int32', event]],
  ioctl_fionclex: [['fd', 'int32', event]],
  ioctl_fionread: [['fd', 'int32', reading]],
  kcmp: [
    ['pid1', 'int32', pid],
    ['pid2', 'int32', pid],
    ['type', 'int32', sys.KCMP_FILE],
    ['idx1', 'int32', event],
    ['idx2', 'int32', event],
  ],
}

/** What a call that got through would have changed. */
function state(): unknown {
  return {
    open: [...openDescriptors()],
    flags: [event, reading, writing].map((fd) => [sys.fcntl_getfd(fd), sys.fcntl_getfl(fd)]),
    blocked: sys.sigprocmask(sys.SIG_BLOCK, []),
    timer: sys.timerfd_gettime(timer),
    piped: sys.ioctl_fionread(reading),
    watched: sys.epoll_pwait(epfd, new Uint32Array(3), 0),
  }
}

const functions = Object.entries(sys).filter(([, value]) => typeof value === 'function') as [
  keyof typeof sys,
  (...args: never[]) => unknown,
][]

for (const [name, call] of functions) {
  if (SOCKET_CALLS.includes(name)) continue
  test(`${name} refuses bad arguments before the call`, (t) => {
    const before = state()
    refuses(t, call, FUNCTIONS[name] ?? [])
    t.strictSame(state(), before, 'nothing was done')
  })
}

test('every function is among these, or those for sockets', (t) => {
  const names = [...Object.keys(FUNCTIONS), ...SOCKET_CALLS]
  t.strictSame(names.sort(), functions.map(([name]) => name).sort())
})

test('kcmp checks the slot of KCMP_EPOLL_TFD', (t) => {
  const slot = { efd: epfd, tfd: event, toff: 0 }
  const compare = (idx2: object): number =>
    sys.kcmp(pid, pid, sys.KCMP_EPOLL_TFD, event, idx2 as never)
  refuses(t, compare, [['idx2', 'object', slot]])
  for (const field of ['efd', 'tfd', 'toff'] as const) {
    const withField = (value: unknown): number => compare({ ...slot, [field]: value })
    refuses(t, withField, [[`idx2.${field}`, 'int32', 0]])
  }
})

test('-1 ns blocks a wait, and is no time for a timer', (t) => {
  const expected = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }
  t.throws(() => sys.timerfd_settime(timer, 0, -1n, 0n), expected)
  t.throws(() => sys.timerfd_settime(timer, 0, 0n, -1n), expected)
})

test('negative zero is zero', (t) => {
  const [from, to] = pipe()
  t.equal(to.write(Buffer.from('ab'), -0, 1), 1)
  t.equal(from.read(bytes, -0), 1)
  t.equal(sys.epoll_pwait(epfd, out, -0), 0)
  t.equal(sys.eventfd_write(event, -0), true)
  t.equal(sys.eventfd_read(event), 7n)
  from.close()
  to.close()
})

test('the whole 32 bits of a mask are accepted, signed and unsigned', (t) => {
  for (const word of [-1, 0xffffffff, -(2 ** 31), 2 ** 31, 0]) {
    sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, event, sys.EPOLLOUT | sys.EPOLLET, word, word)
    t.equal(sys.epoll_pwait(epfd, out, 0), 1)
    t.strictSame([...out], [sys.EPOLLOUT, word >>> 0, word >>> 0])
    sys.epoll_ctl(epfd, sys.EPOLL_CTL_DEL, event)
  }
})
