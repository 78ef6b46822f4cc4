import { fstatSync, readFileSync } from 'node:fs'
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EFD_SEMAPHORE,
  EPOLL_CTL_ADD,
  EPOLLIN,
  EPOLLOUT,
  EventFd,
  FD_CLOEXEC,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDWR,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { poll, word } from './fixtures/poll.js'

const MAX = 2n ** 64n - 1n
const IN_OUT = EPOLLIN | EPOLLOUT

/** Runs a body with an eventfd that is closed in the end. */
function withEventfd<T>(initval: number, flags: number, body: (fd: number) => T): T {
  const fd = sys.eventfd(initval, flags)
  try {
    return body(fd)
  } finally {
    sys.close(fd)
  }
}

test('C259 C260 C261 an idle eventfd is writable, a written one readable too, a full one only readable', (t) => {
  const epfd = sys.epoll_create1(0)
  const fds = [0, 0, 0].map(() => sys.eventfd(0, EFD_NONBLOCK))
  const [first, second, third] = fds as [number, number, number]
  const out = new Uint32Array(9)
  const masks = () => {
    t.equal(sys.epoll_pwait(epfd, out, 0), 3)
    const found = new Map<number, number>()
    for (let at = 0; at < 9; at += 3) {
      t.equal(out[at + 2], out[at + 1]! + 1000, 'the data is intact')
      found.set(out[at + 1]!, out[at]!)
    }
    return fds.map((fd) => found.get(fd))
  }
  try {
    for (const fd of fds) sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, IN_OUT, fd, fd + 1000)
    t.same(masks(), [EPOLLOUT, EPOLLOUT, EPOLLOUT])
    sys.eventfd_write(second, 1)
    t.same(masks(), [EPOLLOUT, IN_OUT, EPOLLOUT])
    sys.eventfd_write(third, MAX - 1n)
    t.same(masks(), [EPOLLOUT, IN_OUT, EPOLLIN])
    sys.eventfd_read(second)
    t.equal(sys.eventfd_read(third), MAX - 1n)
    t.same(masks(), [EPOLLOUT, EPOLLOUT, EPOLLOUT])
    t.equal(sys.eventfd_read(first), null)
  } finally {
    for (const fd of [...fds, epfd]) sys.close(fd)
  }
})

test('C262 unknown flags, short transfers, an empty counter, use after close', (t) => {
  t.throws(() => sys.eventfd(0, 42), { code: 'EINVAL', errno: -22, syscall: 'eventfd' })
  const fd = sys.eventfd(0, EFD_NONBLOCK)
  const two = Buffer.alloc(2)
  t.throws(() => sys.write(fd, two), { code: 'EINVAL', syscall: 'write', fd })
  t.throws(() => sys.read(fd, two), { code: 'EINVAL', syscall: 'read', fd })
  t.equal(sys.eventfd_read(fd), null)
  sys.close(fd)
  t.throws(() => sys.eventfd_write(fd, 1), { code: 'EBADF', syscall: 'write', fd })
  t.throws(() => sys.eventfd_read(fd), { code: 'EBADF', syscall: 'read', fd })
})

test('C263 C264 C266 C267 C268 each flag sets its own bit and no other', (t) => {
  for (const [flags, cloexec, nonblock] of [
    [0, 0, 0],
    [EFD_CLOEXEC, FD_CLOEXEC, 0],
    [EFD_NONBLOCK, 0, O_NONBLOCK],
    [EFD_CLOEXEC | EFD_NONBLOCK, FD_CLOEXEC, O_NONBLOCK],
  ] as const) {
    withEventfd(0, flags, (fd) => {
      t.equal(sys.fcntl_getfd(fd), cloexec)
      t.equal(sys.fcntl_getfl(fd), O_RDWR | nonblock)
    })
  }
})

test('C265 without flags it is open for reading and writing, and nothing more', (t) => {
  withEventfd(0, 0, (fd) => t.equal(sys.fcntl_getfl(fd), O_RDWR))
})

test('C269 the kernel knows a semaphore as one', (t) => {
  withEventfd(0, EFD_SEMAPHORE, (fd) =>
    t.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /^eventfd-semaphore: 1$/m),
  )
})

test('C270 the flags are those of open(2)', (t) => {
  t.equal(EFD_CLOEXEC, O_CLOEXEC)
  t.equal(EFD_NONBLOCK, O_NONBLOCK)
})

test('C271 a blocking one with a count reads at once, and is writable then', (t) => {
  withEventfd(3, 0, (fd) => {
    t.equal(sys.fcntl_getfl(fd), O_RDWR)
    t.equal(sys.eventfd_read(fd), 3n)
    t.equal(poll(fd, IN_OUT), EPOLLOUT)
  })
})

test('C275 C276 C277 the count ends at 2^64 - 2', (t) => {
  withEventfd(0, EFD_NONBLOCK, (fd) => {
    t.throws(() => sys.eventfd_write(fd, MAX), { code: 'EINVAL', syscall: 'write', fd })
    t.equal(sys.eventfd_write(fd, MAX - 1n), true)
    t.equal(sys.eventfd_write(fd, MAX - 1n), false)
    t.equal(sys.eventfd_write(fd, 1), false)
    t.equal(sys.eventfd_write(fd, 1), false)
    t.equal(poll(fd), EPOLLIN)
    t.equal(sys.eventfd_read(fd), MAX - 1n)
    t.equal(poll(fd), 0)
  })
})

test('C278 made non-blocking later, an empty one would block', (t) => {
  withEventfd(0, 0, (fd) => {
    sys.fcntl_setfl(fd, sys.fcntl_getfl(fd) | O_NONBLOCK)
    t.equal(sys.eventfd_read(fd), null)
  })
})

test('C280 readable while the count isn’t 0', (t) => {
  withEventfd(0, EFD_NONBLOCK, (fd) => {
    sys.eventfd_write(fd, 10)
    t.equal(poll(fd), EPOLLIN)
    sys.eventfd_read(fd)
    t.equal(poll(fd), 0)
  })
})

test('C281 C282 writable while 1 can be added', (t) => {
  withEventfd(0, EFD_NONBLOCK, (fd) => {
    t.equal(poll(fd, IN_OUT), EPOLLOUT)
    sys.eventfd_write(fd, 23)
    t.equal(poll(fd, IN_OUT), IN_OUT)
    sys.eventfd_write(fd, MAX - 1n - 23n)
    t.equal(poll(fd, IN_OUT), EPOLLIN)
    t.equal(poll(fd, EPOLLOUT), 0)
  })
})

test('C283 a semaphore is readable from 1 on', (t) => {
  withEventfd(0, EFD_SEMAPHORE, (fd) => t.equal(poll(fd), 0))
  withEventfd(1, EFD_SEMAPHORE, (fd) => t.equal(poll(fd), EPOLLIN))
})

test('C284 a read takes the whole count', (t) => {
  withEventfd(10, EFD_NONBLOCK, (fd) => {
    t.equal(sys.eventfd_read(fd), 10n)
    t.equal(sys.eventfd_read(fd), null)
  })
})

test('C285 the class’s descriptor is CLOEXEC and reads as 8 bytes', (t) => {
  using counter = new EventFd({ initial: 42 })
  const bytes = Buffer.alloc(8)
  t.equal(sys.fcntl_getfd(counter.fd), FD_CLOEXEC)
  t.equal(sys.read(counter.fd, bytes), 8)
  t.same(bytes, word(42n))
})

test('C286 raw writes and those of the helper add to one count', (t) => {
  withEventfd(0, EFD_NONBLOCK, (fd) => {
    t.equal(sys.write(fd, word(40n)), 8)
    t.equal(sys.write(fd, word(2n)), 8)
    t.equal(sys.eventfd_read(fd), 42n)
    sys.eventfd_write(fd, 20)
    sys.eventfd_write(fd, 3n)
    t.equal(sys.eventfd_read(fd), 23n)
  })
})

test('C287 readiness follows the count', (t) => {
  withEventfd(6, EFD_NONBLOCK, (fd) => {
    t.equal(poll(fd), EPOLLIN)
    t.equal(sys.eventfd_read(fd), 6n)
    t.equal(poll(fd), 0)
    sys.eventfd_write(fd, 2)
    t.equal(poll(fd), EPOLLIN)
    t.equal(sys.eventfd_read(fd), 2n)
    t.equal(sys.eventfd_read(fd), null)
  })
})

test('C288 a blocking one gives back what was written, over the whole range', (t) => {
  withEventfd(0, 0, (fd) => {
    for (const value of [1n, 2n, 10n, 0xffffffffn, MAX - 1n]) {
      t.equal(poll(fd), 0)
      t.equal(sys.eventfd_write(fd, value), true)
      t.equal(poll(fd), EPOLLIN)
      t.equal(poll(fd), EPOLLIN, 'polling takes nothing')
      t.equal(sys.eventfd_read(fd), value)
    }
  })
})

test('C289 C292 a semaphore is taken one by one', (t) => {
  withEventfd(2, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK, (fd) => {
    t.equal(sys.eventfd_read(fd), 1n)
    t.equal(sys.eventfd_read(fd), 1n)
    t.equal(sys.eventfd_read(fd), null)
    sys.eventfd_write(fd, 1)
    const bytes = Buffer.alloc(8)
    t.equal(sys.read(fd, bytes), 8)
    t.same(bytes, word(1n))
    t.equal(sys.read(fd, bytes), null)
  })
})

test('C293 a semaphore of 3 gives 1 three times', (t) => {
  withEventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK, (fd) => {
    const reads = [0, 1, 2, 3].map(() => sys.eventfd_read(fd))
    t.same(reads, [1n, 1n, 1n, null])
    t.equal(poll(fd), 0)
  })
})

test('C294 C295 C296 C297 fewer than 8 bytes are refused', (t) => {
  withEventfd(1, EFD_NONBLOCK, (fd) => {
    for (const size of [0, 4]) {
      const bytes = Buffer.alloc(size)
      t.throws(() => sys.read(fd, bytes), { code: 'EINVAL', syscall: 'read', fd })
      t.throws(() => sys.write(fd, bytes), { code: 'EINVAL', syscall: 'write', fd })
    }
    t.equal(sys.eventfd_read(fd), 1n)
  })
})

test('C298 it can be asked by fstat', (t) => {
  withEventfd(0, 0, (fd) => t.equal(fstatSync(fd).size, 0))
})
