// A process forked off without exec, as a native program that embeds Node may do: it has our
// descriptors, and the very epolls behind them. Nothing of genpoll works there, and nothing that is
// tried there reaches the parent.

import {
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  Epoll,
  EventFd,
  Fd,
  fdTable,
  isErrno,
  type OwnedFd,
  PidFd,
  SignalFd,
  sameFile,
  TimerFd,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/alone.js'
import { openDescriptors } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { add, Descriptors, wait, write } from './fixtures/kernel.js'
import { host, inFork } from './fixtures/native-host.js'

/** The error code of a call, or what it returned. */
function outcome(call: () => unknown): unknown {
  try {
    return call() ?? 'nothing'
  } catch (error) {
    return isErrno(error) ? error.code : String(error)
  }
}

type Calls = Record<string, () => unknown>

/** What comes of each call in a forked child of its own. */
function inForks(calls: Calls): Record<string, unknown> {
  outcome(() => sys.close(-1)) // what an error needs is loaded before
  return Object.fromEntries(
    Object.entries(calls).map(([name, call]) => [name, inFork(() => outcome(call))]),
  )
}

const stale = (calls: Calls) =>
  Object.fromEntries(Object.keys(calls).map((name) => [name, 'ESTALE']))

test('every use of an Epoll throws ESTALE in the child, and the parent’s is unharmed', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  using other = ready()
  using stranger = new EventFd()
  const registration = epoll.add(bell, EPOLLIN | EPOLLET, 'bell')
  const second = epoll.add(other, EPOLLIN, 'other')
  const tokens = [registration.generation, second.generation]
  const { fd } = epoll
  const calls: Calls = {
    'Epoll.wait': () => epoll.wait(0, () => {}),
    'Epoll.add': () => epoll.add(stranger, EPOLLIN, 'stranger'),
    'Epoll.addAll': () => epoll.addAll([[stranger, EPOLLIN, 'stranger']]),
    'Epoll.size': () => epoll.size,
    'Epoll.audit': () => epoll.audit(),
    'Epoll.rebuild': () => epoll.rebuild(),
    'Epoll.replace': () => epoll.replace(stranger, bell),
    'Epoll.busyPoll': () => epoll.busyPoll(),
    'Epoll.close': () => epoll.close(),
    'Registration.modify': () => registration.modify(EPOLLOUT),
    'Registration.verify': () => registration.verify(),
    'Registration.remove': () => registration.remove(),
    'new Epoll': () => new Epoll(),
    'Epoll.adopt': () => Epoll.adopt(0),
  }
  t.strictSame(inForks(calls), stale(calls))
  t.equal(epoll.fd, fd)
  t.equal(epoll.size, 2)
  t.strictSame([registration.generation, second.generation], tokens)
  t.strictSame(epoll.audit().counts, { live: 2, zombie: 0, lost: 0, replaced: 0 })
  t.strictSame(delivered(epoll).sort(), ['bell', 'other'])
  t.strictSame(delivered(epoll), ['other'])
  t.strictSame([registration.verify(), second.verify()], ['current', 'current'])
})

test('the rest of a batch isn’t delivered in the child', (t) => {
  using epoll = new Epoll<string>()
  using one = ready()
  using two = ready()
  for (const bell of [one, two]) epoll.add(bell, EPOLLIN, 'bell')
  const inChild: unknown[] = []
  epoll.wait(0, () => {
    inChild.push(inFork(() => outcome(() => epoll.wait(0, () => {}))))
  })
  // The second time there is no rest.
  t.strictSame(inChild, ['ESTALE', 'ESTALE'])
})

test('every use of a descriptor throws ESTALE in the child, and the parent’s is unharmed', (t) => {
  using bell = ready()
  using timer = new TimerFd()
  using signals = new SignalFd(['SIGUSR2'])
  using process_ = new PidFd(process.pid)
  const [reading, writing] = pipe()
  using _reading = reading
  using _writing = writing
  const all: OwnedFd[] = [bell, timer, signals, process_, reading, writing]
  const buffer = Buffer.alloc(1)
  const calls: Calls = {
    'EventFd.write': () => bell.write(),
    'EventFd.read': () => bell.read(),
    'TimerFd.set': () => timer.set({ delayMs: 1 }),
    'TimerFd.get': () => timer.get(),
    'TimerFd.read': () => timer.read(),
    'SignalFd.read': () => signals.read(),
    'PidFd.send': () => process_.send(0),
    'PidFd.info': () => process_.info(),
    'Fd.read': () => reading.read(buffer),
    'Fd.write': () => writing.write(buffer),
    'Fd.dup': () => reading.dup(),
    'Fd.setCloexec': () => reading.setCloexec(false),
    'Fd.setNonBlocking': () => reading.setNonBlocking(false),
    'Fd.release': () => reading.release(),
    'Fd.close': () => reading.close(),
    'SignalFd.close': () => signals.close(),
    'Fd.adopt': () => Fd.adopt(0),
    'new EventFd': () => new EventFd(),
    'new TimerFd': () => new TimerFd(),
    'new SignalFd': () => new SignalFd(['SIGUSR2']),
    'new PidFd': () => new PidFd(process.pid),
  }
  t.strictSame(inForks(calls), stale(calls))
  t.strictSame(
    all.map(({ closed }) => closed),
    all.map(() => false),
  )
  t.equal(bell.read(), 1)
  t.equal(sys.fcntl_getfd(reading.fd), sys.FD_CLOEXEC)
  t.equal(writing.write(buffer), 1)
  t.equal(reading.read(buffer), 1)
  t.strictSame(timer.get(), { remainingMs: 0, intervalMs: 0 })
})

test('the system calls and the table throw ESTALE in the child', (t) => {
  using bell = ready()
  using epoll = new Epoll()
  const { fd } = bell
  const token = fdTable.token(fd)
  const buffer = new Uint32Array(3)
  const calls: Calls = {
    epoll_create1: () => sys.epoll_create1(0),
    epoll_ctl: () => sys.epoll_ctl(epoll.fd, sys.EPOLL_CTL_ADD, fd, EPOLLIN),
    epoll_pwait: () => sys.epoll_pwait(epoll.fd, buffer, 0),
    epoll_pwait2: () => sys.epoll_pwait2(epoll.fd, buffer, 0n),
    eventfd: () => sys.eventfd(0, 0),
    eventfd_read: () => sys.eventfd_read(fd),
    eventfd_write: () => sys.eventfd_write(fd, 1),
    timerfd_create: () => sys.timerfd_create(sys.CLOCK_MONOTONIC, 0),
    timerfd_settime: () => sys.timerfd_settime(fd, 0, 0n, 0n),
    timerfd_gettime: () => sys.timerfd_gettime(fd),
    timerfd_read: () => sys.timerfd_read(fd),
    signalfd: () => sys.signalfd(-1, [], 0),
    signalfd_read: () => sys.signalfd_read(fd),
    sigprocmask: () => sys.sigprocmask(sys.SIG_BLOCK, []),
    pidfd_open: () => sys.pidfd_open(process.pid, 0),
    pidfd_send_signal: () => sys.pidfd_send_signal(fd, 0),
    read: () => sys.read(fd, buffer),
    write: () => sys.write(fd, buffer),
    close: () => sys.close(fd),
    dup: () => sys.dup(fd),
    dup3: () => sys.dup3(0, fd, 0),
    pipe2: () => sys.pipe2(0),
    socketpair: () => sys.socketpair(sys.AF_UNIX, sys.SOCK_STREAM, 0),
    socket: () => sys.socket(sys.AF_UNIX, sys.SOCK_STREAM, 0),
    bind: () => sys.bind(fd, { path: '' }),
    listen: () => sys.listen(fd, 0),
    accept4: () => sys.accept4(fd, 0),
    connect: () => sys.connect(fd, { path: '' }),
    shutdown: () => sys.shutdown(fd, sys.SHUT_WR),
    getsockname: () => sys.getsockname(fd),
    getpeername: () => sys.getpeername(fd),
    getsockopt: () => sys.getsockopt(fd, sys.SOL_SOCKET, sys.SO_TYPE),
    setsockopt: () => sys.setsockopt(fd, sys.SOL_SOCKET, sys.SO_KEEPALIVE, 0),
    writev: () => sys.writev(fd, []),
    sendmsg: () => sys.sendmsg(fd, { buffers: [] }, 0),
    recvmsg: () => sys.recvmsg(fd, [], 0),
    fcntl_getfd: () => sys.fcntl_getfd(fd),
    fcntl_setfd: () => sys.fcntl_setfd(fd, 0),
    fcntl_getfl: () => sys.fcntl_getfl(fd),
    fcntl_setfl: () => sys.fcntl_setfl(fd, 0),
    ioctl_fionbio: () => sys.ioctl_fionbio(fd, false),
    ioctl_fioclex: () => sys.ioctl_fioclex(fd),
    ioctl_fionclex: () => sys.ioctl_fionclex(fd),
    ioctl_fionread: () => sys.ioctl_fionread(fd),
    kcmp: () => sys.kcmp(process.pid, process.pid, sys.KCMP_FILE, 0, 0),
    sameFile: () => sameFile(0, 1),
    'fdTable.retire': () => fdTable.retire(fd),
  }
  const wrappers = Object.keys(sys).filter((name) => /^[a-z]/.test(name))
  t.strictSame(
    wrappers.filter((name) => !(name in calls)),
    [],
    'every system call is among them',
  )
  t.strictSame(inForks(calls), stale(calls))
  t.equal(fdTable.isCurrent(token), true)
  t.equal(sys.eventfd_read(fd), 1n)
})

test('the child’s end closes nothing of the parent’s', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  epoll.add(bell, EPOLLIN, 'bell')
  const before = openDescriptors()
  for (let i = 0; i < 3; i++) inFork(() => i)
  t.strictSame(openDescriptors(), before)
  t.strictSame(delivered(epoll), ['bell'])
})

test('C225 two processes close nested epolls and sockets at once, while a pipe fires', (t) => {
  for (let round = 0; round < 50; round++) {
    using fds = new Descriptors()
    const [reading, writing] = fds.pipe()
    const outer = fds.epoll([reading, EPOLLIN])
    const nested: number[] = []
    for (let i = 0; i < 50; i++) {
      const [end, other] = fds.pair()
      const inner = fds.epoll([end, EPOLLIN], [other, EPOLLIN])
      add(outer, inner, EPOLLIN)
      nested.push(inner, end, other)
    }
    const pid = host.fork()
    if (pid === 0) {
      for (const fd of nested) host.close(fd)
      host.exit(0)
    }
    write(writing, 'x')
    for (const fd of nested) fds.close(fd)
    const status = host.wait(pid)
    const events = wait(outer, -1)
    if (status !== 0 || events.length !== 1) t.fail(`round ${round}: ${status}, ${events}`)
  }
  t.pass('50 rounds')
})
