// Descriptors that are closed, duplicated and replaced while an epoll watches them.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import {
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  Epoll,
  isErrno,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { refused } from './fixtures/errno.js'
import { add, Descriptors, read, timed, wait, write } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'
import { connection, listener } from './fixtures/tcp.js'

const SHORT_MS = 100

test('C213 closed after it was reported: silence for as long as one waits', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const raw = fds.eventfd(1)
  const epfd = fds.epoll([raw, EPOLLIN])
  const bell = ready()
  epoll.add(bell, EPOLLIN, 'bell')
  t.strictSame(wait(epfd), [[EPOLLIN, raw]])
  t.strictSame(delivered(epoll), ['bell'])
  fds.close(raw)
  bell.close()
  const [events, elapsedNs] = timed(() => [wait(epfd, SHORT_MS), delivered(epoll, SHORT_MS)])
  t.strictSame(events, [[], []])
  t.ok(elapsedNs >= BigInt(2 * SHORT_MS) * 1_000_000n)
})

test('C214 C215 a listener that is dropped is not heard of again', async (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const { fd } = await listener(fds)
  const registration = epoll.add(fd, EPOLLIN, undefined)
  fds.close(fd)
  t.strictSame(delivered(epoll, SHORT_MS), [])
  t.equal(registration.state, 'stale')
  t.strictSame(epoll.stats, { ...epoll.stats, delivered: 0, stale: 0 })
})

test('C216 C217 what was closed can’t be deleted by its number', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const fd = sys.eventfd(1, 0)
  const epfd = fds.epoll([fd, EPOLLIN])
  const registration = epoll.add(fd, EPOLLIN, undefined)
  t.strictSame(wait(epfd), [[EPOLLIN, fd]])
  sys.close(fd)
  t.throws(() => sys.epoll_ctl(epfd, EPOLL_CTL_DEL, fd), refused('EBADF'))
  t.equal(registration.remove(), false)
})

test('C218 C219 an epoll keeps nothing open: the peer sees the end', async (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const { fd, peer } = await connection(fds)
  epoll.add(fd, EPOLLIN | EPOLLOUT, 'stream')
  t.strictSame(delivered(epoll), ['stream'])
  t.equal(read(fd), null)
  fds.close(fd)
  peer.resume()
  await once(peer, 'end')
  t.strictSame(delivered(epoll), [])
  await once(peer, 'close')
})

test('C220 what was sent before the sender went is reported after a change', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const [sender, receiver] = fds.pair()
  const registration = epoll.add(receiver, EPOLLOUT, undefined)
  write(sender, 'four')
  fds.close(sender)
  registration.modify(EPOLLIN)
  const seen: number[] = []
  epoll.wait(0, (_, events) => seen.push(events & EPOLLIN))
  t.strictSame(seen, [EPOLLIN])
  t.equal(read(receiver), 'four')
})

test('C221 a handler takes out all registrations of its source, once', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const bell = fds.eventfd(1)
  const source = [bell, fds.own(sys.dup(bell)), fds.own(sys.dup(bell))]
  const registrations = epoll.addAll(source.map((fd) => [fd, EPOLLIN, 'source']))
  const removed: boolean[] = []
  let calls = 0
  epoll.wait(0, () => {
    if (++calls < 3) return
    for (const registration of [...registrations, ...registrations]) {
      removed.push(registration.remove())
    }
  })
  t.strictSame(removed, [true, true, true, false, false, false])
  t.strictSame(delivered(epoll), [])
  t.equal(epoll.size, 0)
})

test('C222 two numbers for one epoll see the same list', (t) => {
  using fds = new Descriptors()
  const first = fds.epoll()
  const second = fds.own(sys.dup(first))
  const [a, b] = [fds.eventfd(1), fds.eventfd(1)]
  add(first, a, EPOLLIN)
  add(second, b, EPOLLIN)
  const both = [
    [EPOLLIN, a],
    [EPOLLIN, b],
  ]
  t.strictSame(wait(first).sort(), both)
  t.strictSame(wait(second).sort(), both)
})

test('C222 two Epolls for one epoll deliver their own alone', (t) => {
  using fds = new Descriptors()
  using first = Epoll.adopt<string>(sys.epoll_create1(0))
  using second = Epoll.adopt<string>(sys.dup(first.fd))
  const [a, b] = [fds.eventfd(1), fds.eventfd(1)]
  first.add(a, EPOLLIN, 'a')
  second.add(b, EPOLLIN, 'b')
  t.strictSame(delivered(first), ['a'])
  t.strictSame(delivered(second), ['b'])
  t.throws(() => first.add(b, EPOLLIN, 'b'), refused('EEXIST'))
  t.strictSame([first.stats.stale, second.stats.stale], [1, 1])
})

test('C223 a source stays until its last descriptor is closed', (t) => {
  using epoll = new Epoll()
  const [reading, writing] = pipe()
  using _reading = reading
  const clones = [writing, writing.dup(), writing.dup()]
  epoll.add(reading, EPOLLIN, undefined)
  const seen: number[] = []
  for (const clone of clones) {
    epoll.wait(0, (_, events) => seen.push(events))
    clone.close()
  }
  t.strictSame(seen, [])
  epoll.wait(0, (_, events) => seen.push(events))
  t.strictSame(seen, [EPOLLHUP])
})

test('C224 events beyond the mask reach the handler, which can narrow it or take it out', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = fds.eventfd(1)
  const registration = epoll.add(fd, EPOLLIN, 'bell')
  const widen = () => {
    const { generation } = registration
    sys.epoll_ctl(epoll.fd, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT, fd, generation)
  }
  const look = () => {
    const seen: number[] = []
    epoll.wait(0, (_, events) => seen.push(events))
    return seen
  }
  widen()
  t.strictSame(look(), [EPOLLIN | EPOLLOUT])
  t.equal(registration.events, EPOLLIN)
  registration.modify(registration.events)
  t.strictSame(look(), [EPOLLIN])
  widen()
  epoll.rebuild()
  t.strictSame(look(), [EPOLLIN])
  widen()
  t.equal(registration.remove(), true)
  t.strictSame(look(), [])
})

/** Adds a number that another thread may have deleted, or not yet. */
function addAgain(epfd: number, fd: number): void {
  try {
    add(epfd, fd, EPOLLIN | EPOLLET)
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
  }
}

const REPLACEMENTS = {
  'behind genpoll’s back': (from: number, to: number) => host.dup2(from, to),
  'through genpoll': (from: number, to: number) => sys.dup3(from, to, 0),
}

for (const [how, replace] of Object.entries(REPLACEMENTS)) {
  test(`C226 replaced ${how} while another thread deletes`, async (t) => {
    using fds = new Descriptors()
    const numbers = Array.from({ length: 8 }, () => fds.pipe()[0])
    const others = Array.from({ length: 2 }, () => fds.pipe()[0])
    const epfd = fds.epoll()
    const stopped = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(new URL('fixtures/children/deletes.mjs', import.meta.url), {
      workerData: { epfd, numbers, stopped },
      execArgv: [],
    })
    const exit = once(worker, 'exit')
    await once(worker, 'message')
    const ended = once(worker, 'message')
    try {
      for (let i = 0; i < 1000; i++) {
        for (const fd of numbers) {
          replace(others[i % 2]!, fd)
          addAgain(epfd, fd)
        }
      }
    } finally {
      Atomics.store(stopped, 0, 1)
    }
    const [{ deleted, ENOENT, ...rest }] = await ended
    await exit
    t.strictSame(rest, {}, 'each call succeeded or found no entry')
    t.ok(deleted > 0, `${deleted} deleted, ${ENOENT ?? 0} not there`)
  })
}
