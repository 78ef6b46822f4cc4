import { execFileSync } from 'node:child_process'
import { accessSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno, NOT_OPEN, refused } from './fixtures/errno.js'
import { add, Descriptors, modify, remove, wait } from './fixtures/kernel.js'

const { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT } = sys

const REGULAR_FILE = process.execPath
const DIRECTORY = '/'
/** No operation. */
const OP_42 = 42

/** Which operations are refused with what, by their codes. */
function codes(epfd: number, fd: number, ...ops: number[]): (string | undefined)[] {
  return ops.map((op) => {
    try {
      sys.epoll_ctl(epfd, op, fd, EPOLLIN)
      return undefined
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  })
}

test('C030 C031 C050 regular files and directories can not be watched', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  for (const path of [REGULAR_FILE, DIRECTORY]) {
    const fd = fds.own(openSync(path, 'r'))
    t.throws(() => add(epfd, fd, EPOLLIN), refused('EPERM'), path)
  }
})

test('C032 C033 an Epoll refuses them too, and knows nothing of them afterwards', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<null>()
  for (const path of [REGULAR_FILE, DIRECTORY]) {
    const fd = fds.own(openSync(path, 'r'))
    const expected = { ...refused('EPERM'), op: 'EPOLL_CTL_ADD', fd }
    t.throws(() => epoll.add(fd, EPOLLIN, null), expected, path)
    t.equal(epoll.get(fd), undefined)
  }
  t.equal(epoll.size, 0)
})

test('C034 a number that names nothing is not added', (t) => {
  using epoll = new Epoll<null>()
  const expected = { ...refused('EBADF'), op: 'EPOLL_CTL_ADD', fd: NOT_OPEN }
  t.throws(() => epoll.add(NOT_OPEN, EPOLLIN, null), expected)
  t.equal(epoll.get(NOT_OPEN), undefined)
  t.equal(epoll.size, 0)
})

test('C035 C036 -1 is no descriptor, and no epoll', (t) => {
  using fds = new Descriptors()
  t.throws(() => add(-1, fds.eventfd(), EPOLLIN), refused('EBADF'))
  t.throws(() => add(fds.epoll(), -1, EPOLLIN), { ...refused('EBADF'), fd: -1 })
})

test('C037 C054 operations that do not exist', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const fd = fds.eventfd()
  for (const op of [-1, 0, OP_42]) {
    const expected = { ...refused('EINVAL'), op: `op ${op}`, fd }
    t.throws(() => sys.epoll_ctl(epfd, op, fd, EPOLLIN), expected)
  }
})

test('C038 C039 C043 C047 C048 C054 what is not registered is not changed or deleted', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const fd = fds.eventfd()
  t.throws(() => modify(epfd, fd, EPOLLIN), { ...refused('ENOENT'), op: 'EPOLL_CTL_MOD', fd })
  t.throws(() => remove(epfd, fd), { ...refused('ENOENT'), op: 'EPOLL_CTL_DEL', fd })
  t.throws(() => sys.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, EPOLLIN), refused('ENOENT'))
})

test('C040 C045 nothing is added twice', (t) => {
  using fds = new Descriptors()
  const fd = fds.eventfd(1)
  const epfd = fds.epoll([fd, EPOLLIN])
  const expected = { ...refused('EEXIST'), op: 'EPOLL_CTL_ADD', fd }
  t.throws(() => add(epfd, fd, EPOLLOUT, 7), expected)
  t.strictSame(wait(epfd), [[EPOLLIN, fd]], 'the first one stands')
})

test('C041 the data of a second add does not get in', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = fds.eventfd(1)
  const registration = epoll.add(fd, EPOLLIN, 'first')
  t.throws(() => epoll.add(fd, EPOLLIN, 'second'), refused('EEXIST'))
  t.equal(epoll.get(fd), registration)
  t.equal(epoll.size, 1)
  const seen: string[] = []
  epoll.wait(0, ({ data }) => seen.push(data))
  t.strictSame(seen, ['first'])
})

test('C042 a registration that was removed can not be changed, nor removed once more', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<null>()
  const fd = fds.eventfd()
  const registration = epoll.add(fd, EPOLLIN, null)
  const { generation } = registration
  t.equal(registration.remove(), true)
  t.throws(() => registration.modify(EPOLLOUT), {
    ...refused('ENOENT'),
    name: 'StaleRegistrationError',
    reason: 'removed',
    fd,
    generation,
  })
  t.equal(registration.remove(), false)
})

test('C044 C046 C050 C053 C055 no operation on a number that names nothing', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const four = [EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, OP_42]
  t.strictSame(codes(epfd, NOT_OPEN, ...four), ['EBADF', 'EBADF', 'EBADF', 'EBADF'])
  t.throws(() => sys.epoll_ctl(epfd, EPOLL_CTL_DEL, NOT_OPEN), refused('EBADF'))
  fds.close(epfd)
  t.strictSame(codes(epfd, NOT_OPEN, EPOLL_CTL_ADD), ['EBADF'])
})

test('C050 a wait needs an epoll and room for an event', (t) => {
  using fds = new Descriptors()
  const [reading] = fds.pipe()
  t.throws(() => wait(reading), errno('EINVAL', 'epoll_pwait'))
  t.throws(() => wait(fds.epoll(), 0, 0), { code: 'ERR_OUT_OF_RANGE' })
})

test('C050 C052 C068 C069 C070 an epoll has nothing to do with itself', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const four = [EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, OP_42]
  t.strictSame(codes(epfd, epfd, ...four), ['EINVAL', 'EINVAL', 'EINVAL', 'EINVAL'])
  t.throws(() => add(epfd, epfd, EPOLLOUT), refused('EINVAL'))
  t.throws(() => sys.epoll_ctl(epfd, EPOLL_CTL_DEL, epfd), refused('EINVAL'))
  using epoll = new Epoll<null>()
  t.throws(() => epoll.add(epoll, EPOLLIN, null), refused('EINVAL'))
})

test('epoll_ctl on what is no epoll', (t) => {
  using fds = new Descriptors()
  t.throws(() => add(fds.eventfd(), fds.eventfd(), EPOLLIN), refused('EINVAL'))
})

test('C066 C067 what can not be read or written says so', (t) => {
  using fds = new Descriptors()
  const timer = fds.own(sys.timerfd_create(sys.CLOCK_MONOTONIC, sys.TFD_NONBLOCK))
  const signals = fds.own(sys.signalfd(-1, ['SIGUSR2'], sys.SFD_NONBLOCK))
  const epfd = fds.epoll()
  t.throws(() => sys.write(timer, Buffer.alloc(8)), errno('EINVAL', 'write'))
  for (const fd of [timer, signals, epfd]) {
    t.throws(() => sys.write(fd, Buffer.alloc(1)), errno('EINVAL', 'write'))
  }
  t.throws(() => sys.read(epfd, Buffer.alloc(16)), errno('EINVAL', 'read'))
})

test('epolls that watch each other are refused', (t) => {
  using fds = new Descriptors()
  const inner = fds.epoll()
  const outer = fds.epoll([inner, EPOLLIN])
  t.throws(() => add(inner, outer, EPOLLIN), { ...refused('ELOOP'), fd: outer })
  using a = new Epoll<null>()
  using b = new Epoll<null>()
  a.add(b, EPOLLIN, null)
  t.throws(() => b.add(a, EPOLLIN, null), refused('ELOOP'))
  t.equal(b.size, 0)
})

test('epolls are nested five deep and no deeper', (t) => {
  using fds = new Descriptors()
  let outermost = fds.epoll([fds.eventfd(), EPOLLIN])
  for (let depth = 2; depth <= 5; depth++) outermost = fds.epoll([outermost, EPOLLIN])
  t.throws(() => fds.epoll([outermost, EPOLLIN]), refused('ELOOP'))
})

const WATCHES = '/proc/sys/fs/epoll/max_user_watches'
// So many that no other process of this machine will miss what is above it.
const LOWERED = 100_000

function cantLower(): string | false {
  if (process.getuid!() !== 0) return 'needs root, to become a user of its own'
  if (Number(readFileSync(WATCHES)) <= LOWERED) return false
  try {
    accessSync(WATCHES, constants.W_OK)
    return false
  } catch {
    return `${WATCHES} has to be lowered, and is read-only here`
  }
}

test(
  "what goes beyond the user's limit of watches is ENOSPC",
  (t) => {
    const before = readFileSync(WATCHES, 'utf8')
    const limit = Math.min(Number(before), LOWERED)
    const child = fileURLToPath(new URL('fixtures/children/watch-limit.mjs', import.meta.url))
    let output: string
    try {
      if (Number(before) > limit) writeFileSync(WATCHES, String(limit))
      // Without the runner's environment: as another user it couldn't write the coverage. A sanitized
      // addon needs its own.
      const kept = ['LD_PRELOAD', 'ASAN_OPTIONS'].map(
        (name) => `${name}=${process.env[name] ?? ''}`,
      )
      const command = ['-i', ...kept, process.execPath, child, String(limit)]
      output = execFileSync('env', command, { encoding: 'utf8' })
    } finally {
      if (Number(before) > limit) writeFileSync(WATCHES, before)
    }
    const refusal = { code: 'ENOSPC', errno: -28, syscall: 'epoll_ctl', op: 'EPOLL_CTL_ADD' }
    t.strictSame(JSON.parse(output), { raw: refusal, wrapped: refusal, size: 0 })
  },
  { skip: cantLower() },
)
