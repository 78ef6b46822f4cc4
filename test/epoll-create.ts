import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'

test('C001 C002 C003 C004 epoll_create1 refuses flags that do not exist', (t) => {
  for (const flags of [-1, sys.EPOLL_CLOEXEC + 1, 1, 42, 12356]) {
    t.throws(() => sys.epoll_create1(flags), errno('EINVAL', 'epoll_create1'), `flags ${flags}`)
  }
})

test('C003 C004 C005 C006 C007 epoll_create1 is CLOEXEC if told so', (t) => {
  using fds = new Descriptors()
  t.equal(sys.fcntl_getfd(fds.own(sys.epoll_create1(0))), 0)
  t.equal(sys.fcntl_getfd(fds.own(sys.epoll_create1(sys.EPOLL_CLOEXEC))), sys.FD_CLOEXEC)
})

test('C007 C008 an Epoll is CLOEXEC, with options and without', (t) => {
  using plain = new Epoll()
  using small = new Epoll({ maxEvents: 1 })
  t.equal(sys.fcntl_getfd(plain.fd), sys.FD_CLOEXEC)
  t.equal(sys.fcntl_getfd(small.fd), sys.FD_CLOEXEC)
})

test('C009 every kind of descriptor is CLOEXEC if told so', (t) => {
  using fds = new Descriptors()
  const kinds: Record<string, (flags: number) => number> = {
    epoll: (flags) => sys.epoll_create1(flags),
    eventfd: (flags) => sys.eventfd(0, flags),
    timerfd: (flags) => sys.timerfd_create(sys.CLOCK_MONOTONIC, flags),
    signalfd: (flags) => sys.signalfd(-1, ['SIGUSR2'], flags),
  }
  for (const [kind, make] of Object.entries(kinds)) {
    t.equal(sys.fcntl_getfd(fds.own(make(0))), 0, kind)
    t.equal(sys.fcntl_getfd(fds.own(make(sys.O_CLOEXEC))), sys.FD_CLOEXEC, kind)
  }
})

test('C010 C011 when all descriptors are used up it is EMFILE', (t) => {
  const child = fileURLToPath(new URL('fixtures/children/few-descriptors.mjs', import.meta.url))
  const script = 'ulimit -n 64; exec "$0" "$1"'
  const output = execFileSync('sh', ['-c', script, process.execPath, child], { encoding: 'utf8' })
  const refusal = { code: 'EMFILE', errno: -24, syscall: 'epoll_create1' }
  t.strictSame(JSON.parse(output), { all: refusal, none: refusal, highest: 63 })
})
