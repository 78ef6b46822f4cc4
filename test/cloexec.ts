import { execFileSync } from 'node:child_process'
import { Epoll, EventFd, Fd, PidFd, SignalFd, TimerFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'

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

test('a child has none of the descriptors that the classes make', (t) => {
  using epoll = new Epoll()
  using event = new EventFd()
  using timer = new TimerFd()
  using signals = new SignalFd(['SIGUSR2'])
  using process_ = new PidFd(process.pid)
  using dup = event.dup()
  const made = [epoll, event, timer, signals, process_, dup]
  for (const { fd } of made) t.equal(sys.fcntl_getfd(fd), sys.FD_CLOEXEC)
  const theirs = childrensDescriptors()
  t.ok(theirs.includes(1))
  t.strictSame(
    made.map(({ fd }) => fd).filter((fd) => theirs.includes(fd)),
    [],
  )
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
