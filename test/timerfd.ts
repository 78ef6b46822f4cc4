import { spawnSync } from 'node:child_process'
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  type Clock,
  EPOLLIN,
  Epoll,
  FD_CLOEXEC,
  O_NONBLOCK,
  TimerFd,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'
import { PATIENCE_MS, pass, poll } from './fixtures/poll.js'
import { now } from './fixtures/timers.js'

const CLOCKS = [
  ['monotonic', CLOCK_MONOTONIC],
  ['realtime', CLOCK_REALTIME],
  ['boottime', CLOCK_BOOTTIME],
] as const

const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
const outOfRange = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }

/** Waits until a timer fires. */
function fires(timer: TimerFd): boolean {
  return poll(timer.fd, EPOLLIN, PATIENCE_MS) === EPOLLIN
}

test('it is CLOEXEC, non-blocking, and not armed', (t) => {
  using timer = new TimerFd()
  t.equal(sys.fcntl_getfd(timer.fd), FD_CLOEXEC)
  t.equal(sys.fcntl_getfl(timer.fd) & O_NONBLOCK, O_NONBLOCK)
  t.same(timer.get(), { remainingMs: 0, intervalMs: 0 })
  t.equal(timer.read(), null)
})

test('a delay is never shorter than asked, on any clock', (t) => {
  for (const [clock, id] of CLOCKS) {
    using timer = new TimerFd({ clock })
    for (const delayMs of [0.25, 1, 1.5, 20]) {
      const start = now(id)
      timer.set({ delayMs })
      t.equal(fires(timer), true)
      t.ok(now(id) - start >= BigInt(delayMs * 1e6), `${clock}: ${delayMs} ms`)
      t.equal(timer.read(), 1)
      t.equal(timer.read(), null)
    }
  }
})

test('an absolute time is on the timer’s clock', (t) => {
  for (const [clock, id] of CLOCKS) {
    using timer = new TimerFd({ clock })
    const atMs = Math.ceil(Number(now(id)) / 1e6) + 30
    timer.set({ atMs })
    t.equal(fires(timer), true)
    t.ok(now(id) >= BigInt(atMs) * 1_000_000n, clock)
    t.equal(timer.read(), 1)
  }
})

test('for the real clock, that is what Date.now() counts', (t) => {
  using timer = new TimerFd({ clock: 'realtime' })
  const atMs = Date.now() + 30
  timer.set({ atMs })
  t.equal(fires(timer), true)
  t.ok(Date.now() >= atMs)
})

test('no delay, and a time in the past, fire at once', (t) => {
  using timer = new TimerFd()
  for (const setting of [{ delayMs: 0 }, { atMs: 0 }, { atMs: -5000 }, { atMs: 1 }]) {
    timer.set(setting)
    t.equal(fires(timer), true)
    t.equal(timer.read(), 1)
  }
})

test('an interval alone is the first delay too', (t) => {
  using timer = new TimerFd()
  const start = now(CLOCK_MONOTONIC)
  timer.set({ intervalMs: 20 })
  let count = 0
  while (count < 3) {
    fires(timer)
    count += timer.read()!
  }
  t.ok(now(CLOCK_MONOTONIC) - start >= 60_000_000n)
})

test('expirations that were missed are counted', (t) => {
  using timer = new TimerFd()
  const start = now(CLOCK_MONOTONIC)
  timer.set({ delayMs: 10, intervalMs: 5 })
  pass(50)
  const count = timer.read()!
  const possible = 1 + Math.floor((Number(now(CLOCK_MONOTONIC) - start) / 1e6 - 10) / 5)
  t.ok(count >= 9 && count <= possible, `${count} of ${possible}`)
})

test('fractions of a millisecond are kept, and rounded up to the nanosecond', (t) => {
  using timer = new TimerFd()
  const delayMs = 1e6
  for (const [intervalMs, kept] of [
    [16.5, 16.5],
    [1000.25, 1000.25],
    [0.000001, 0.000001],
    [0.0000001, 0.000001],
    [1.0000001, 1.000001],
  ] as const) {
    timer.set({ delayMs, intervalMs })
    t.equal(timer.get().intervalMs, kept)
  }
  const before = now(CLOCK_MONOTONIC)
  timer.set({ delayMs: 5000.5 })
  const { remainingMs } = timer.get()
  t.ok(remainingMs <= 5000.5)
  t.ok(remainingMs >= 5000.5 - Number(now(CLOCK_MONOTONIC) - before) / 1e6)
})

test('nanoseconds are set as they are', (t) => {
  using timer = new TimerFd()
  timer.setNs({ valueNs: 3_600_000_000_000n, intervalNs: 1_000_000_007n })
  t.equal(sys.timerfd_gettime(timer.fd).intervalNs, 1_000_000_007n)
  const start = now(CLOCK_MONOTONIC)
  timer.setNs({ valueNs: start + 7_654_321n, absolute: true })
  t.equal(timer.get().intervalMs, 0)
  t.equal(fires(timer), true)
  t.ok(now(CLOCK_MONOTONIC) >= start + 7_654_321n)
  timer.setNs({ valueNs: 1n })
  t.equal(fires(timer), true)
})

test('the longest settings don’t fire', (t) => {
  using timer = new TimerFd()
  for (const set of [
    () => timer.set({ delayMs: (2 ** 31 - 1) * 1000 }),
    () => timer.setNs({ valueNs: 2n ** 63n - 1n, intervalNs: 2n ** 63n - 1n }),
  ]) {
    set()
    t.equal(poll(timer.fd, EPOLLIN, 20), 0)
    t.ok(timer.get().remainingMs > 2 ** 31 * 999)
  }
})

test('C460 an empty setting, and 0n, disarm it', (t) => {
  using timer = new TimerFd()
  for (const disarm of [() => timer.set({}), () => timer.setNs({ valueNs: 0n })]) {
    timer.set({ delayMs: 1, intervalMs: 1 })
    t.equal(fires(timer), true)
    disarm()
    t.same(timer.get(), { remainingMs: 0, intervalMs: 0 })
    t.equal(poll(timer.fd, EPOLLIN, 20), 0)
    t.equal(timer.read(), null)
  }
})

test('it is watched by an Epoll', (t) => {
  using epoll = new Epoll<TimerFd>()
  using timer = new TimerFd()
  epoll.add(timer, EPOLLIN, timer)
  timer.set({ delayMs: 5 })
  const seen: (number | null)[] = []
  epoll.wait(-1, ({ data }) => seen.push(data.read()))
  t.same(seen, [1])
})

// Whether the clock may be set can only be told by setting it.
const mayntSet = spawnSync(compile('set-clock')).status !== 0 && 'needs CAP_SYS_TIME'

test(
  'cancelOnSet: when the clock is set, reading is ECANCELED, and the timer runs on',
  (t) => {
    using timer = new TimerFd({ clock: 'realtime' })
    const setting = { atMs: Date.now() + 3_600_000, cancelOnSet: true }
    timer.set(setting)
    t.equal(timer.read(), null)
    spawnSync(compile('set-clock'))
    t.equal(fires(timer), true)
    const canceled = { code: 'ECANCELED', errno: -125, syscall: 'read', fd: timer.fd }
    t.throws(() => timer.read(), canceled)
    t.equal(timer.read(), null)
    t.ok(timer.get().remainingMs > 0)

    timer.setNs({
      valueNs: BigInt(setting.atMs) * 1_000_000n,
      absolute: true,
      cancelOnSet: true,
    })
    spawnSync(compile('set-clock'))
    t.throws(() => timer.read(), canceled)
  },
  { skip: mayntSet },
)

test(
  'cancelOnSet: setting it again after the clock was set is ECANCELED as well',
  (t) => {
    using timer = new TimerFd({ clock: 'realtime' })
    const setting = { atMs: Date.now() + 3_600_000, cancelOnSet: true }
    timer.set(setting)
    spawnSync(compile('set-clock'))
    t.throws(() => timer.set(setting), { code: 'ECANCELED', syscall: 'timerfd_settime' })
  },
  { skip: mayntSet },
)

test(
  'without cancelOnSet, a clock that is set cancels nothing',
  (t) => {
    using timer = new TimerFd({ clock: 'realtime' })
    timer.set({ atMs: Date.now() + 3_600_000 })
    spawnSync(compile('set-clock'))
    t.equal(timer.read(), null)
  },
  { skip: mayntSet },
)

test('cancelOnSet goes with an absolute time on a realtime clock only', (t) => {
  const invalid = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }
  using realtime = new TimerFd({ clock: 'realtime' })
  using monotonic = new TimerFd()
  t.throws(() => realtime.set({ delayMs: 1, cancelOnSet: true }), invalid)
  t.throws(() => realtime.setNs({ valueNs: 1n, cancelOnSet: true }), invalid)
  t.throws(() => monotonic.set({ atMs: 1, cancelOnSet: true }), invalid)
  realtime.set({ delayMs: 1e6, cancelOnSet: false })
  t.equal(realtime.read(), null)
})

test('the alarm clocks work, or are EPERM without CAP_WAKE_ALARM', (t) => {
  for (const clock of ['realtime-alarm', 'boottime-alarm'] as const) {
    try {
      using timer = new TimerFd({ clock })
      timer.set({ delayMs: 5 })
      t.equal(fires(timer), true)
      t.equal(timer.read(), 1)
    } catch (error) {
      t.match(error, { code: 'EPERM', syscall: 'timerfd_create' })
    }
  }
})

test('arguments are checked before the kernel sees them', (t) => {
  t.throws(() => new TimerFd({ clock: 'sundial' as Clock }), outOfRange)
  t.throws(() => new TimerFd({ clock: 'toString' as Clock }), outOfRange)
  t.throws(() => new TimerFd({ clock: 1 as never }), wrongType)
  t.throws(() => new TimerFd(null as never), wrongType)

  using timer = new TimerFd()
  for (const delayMs of [-1, -0.001, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31 * 1000]) {
    t.throws(() => timer.set({ delayMs }), outOfRange)
    t.throws(() => timer.set({ intervalMs: delayMs }), outOfRange)
  }
  for (const atMs of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    t.throws(() => timer.set({ atMs }), outOfRange)
  }
  for (const delayMs of ['5', null, 5n, {}]) {
    t.throws(() => timer.set({ delayMs: delayMs as never }), wrongType)
  }
  t.throws(() => timer.set({ delayMs: 1, atMs: 1 }), wrongType)
  t.throws(() => timer.set(undefined as never), wrongType)
  t.throws(() => timer.set({ atMs: 1, cancelOnSet: 1 as never }), wrongType)
  for (const valueNs of [-1n, 2n ** 63n]) {
    t.throws(() => timer.setNs({ valueNs }), outOfRange)
    t.throws(() => timer.setNs({ valueNs: 1n, intervalNs: valueNs }), outOfRange)
  }
  t.throws(() => timer.setNs({ valueNs: 5 as never }), wrongType)
  t.throws(() => timer.setNs({ valueNs: 1n, absolute: 1 as never }), wrongType)
  t.same(timer.get(), { remainingMs: 0, intervalMs: 0 })
})

test('once closed it can’t be used', (t) => {
  const timer = new TimerFd()
  timer.set({ delayMs: 1 })
  timer.close()
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.throws(() => timer.set({ delayMs: 1 }), closed)
  t.throws(() => timer.setNs({ valueNs: 1n }), closed)
  t.throws(() => timer.get(), closed)
  t.throws(() => timer.read(), closed)
})
