import { execFileSync } from 'node:child_process'
import { Epoll, EventFd, Fd, type OwnedFd, PidFd, SignalFd, TimerFd } from 'genpoll'
import { Datagram, Listener, Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { test } from './fixtures/check.js'
import { accepted, portOf } from './fixtures/net.js'

/** The descriptors that a new child has, by number, without that of its own reading. */
function childrensDescriptors(): number[] {
  const names = execFileSync('sh', ['-c', 'for fd in /proc/self/fd/*; do echo "$fd"; done'], {
    encoding: 'utf8',
  })
  return names
    .trim()
    .split('\n')
    .map((path) => Number(path.split('/').at(-1)))
}

/** One of each way to make one. */
function sockets(): OwnedFd[] {
  const tcp = Listener.tcp()
  const unix = Listener.unix(`\0genpoll-cloexec-${process.pid}`)
  const path = unix.address() as { path: string }
  const made: OwnedFd[] = [tcp, unix, Socket.connect({ port: portOf(tcp) }), Socket.connect(path)]
  for (const listener of [tcp, unix]) made.push(accepted(listener))
  made.push(...Socket.pair(), ...Datagram.pair(), Datagram.udp(), Datagram.unix(''))
  const [from, to] = Socket.pair()
  from.sendFds(made)
  made.push(from, to, ...to.recvFds(Buffer.alloc(1))!.fds)
  return made
}

function assertOurs(t: Test, made: { fd: number }[]): void {
  for (const { fd } of made) t.equal(sys.fcntl_getfd(fd), sys.FD_CLOEXEC)
  const theirs = childrensDescriptors()
  t.ok(theirs.includes(1))
  t.strictSame(
    made.map(({ fd }) => fd).filter((fd) => theirs.includes(fd)),
    [],
  )
}

test('a child has none of the descriptors that the classes make', (t) => {
  using epoll = new Epoll()
  using event = new EventFd()
  using timer = new TimerFd()
  using signals = new SignalFd(['SIGUSR2'])
  using process_ = new PidFd(process.pid)
  using dup = event.dup()
  assertOurs(t, [epoll, event, timer, signals, process_, dup])
})

test('nor of those of genpoll/net, none of which blocks', (t) => {
  const made = sockets()
  assertOurs(t, made)
  for (const { fd } of made) t.ok(sys.fcntl_getfl(fd) & sys.O_NONBLOCK)
  for (const socket of made) socket.close()
})

test('a child has what sys was told to make so, and what setCloexec gives it', (t) => {
  const plain = sys.eventfd(0, 0)
  using event = new EventFd()
  using adopted = Fd.adopt(sys.dup(plain))
  event.setCloexec(false)
  const expected = [plain, event.fd, adopted.fd]
  const theirs = childrensDescriptors()
  t.strictSame(
    expected.filter((fd) => theirs.includes(fd)),
    expected,
  )
  sys.close(plain)
})
