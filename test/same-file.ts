// sameFile: whether two descriptors name one open file, and how each way of asking tells.

import { openSync } from 'node:fs'
import { constants, release } from 'node:os'
import { EventFd, isErrno, KCMP_FILE, O_CLOEXEC, sameFile } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { runWithout } from './fixtures/deny.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'

const O_PATH = 0o10000000

/** Makes two descriptors of a kind that name different files. */
const KINDS: Record<string, (fds: Descriptors) => [number, number]> = {
  eventfd: (fds) => [fds.eventfd(), fds.eventfd()],
  timerfd: (fds) => twice(() => fds.own(sys.timerfd_create(sys.CLOCK_MONOTONIC, 0))),
  signalfd: (fds) => twice(() => fds.own(sys.signalfd(-1, [], 0))),
  epoll: (fds) => [fds.epoll(), fds.epoll()],
  'socket pair': (fds) => fds.pair(),
  'pipe ends': (fds) => fds.pipe(),
  'regular file': (fds) => twice(() => fds.own(openSync(process.execPath, 'r'))),
  directory: (fds) => twice(() => fds.own(openSync('/', 'r'))),
  'O_PATH descriptor': (fds) => twice(() => fds.own(openSync('/dev/random', O_PATH | O_CLOEXEC))),
  device: (fds) => twice(() => fds.own(openSync('/dev/random', 'r'))),
}

function twice(make: () => number): [number, number] {
  return [make(), make()]
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`${kind}: the same as its dups, and as no other`, (t) => {
    using fds = new Descriptors()
    const [fd, other] = make(fds)
    const dup = fds.own(sys.dup(fd))
    const placed = fds.eventfd()
    sys.dup3(dup, placed, O_CLOEXEC)
    for (const same of [fd, dup, placed]) {
      t.equal(sameFile(fd, same), true)
      t.equal(sameFile(same, fd), true)
      t.equal(sameFile(other, same), false)
      t.equal(sameFile(same, other), false)
    }
    t.equal(sameFile(fd, fds.eventfd()), false)
  })
}

test('standard input', (t) => {
  using fds = new Descriptors()
  t.equal(sameFile(0, 0), true)
  t.equal(sameFile(0, fds.own(sys.dup(0))), true)
  t.equal(sameFile(0, fds.eventfd()), false)
})

test('asking leaves both as they were', (t) => {
  using fds = new Descriptors()
  const [a, b] = fds.pair()
  const flags = () => [a, b].flatMap((fd) => [sys.fcntl_getfd(fd), sys.fcntl_getfl(fd)])
  const before = flags()
  sameFile(a, b)
  t.strictSame(flags(), before)
})

test('a number that names nothing: EBADF', (t) => {
  using bell = new EventFd()
  for (const fd of [-1, NOT_OPEN, 2 ** 31 - 1]) {
    for (const pair of [
      [fd, bell.fd],
      [bell.fd, fd],
      [fd, fd],
    ] as [number, number][]) {
      t.throws(() => sameFile(...pair), { ...errno('EBADF', 'fcntl'), fd })
    }
  }
})

test('what is no number is refused before anything is asked', (t) => {
  for (const wrong of ['0', null, undefined, 0.5, 2 ** 31, {}] as number[]) {
    const refused = { code: /^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/ }
    t.throws(() => sameFile(wrong, 0), refused)
    t.throws(() => sameFile(0, wrong), refused)
  }
})

type Denials = Parameters<typeof runWithout>[0]

const { EINVAL, ENOSYS, EPERM } = constants.errno
const withoutQuery = (answer: number | 'kill') =>
  ({ syscall: 'fcntl', argument: 1027, answer }) as const
const withoutKcmp = (answer: number | 'kill') => ({ syscall: 'kcmp', answer }) as const

/** Of a dup, of another of its kind, of an eventfd; and what a number is that names nothing. */
const TOLD = [
  ['eventfd', true, false, false],
  ['epoll', true, false, false],
  ['pipe', true, false, false],
  ['regular file', true, false, false],
  ['directory', true, false, false],
  ['nothing', 'EBADF', 'EBADF'],
]
const UNTOLD = TOLD.map(([kind, ...rest]) =>
  kind === 'regular file' || kind === 'directory'
    ? [kind, 'ERR_UNSUPPORTED', 'ERR_UNSUPPORTED', false]
    : [kind, ...rest],
)

const hasKcmp = (() => {
  try {
    return sys.kcmp(process.pid, process.pid, KCMP_FILE, 0, 0) === 0
  } catch (error) {
    if (!isErrno(error, 'EPERM', 'ENOSYS')) throw error
    return false
  }
})()
const needsKcmp = { skip: !hasKcmp && 'kcmp is missing or forbidden here' } as const

const BY_KCMP: Record<string, Denials> = {
  'an old kernel': [withoutQuery(EINVAL)],
  'a sandbox that forbids F_DUPFD_QUERY': [withoutQuery(EPERM)],
  'a sandbox that kills for F_DUPFD_QUERY': [withoutQuery('kill')],
}
for (const [where, denials] of Object.entries(BY_KCMP)) {
  test(
    `in ${where} kcmp tells`,
    (t) => {
      t.strictSame(runWithout(denials, 'same-file.mjs'), TOLD)
    },
    needsKcmp,
  )
}

for (const answer of [ENOSYS, EPERM, 'kill'] as const) {
  test(`without F_DUPFD_QUERY, and with kcmp answered by ${answer}, an epoll tells`, (t) => {
    const denials = [withoutQuery(EINVAL), withoutKcmp(answer)]
    t.strictSame(runWithout(denials, 'same-file.mjs'), UNTOLD)
  })
}

test('with everything killed for, an epoll tells', (t) => {
  const denials = [withoutQuery('kill'), withoutKcmp('kill')]
  t.strictSame(runWithout(denials, 'same-file.mjs'), UNTOLD)
})

const [major, minor] = release().split('.').map(Number) as [number, number]
const isOld = major < 6 || (major === 6 && minor < 10)

test(
  'F_DUPFD_QUERY needs neither',
  (t) => {
    t.strictSame(runWithout([withoutKcmp('kill')], 'same-file.mjs'), TOLD)
  },
  { skip: isOld && 'F_DUPFD_QUERY needs Linux 6.10' },
)
