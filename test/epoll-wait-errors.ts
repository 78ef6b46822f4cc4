import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { Descriptors, wait } from './fixtures/kernel.js'

// Both kinds of wait: whole milliseconds, and with what only epoll_pwait2 can do.
const waits: [syscall: string, wait: (epfd: number, out: Uint32Array) => number][] = [
  ['epoll_pwait', (epfd, out) => sys.epoll_pwait(epfd, out, 0)],
  ['epoll_pwait2', (epfd, out) => sys.epoll_pwait2(epfd, out, 1n, [])],
]

for (const [syscall, wait] of waits) {
  test(`C107 ${syscall} on no descriptor`, (t) => {
    const expected = { code: 'EBADF', errno: -9, syscall, fd: -1 }
    t.throws(() => wait(-1, new Uint32Array(3)), expected)
  })

  test(`C108 C111 ${syscall} on what isn’t an epoll`, (t) => {
    using fds = new Descriptors()
    for (const fd of [fds.eventfd(1), ...fds.pipe(), ...fds.pair()]) {
      const expected = { code: 'EINVAL', errno: -22, syscall, fd }
      t.throws(() => wait(fd, new Uint32Array(3)), expected)
    }
  })

  test(`C110 ${syscall} with no room for an event`, (t) => {
    using fds = new Descriptors()
    const epfd = fds.epoll()
    for (const words of [0, 1, 2]) {
      t.throws(() => wait(epfd, new Uint32Array(words)), { code: 'ERR_OUT_OF_RANGE' })
    }
    t.equal(wait(epfd, new Uint32Array(3)), 0)
  })

  test(`C112 ${syscall} on a closed descriptor`, (t) => {
    using fds = new Descriptors()
    const epfd = fds.epoll()
    fds.close(epfd)
    t.throws(() => wait(epfd, new Uint32Array(3)), { code: 'EBADF', errno: -9, syscall })
  })
}

test('C111 a new epoll has nothing to report', (t) => {
  using fds = new Descriptors()
  t.same(wait(fds.epoll()), [])
})
