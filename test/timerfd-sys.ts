import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  EPOLL_CTL_ADD,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  FD_CLOEXEC,
  O_NONBLOCK,
  O_RDWR,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
  TimerFd,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { PATIENCE_MS, pass, poll } from './fixtures/poll.js'
import { ms, now, withTimer } from './fixtures/timers.js'

const NOTHING = { valueNs: 0n, intervalNs: 0n }
const MAX_NS = 2n ** 63n - 1n

/** Runs a body with a descriptor of a regular file. */
function withFile(body: (fd: number) => void): void {
  const fd = openSync(fileURLToPath(import.meta.url), 'r')
  try {
    body(fd)
  } finally {
    closeSync(fd)
  }
}

test('C317 C318 unknown clocks and flags', (t) => {
  const invalid = { code: 'EINVAL', errno: -22, syscall: 'timerfd_create' }
  t.throws(() => sys.timerfd_create(-1, 0), invalid)
  t.throws(() => sys.timerfd_create(CLOCK_MONOTONIC | 42, 0), invalid)
  t.throws(() => sys.timerfd_create(CLOCK_MONOTONIC, -1), invalid)
  t.throws(() => sys.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | 42), invalid)
})

test('C331 each flag sets its own bit and no other', (t) => {
  for (const [flags, cloexec, nonblock] of [
    [0, 0, 0],
    [TFD_CLOEXEC, FD_CLOEXEC, 0],
    [TFD_NONBLOCK, 0, O_NONBLOCK],
  ] as const) {
    withTimer(
      (fd) => {
        t.equal(sys.fcntl_getfd(fd), cloexec)
        t.equal(sys.fcntl_getfl(fd), O_RDWR | nonblock)
      },
      { flags },
    )
  }
})

test('C332 C340 a new timer isn’t armed, on any clock', (t) => {
  for (const clock of [CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME]) {
    withTimer(
      (fd) => {
        t.same(sys.timerfd_gettime(fd), NOTHING)
        t.same(sys.timerfd_settime(fd, 0, ms(1000), 0n), NOTHING)
      },
      { clock },
    )
  }
})

test('C334 as many as 256 at a time', (t) => {
  const fds = new Set<number>()
  for (let i = 0; i < 256; i++) fds.add(sys.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC))
  t.equal(fds.size, 256)
  for (const fd of fds) sys.close(fd)
})

test('C306 C307 what the kernel would call invalid is a RangeError before the call', (t) => {
  const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }
  const absolute = TFD_TIMER_ABSTIME
  withTimer((fd) => {
    for (const flags of [0, absolute, absolute | TFD_TIMER_CANCEL_ON_SET]) {
      for (const [valueNs, intervalNs] of [
        [-1n, 0n],
        [0n, -1n],
        [-1_000_000_000n, 1n],
        [1n, -100_000_000n],
        [-100_000_000n, -1_000_000_000n],
        [MAX_NS + 1n, 0n],
        [0n, MAX_NS + 1n],
      ] as const) {
        t.throws(() => sys.timerfd_settime(fd, flags, valueNs, intervalNs), outOfRange)
      }
    }
    t.same(sys.timerfd_gettime(fd), NOTHING)
  })
  using timer = new TimerFd()
  for (const wrong of [-1, -0.1]) {
    t.throws(() => timer.set({ delayMs: wrong }), outOfRange)
    t.throws(() => timer.set({ delayMs: 1, intervalMs: wrong }), outOfRange)
    t.throws(() => timer.set({ atMs: 1, intervalMs: wrong }), outOfRange)
  }
  t.same(timer.get(), { remainingMs: 0, intervalMs: 0 })
})

test('C328 unknown flags of settime', (t) => {
  withTimer((fd) => {
    const invalid = { code: 'EINVAL', syscall: 'timerfd_settime', fd }
    t.throws(() => sys.timerfd_settime(fd, -1, 1n, 0n), invalid)
    t.throws(() => sys.timerfd_settime(fd, 4, 1n, 0n), invalid)
  })
})

test('C322 C325 no such descriptor', (t) => {
  t.throws(() => sys.timerfd_gettime(-1), { code: 'EBADF', errno: -9, syscall: 'timerfd_gettime' })
  t.throws(() => sys.timerfd_settime(-1, 0, 1n, 0n), { code: 'EBADF', syscall: 'timerfd_settime' })
})

test('C324 C327 a file that is no timer', (t) => {
  withFile((fd) => {
    t.throws(() => sys.timerfd_gettime(fd), { code: 'EINVAL', syscall: 'timerfd_gettime', fd })
    t.throws(() => sys.timerfd_settime(fd, 0, 1n, 0n), {
      code: 'EINVAL',
      syscall: 'timerfd_settime',
      fd,
    })
  })
})

test('C308 C329 an armed timer can be closed, and is gone then', (t) => {
  const fd = sys.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)
  sys.timerfd_settime(fd, 0, ms(10_000), 0n)
  sys.close(fd)
  t.throws(() => sys.timerfd_gettime(fd), { code: 'EBADF', fd })
  t.throws(() => sys.timerfd_settime(fd, 0, 1n, 0n), { code: 'EBADF', fd })
})

test('C330 each kind of misuse fails', (t) => {
  t.throws(() => sys.timerfd_create(-1, 0), { code: 'EINVAL' })
  t.throws(() => sys.timerfd_create(CLOCK_MONOTONIC, -1), { code: 'EINVAL' })
  t.throws(() => sys.timerfd_settime(-1, 0, 0n, 0n), { code: 'EBADF' })
  t.throws(() => sys.timerfd_gettime(-1), { code: 'EBADF' })
  withTimer((fd) => {
    t.throws(() => sys.read(fd, Buffer.alloc(7)), { code: 'EINVAL', syscall: 'read', fd })
  })
})

test('C352 a timer that isn’t set reads nothing, into 8 bytes or more', (t) => {
  withTimer((fd) => {
    t.equal(poll(fd), 0)
    t.equal(sys.read(fd, Buffer.alloc(1024)), null)
    t.throws(() => sys.read(fd, Buffer.alloc(7)), { code: 'EINVAL', syscall: 'read', fd })
  })
})

test('C339 settime returns the old setting, gettime the current one', (t) => {
  withTimer((fd) => {
    const set = () => sys.timerfd_settime(fd, 0, ms(250), ms(125))
    const armed = ({ valueNs, intervalNs }: sys.TimerSetting) => {
      t.ok(valueNs > 0n && valueNs <= ms(250), `${valueNs}`)
      t.equal(intervalNs, ms(125))
    }
    t.same(set(), NOTHING)
    armed(set())
    armed(sys.timerfd_gettime(fd))
  })
})

test('C333 gettime counts down, and starts again with each interval', (t) => {
  withTimer((fd) => {
    sys.timerfd_settime(fd, 0, ms(300), ms(400))
    t.ok(sys.timerfd_gettime(fd).valueNs <= ms(300))
    pass(100)
    t.ok(sys.timerfd_gettime(fd).valueNs <= ms(200))
    t.equal(poll(fd, EPOLLIN, PATIENCE_MS), EPOLLIN)
    const { valueNs, intervalNs } = sys.timerfd_gettime(fd)
    t.ok(valueNs > 0n && valueNs <= ms(400))
    t.equal(intervalNs, ms(400))

    sys.timerfd_settime(fd, 0, ms(1), 0n)
    t.equal(poll(fd, EPOLLIN, PATIENCE_MS), EPOLLIN)
    t.same(sys.timerfd_gettime(fd), NOTHING)
  })
})

test('C336 C346 it would block until it fires, and again after it was read', (t) => {
  withTimer((fd) => {
    t.equal(sys.timerfd_read(fd), null)
    sys.timerfd_settime(fd, 0, ms(50), 0n)
    t.equal(sys.timerfd_read(fd), null)
    t.equal(poll(fd, EPOLLIN, PATIENCE_MS), EPOLLIN)
    t.equal(sys.timerfd_read(fd), 1n)
    t.equal(sys.timerfd_read(fd), null)
  })
})

test('C337 made non-blocking after a blocking read', (t) => {
  withTimer(
    (fd) => {
      sys.timerfd_settime(fd, 0, ms(10), 0n)
      t.equal(sys.timerfd_read(fd), 1n)
      sys.fcntl_setfl(fd, sys.fcntl_getfl(fd) | O_NONBLOCK)
      t.equal(sys.timerfd_read(fd), null)
    },
    { flags: TFD_CLOEXEC },
  )
})

test('C338 read too early, then in time', (t) => {
  withTimer((fd) => {
    sys.timerfd_settime(fd, 0, ms(100), 0n)
    t.equal(sys.timerfd_read(fd), null)
    pass(200)
    t.equal(sys.timerfd_read(fd), 1n)
  })
})

test('C347 it is never writable nor exceptional', (t) => {
  const all = EPOLLIN | EPOLLOUT | EPOLLPRI
  withTimer((fd) => {
    t.equal(poll(fd, all, 50), 0)
    sys.timerfd_settime(fd, 0, ms(10), ms(10))
    for (let i = 0; i < 3; i++) {
      t.equal(poll(fd, all, PATIENCE_MS), EPOLLIN)
      sys.timerfd_read(fd)
    }
  })
})

test('C321 each expiration is exactly IN to an epoll that asks for OUT as well', (t) => {
  withTimer(
    (fd) => {
      const epfd = sys.epoll_create1(0)
      const out = new Uint32Array(3)
      sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT)
      sys.timerfd_settime(fd, TFD_TIMER_ABSTIME, now(CLOCK_REALTIME) + ms(100), ms(50))
      let expirations = 0n
      while (expirations < 3n) {
        t.equal(sys.epoll_pwait(epfd, out, PATIENCE_MS), 1)
        t.equal(out[0], EPOLLIN)
        expirations += sys.timerfd_read(fd)!
      }
      sys.close(epfd)
    },
    { clock: CLOCK_REALTIME },
  )
})
