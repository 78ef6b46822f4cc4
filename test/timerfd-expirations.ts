import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  EPOLL_CTL_ADD,
  EPOLLIN,
  SignalFd,
  TFD_CLOEXEC,
  TFD_TIMER_ABSTIME,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { PATIENCE_MS, pass, poll } from './fixtures/poll.js'
import { ms, now, withTimer } from './fixtures/timers.js'

const BLOCKING = { flags: TFD_CLOEXEC }

/** Waits until a timer fires. */
function fires(fd: number): boolean {
  return poll(fd, EPOLLIN, PATIENCE_MS) === EPOLLIN
}

test('C300 C301 C302 C343 relative and absolute, on the monotonic and the real clock', (t) => {
  for (const clock of [CLOCK_MONOTONIC, CLOCK_REALTIME]) {
    for (const flags of [0, TFD_TIMER_ABSTIME]) {
      withTimer(
        (fd) => {
          const deadline = now(clock) + ms(100)
          sys.timerfd_settime(fd, flags, flags === 0 ? ms(100) : deadline, 0n)
          t.equal(fires(fd), true)
          t.ok(now(clock) >= deadline, 'not early')
          t.equal(sys.timerfd_read(fd), 1n)
        },
        { clock },
      )
    }
  }
})

test('C303 C305 an absolute time of 1 ns fires at once, and once', (t) => {
  withTimer((fd) => {
    sys.timerfd_settime(fd, TFD_TIMER_ABSTIME, 1n, 0n)
    t.equal(fires(fd), true)
    t.equal(sys.timerfd_read(fd), 1n)
    t.equal(sys.timerfd_read(fd), null)
  })
  withTimer((fd) => {
    sys.timerfd_settime(fd, TFD_TIMER_ABSTIME, 1n, 0n)
    t.equal(sys.timerfd_read(fd), 1n)
  }, BLOCKING)
})

test('C304 an absolute time in the past fires at once, whatever its interval', (t) => {
  withTimer((fd) => {
    sys.timerfd_settime(fd, TFD_TIMER_ABSTIME, now(CLOCK_MONOTONIC) - ms(1000), ms(10_000))
    t.equal(fires(fd), true)
    t.equal(sys.timerfd_read(fd), 1n)
  })
})

test('C309 C310 expirations that nobody read are counted', (t) => {
  for (const flags of [0, TFD_TIMER_ABSTIME]) {
    withTimer((fd) => {
      const start = now(CLOCK_MONOTONIC)
      sys.timerfd_settime(fd, flags, flags === 0 ? ms(50) : start + ms(50), ms(50))
      pass(175)
      const count = sys.timerfd_read(fd)!
      const possible = (now(CLOCK_MONOTONIC) - start) / ms(50)
      t.ok(count >= 3n && count <= possible, `${count} of ${possible}`)
    })
  }
})

test('C311 blocking reads take them one by one, and then those that were missed', (t) => {
  withTimer((fd) => {
    const start = now(CLOCK_MONOTONIC)
    sys.timerfd_settime(fd, 0, ms(100), ms(50))
    let count = 0n
    for (let i = 0; i < 3; i++) count += sys.timerfd_read(fd)!
    t.ok(now(CLOCK_MONOTONIC) - start >= ms(200))
    t.ok(count >= 3n)
    pass(175)
    t.ok(sys.timerfd_read(fd)! >= 3n)
  }, BLOCKING)
})

test('C312 C313 the interval may differ from the first time, by a nanosecond too', (t) => {
  for (const [first, interval] of [
    [ms(100), ms(100)],
    [ms(50), ms(100) + 1n],
  ] as const) {
    withTimer((fd) => {
      const start = now(CLOCK_MONOTONIC)
      sys.timerfd_settime(fd, 0, first, interval)
      t.equal(fires(fd), true)
      const before = sys.timerfd_read(fd)!
      pass(201)
      const count = before + sys.timerfd_read(fd)!
      const possible = 1n + (now(CLOCK_MONOTONIC) - start - first) / interval
      t.ok(count >= 3n && count <= possible, `${count} of ${possible}`)
    })
  }
})

test('C314 a signal that waits meanwhile disturbs neither the timer nor the process', (t) => {
  using signals = new SignalFd(['SIGUSR2'])
  withTimer((fd) => {
    const start = now(CLOCK_MONOTONIC)
    sys.timerfd_settime(fd, 0, ms(150), ms(50))
    process.kill(process.pid, 'SIGUSR2')
    let count = 0n
    while (count < 5n) count += sys.timerfd_read(fd)!
    t.ok(now(CLOCK_MONOTONIC) - start >= ms(350))
  }, BLOCKING)
  t.equal(signals.read()?.name, 'SIGUSR2')
})

test('C315 three expirations take at most three reads, and three intervals', (t) => {
  withTimer((fd) => {
    const start = now(CLOCK_MONOTONIC)
    sys.timerfd_settime(fd, 0, ms(100), ms(100))
    let reads = 0
    for (let count = 0n; count < 3n; reads++) count += sys.timerfd_read(fd)!
    t.ok(reads <= 3)
    t.ok(now(CLOCK_MONOTONIC) - start >= ms(300))
  }, BLOCKING)
})

test('C316 polling doesn’t take what reading counts', (t) => {
  withTimer((fd) => {
    sys.timerfd_settime(fd, 0, ms(100), ms(50))
    t.equal(fires(fd), true)
    pass(110)
    t.equal(poll(fd), EPOLLIN)
    t.ok(sys.timerfd_read(fd)! >= 3n)
  })
})

test('C319 set to 0 it is quiet, even when it had fired, until it is set again', (t) => {
  withTimer((fd) => {
    sys.timerfd_settime(fd, 0, ms(10), ms(10))
    t.equal(fires(fd), true)
    sys.timerfd_settime(fd, 0, 0n, 0n)
    t.equal(poll(fd, EPOLLIN, 100), 0)
    sys.timerfd_settime(fd, 0, ms(10), ms(10))
    t.equal(fires(fd), true)
  })
})

test('C320 in an epoll, one readable event an expiration', (t) => {
  withTimer((fd) => {
    const epfd = sys.epoll_create1(0)
    const out = new Uint32Array(6)
    sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, EPOLLIN)
    const start = now(CLOCK_MONOTONIC)
    sys.timerfd_settime(fd, 0, ms(250), ms(125))
    let count = 0n
    for (let i = 0; i < 3; i++) {
      t.equal(sys.epoll_pwait(epfd, out, PATIENCE_MS), 1)
      t.equal(out[0], EPOLLIN)
      count += sys.timerfd_read(fd)!
      const possible = 1n + (now(CLOCK_MONOTONIC) - start - ms(250)) / ms(125)
      t.ok(count > i && count <= possible, `${count} of ${possible}`)
    }
    sys.close(epfd)
  })
})

test('C335 never early, from 1 to 17 ms', (t) => {
  const fds = Array.from({ length: 17 }, () => sys.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC))
  for (let round = 0; round < 10; round++) {
    const starts = fds.map((fd, i) => {
      const start = process.hrtime.bigint()
      sys.timerfd_settime(fd, 0, ms(i + 1), 0n)
      return start
    })
    const tooEarly = fds.filter((fd, i) => {
      sys.timerfd_read(fd)
      return process.hrtime.bigint() - starts[i]! < ms(i + 1)
    })
    t.same(tooEarly, [], `round ${round}`)
  }
  for (const fd of fds) sys.close(fd)
})

test('C341 C342 C345 one shot is one expiration, not before its time, read blocking or polled', (t) => {
  for (const isPolled of [false, true]) {
    withTimer((fd) => {
      const start = now(CLOCK_MONOTONIC)
      sys.timerfd_settime(fd, 0, ms(100), 0n)
      if (isPolled) t.equal(fires(fd), true)
      t.equal(sys.timerfd_read(fd), 1n)
      t.ok(now(CLOCK_MONOTONIC) - start >= ms(100))
      t.equal(poll(fd, EPOLLIN, 150), 0)
    }, BLOCKING)
  }
})

test('C344 the second time comes an interval after the first', (t) => {
  withTimer((fd) => {
    const start = now(CLOCK_MONOTONIC)
    sys.timerfd_settime(fd, 0, ms(100), ms(200))
    sys.timerfd_read(fd)
    t.ok(now(CLOCK_MONOTONIC) - start >= ms(100))
    sys.timerfd_read(fd)
    t.ok(now(CLOCK_MONOTONIC) - start >= ms(300))
  }, BLOCKING)
})

test('C348 C349 setting it again forgets what had fired', (t) => {
  withTimer((fd) => {
    sys.timerfd_settime(fd, 0, ms(20), ms(20))
    pass(60)
    const start = now(CLOCK_MONOTONIC)
    sys.timerfd_settime(fd, 0, ms(50), ms(95))
    t.equal(sys.timerfd_read(fd), 1n)
    t.ok(now(CLOCK_MONOTONIC) - start >= ms(50))
    sys.timerfd_read(fd)
    t.ok(now(CLOCK_MONOTONIC) - start >= ms(145))
  }, BLOCKING)
})

test('C350 an absolute time can be moved forward', (t) => {
  withTimer((fd) => {
    const start = now(CLOCK_MONOTONIC)
    sys.timerfd_settime(fd, TFD_TIMER_ABSTIME, start + ms(10_000), 0n)
    t.equal(poll(fd, EPOLLIN, 50), 0)
    sys.timerfd_settime(fd, TFD_TIMER_ABSTIME, start + ms(150), 0n)
    t.equal(fires(fd), true)
    t.ok(now(CLOCK_MONOTONIC) - start >= ms(150))
    t.equal(sys.timerfd_read(fd), 1n)
  })
})

test('C351 set to 20 years before it fires, it doesn’t', (t) => {
  withTimer((fd) => {
    sys.timerfd_settime(fd, 0, ms(100), 0n)
    sys.timerfd_settime(fd, 0, ms(20 * 365 * 24 * 3600 * 1000), 0n)
    t.equal(poll(fd, EPOLLIN, 200), 0)
    t.equal(sys.timerfd_read(fd), null)
  })
})

const canUnshare = spawnSync('unshare', ['--time', 'true']).status === 0

test(
  'C353 in a time namespace, absolute times are on its clocks',
  (t) => {
    const script = fileURLToPath(new URL('./fixtures/children/timer-at.mjs', import.meta.url))
    for (const [name, clock] of [
      ['monotonic', CLOCK_MONOTONIC],
      ['boottime', CLOCK_BOOTTIME],
    ] as const) {
      for (const offset of [10, -10]) {
        const args = ['--time', `--${name}`, `${offset}`, process.execPath, script, `${clock}`]
        const { stdout } = spawnSync('unshare', args, { encoding: 'utf8' })
        const { waitedMs, count } = JSON.parse(stdout)
        t.equal(count, 1)
        t.ok(waitedMs >= 40 && waitedMs < 10_000, `${name} ${offset}: ${waitedMs} ms`)
      }
    }
  },
  { skip: !canUnshare && 'needs the right to make a time namespace' },
)
