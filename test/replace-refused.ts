// Epoll.replace of what can't be done: a typed error, and nothing is changed.

import { openSync } from 'node:fs'
import {
  EPOLLEXCLUSIVE,
  EPOLLIN,
  Epoll,
  type ErrnoCode,
  EventFd,
  O_CLOEXEC,
  sameFile,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { ready } from './fixtures/descriptors.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'

const O_PATH = 0o10000000

/** A number that names a readable file, in two Epolls. */
interface Scene {
  epoll: Epoll<string>
  other: Epoll<string>
  fd: number
  fds: Descriptors
}

interface Refusal {
  what: string
  code: ErrnoCode
  /** What is to be put under the number. */
  file: (scene: Scene) => number
  mask?: number
}

const REFUSALS: Refusal[] = [
  { what: 'the number itself', code: 'EINVAL', file: ({ fd }) => fd },
  { what: 'a number that names nothing', code: 'EBADF', file: () => NOT_OPEN },
  {
    what: 'a regular file',
    code: 'EPERM',
    file: ({ fds }) => fds.own(openSync(process.execPath, 'r')),
  },
  { what: 'a directory', code: 'EPERM', file: ({ fds }) => fds.own(openSync('/', 'r')) },
  {
    what: 'an O_PATH descriptor',
    code: 'EBADF',
    file: ({ fds }) => fds.own(openSync('/dev/random', O_PATH | O_CLOEXEC)),
  },
  { what: 'the Epoll itself', code: 'EINVAL', file: ({ epoll }) => epoll.fd },
  { what: 'another Epoll with the number', code: 'EINVAL', file: ({ other }) => other.fd },
  {
    what: 'an epoll that watches the Epoll',
    code: 'ELOOP',
    file: ({ epoll, fds }) => fds.epoll([epoll.fd, EPOLLIN]),
  },
  {
    what: 'an epoll where the registration is exclusive',
    code: 'EINVAL',
    mask: EPOLLIN | EPOLLEXCLUSIVE,
    file: ({ fds }) => fds.epoll(),
  },
]

for (const { what, code, file, mask = EPOLLIN } of REFUSALS) {
  test(`${what}: ${code}, and the registrations stay as they are`, (t) => {
    using fds = new Descriptors()
    using epoll = new Epoll<string>()
    using other = new Epoll<string>()
    const fd = fds.eventfd(1)
    const witness = fds.own(sys.dup(fd))
    const registrations = [epoll.add(fd, mask, 'here'), other.add(fd, EPOLLIN, 'there')]
    const before = registrations.map(({ generation }) => generation)
    const newFd = file({ epoll, other, fd, fds })
    t.throws(() => epoll.replace(newFd, fd), { ...errno(code, 'dup3'), fd: newFd })
    t.ok(sameFile(fd, witness))
    t.strictSame(
      registrations.map(({ generation }) => generation),
      before,
    )
    for (const registration of registrations) {
      t.equal(registration.state, 'active')
      t.equal(registration.verify(), 'current')
    }
    t.strictSame(delivered(epoll), ['here'])
    t.strictSame(delivered(other), ['there'])
  })
}

test('an Fd that owns the number keeps it when it can’t be replaced', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  const { fd, generation } = bell
  epoll.add(bell, EPOLLIN, 'bell')
  t.throws(() => epoll.replace(NOT_OPEN, bell), errno('EBADF', 'dup3'))
  t.equal(bell.closed, false)
  t.equal(bell.generation, generation)
  t.throws(() => sys.fcntl_getfd(NOT_OPEN), { code: 'EBADF' })
  t.strictSame(delivered(epoll), ['bell'])
  t.equal(bell.fd, fd)
})

test('a number that isn’t registered here: ENOENT, and it names what it did', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  using other = new Epoll<string>()
  const [fd, removed, newFd] = [fds.eventfd(1), fds.eventfd(1), fds.eventfd()] as const
  other.add(fd, EPOLLIN, 'there')
  epoll.add(removed, EPOLLIN, undefined).remove()
  for (const number of [fd, removed, NOT_OPEN]) {
    t.throws(() => epoll.replace(newFd, number), { ...errno('ENOENT', 'dup3'), fd: number })
  }
  t.notOk(sameFile(fd, newFd))
  t.notOk(sameFile(removed, newFd))
  t.throws(() => sys.fcntl_getfd(NOT_OPEN), { code: 'EBADF' })
  t.strictSame(delivered(other), ['there'])
})

test('what is closed throws ClosedError', (t) => {
  const epoll = new Epoll<string>()
  using bell = ready()
  const gone = new EventFd()
  gone.close()
  epoll.add(bell, EPOLLIN, 'bell')
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.throws(() => epoll.replace(gone, bell), closed)
  t.throws(() => epoll.replace(bell, gone), closed)
  t.strictSame(delivered(epoll), ['bell'])
  epoll.close()
  using other = new EventFd()
  t.throws(() => epoll.replace(other, bell), closed)
  t.equal(bell.read(), 1)
})
