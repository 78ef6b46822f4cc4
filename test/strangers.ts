// An object whose number has gone to somebody else: what it does to itself, however late, leaves the
// stranger alone.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import {
  EPOLLIN,
  Epoll,
  EventFd,
  Fd,
  fdTable,
  type OwnedFd,
  PidFd,
  SignalFd,
  sameFile,
  TimerFd,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { alias } from './fixtures/behind.js'
import { openDescriptors, test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'
import { Partner } from './fixtures/partner.js'

type Owner = OwnedFd | Epoll

const KINDS: Record<string, () => Owner> = {
  Epoll: () => new Epoll(),
  EventFd: () => new EventFd(),
  Fd: () => Fd.adopt(sys.eventfd(0, 0)),
  PidFd: () => new PidFd(process.pid),
  SignalFd: () => new SignalFd(['SIGUSR2']),
  TimerFd: () => new TimerFd(),
}

/** Ways in which an object loses its number that genpoll knows of; the number is free then. */
const LOSSES: Record<string, (owner: Owner) => void> = {
  'its own close': (owner) => owner.close(),
  'sys.close': ({ fd }) => sys.close(fd),
  'dup3 and sys.close': ({ fd }) => {
    using other = ready()
    sys.dup3(other.fd, fd, 0)
    sys.close(fd)
  },
  'fdTable.retire and a close without genpoll': ({ fd }) => {
    fdTable.retire(fd)
    closeSync(fd)
  },
}

/** Asserts that an object believes itself closed, and does nothing to what has its number. */
function assertHarmless(t: Test, owner: Owner, fd: number, file: number): void {
  t.equal(owner.closed, true)
  for (let i = 0; i < 2; i++) owner.close()
  owner[Symbol.dispose]()
  t.throws(() => owner.fd, { code: 'ERR_CLOSED' })
  t.ok(sameFile(fd, file), 'the stranger is open')
}

for (const [kind, make] of Object.entries(KINDS)) {
  for (const [how, lose] of Object.entries(LOSSES)) {
    test(`${kind}: after ${how} a stranger has its number`, (t) => {
      using fds = new Descriptors()
      const file = fds.eventfd()
      const owner = make()
      const { fd } = owner
      lose(owner)
      host.dup2(file, fd)
      assertHarmless(t, owner, fd, file)
      closeSync(fd)
    })
  }

  test(`${kind}: after its close an object of the same kind has its number`, (t) => {
    const owner = make()
    const { fd } = owner
    owner.close()
    using heir = make()
    t.equal(heir.fd, fd, 'the lowest that is free')
    using keeper = Fd.adopt(alias(fd))
    assertHarmless(t, owner, fd, keeper.fd)
    t.equal(heir.closed, false)
  })
}

test('an Fd refuses everything else once its number is a stranger’s', (t) => {
  using fds = new Descriptors()
  const file = fds.own(sys.eventfd(0, 0))
  const fd = Fd.adopt(sys.eventfd(0, 0))
  const number = fd.fd
  fd.close()
  host.dup2(file, number)
  sys.fcntl_setfd(number, 0)
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  using epoll = new Epoll()
  t.throws(() => fd.setCloexec(true), closed)
  t.throws(() => fd.setNonBlocking(true), closed)
  t.throws(() => fd.write(Buffer.alloc(8, 1)), closed)
  t.throws(() => fd.dup(), closed)
  t.throws(() => fd.release(), closed)
  t.throws(() => epoll.add(fd, EPOLLIN, undefined), closed)
  t.equal(sys.fcntl_getfd(number), 0)
  t.equal(sys.fcntl_getfl(number) & sys.O_NONBLOCK, 0)
  t.equal(epoll.size, 0)
  closeSync(number)
})

test('another thread closes the number and gives it to a stranger', async (t) => {
  await using partner = await Partner.start()
  using fds = new Descriptors()
  const file = fds.eventfd()
  for (const isWatched of [false, true]) {
    using epoll = new Epoll()
    const owner = new EventFd()
    const { fd } = owner
    if (isWatched) epoll.add(owner, EPOLLIN, undefined)
    partner.make(['close', fd], ['dup3', file, fd, 0])
    assertHarmless(t, owner, fd, file)
    sys.close(fd)
  }
})

test('recycled without genpoll: in any Epoll that is left, close can tell', (t) => {
  using fds = new Descriptors()
  const file = fds.eventfd()
  using first = new Epoll()
  using second = new Epoll()
  const third = new Epoll()
  const owner = new EventFd()
  const { fd, generation } = owner
  for (const epoll of [first, second, third]) epoll.add(owner, EPOLLIN, undefined)
  first.get(fd)!.remove()
  third.close()
  host.dup2(file, fd)
  t.throws(() => owner.close(), { name: 'ErrnoError', code: 'EBADF', syscall: 'close', generation })
  assertHarmless(t, owner, fd, file)
  t.equal(second.size, 0)
  closeSync(fd)
})

test('a worker ends whose watched number was recycled without genpoll', async (t) => {
  using fds = new Descriptors()
  const file = fds.eventfd()
  const url = new URL('./fixtures/children/worker-tour.mjs', import.meta.url)
  const worker = new Worker(url, { execArgv: [] })
  const [tour] = (await once(worker, 'message')) as [{ fds: number[] }]
  const [, bell, timer, , , reading] = tour.fds
  const watched = [bell!, timer!, reading!]
  for (const fd of watched) host.dup2(file, fd)
  await worker.terminate()
  const open = openDescriptors()
  for (const fd of watched) {
    t.equal(open.has(fd), true, `${fd} is open`)
    if (open.has(fd)) closeSync(fd)
  }
})

test('a finalizer that comes late closes nobody’s number', (t) => {
  const child = fileURLToPath(new URL('fixtures/children/late-finalizer.mjs', import.meta.url))
  const args = ['--expose-gc', '--no-warnings', child]
  const output = execFileSync(process.execPath, args, { encoding: 'utf8' })
  const { before, after, heirsWork, warnings } = JSON.parse(output)
  t.strictSame(before, {
    'closed by its number': '/dev/null',
    'replaced by dup3': '/dev/null',
    retired: 'anon_inode:[eventfd]',
    'closed, with an heir': 'anon_inode:[eventfd]',
    released: 'anon_inode:[eventfd]',
  })
  t.strictSame(after, before)
  t.equal(heirsWork, true)
  t.strictSame(warnings, [])
})
