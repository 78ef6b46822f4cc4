import { readFileSync } from 'node:fs'
import { EPOLL_CTL_ADD, EPOLLIN, EPOLLONESHOT, EPOLLOUT, Epoll, isErrno, SOCK_DGRAM } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { add, Descriptors, fill, modify, read, remove, wait, write } from './fixtures/kernel.js'
import { PATIENCE_MS } from './fixtures/poll.js'
import { accept, connect, connection, listener, tcpPair } from './fixtures/tcp.js'

test('C073 only what was asked for is reported', (t) => {
  using fds = new Descriptors()
  const [a, b] = fds.pair()
  const epfd = fds.epoll([a, EPOLLIN])
  write(b, 'abcdef')
  t.same(wait(epfd), [[EPOLLIN, a]])
})

test('C076 an empty pipe is writable', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN], [writing, EPOLLOUT])
  t.same(wait(epfd), [[EPOLLOUT, writing]])
})

test('C077 a full pipe is readable', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN], [writing, EPOLLOUT])
  fill(writing)
  t.same(wait(epfd), [[EPOLLIN, reading]])
})

test('C078 a pipe that is partly filled is both', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN], [writing, EPOLLOUT])
  write(writing, 'w')
  t.same(
    new Map(wait(epfd).map(([events, fd]) => [fd, events])),
    new Map([
      [reading, EPOLLIN],
      [writing, EPOLLOUT],
    ]),
  )
})

test('C079 nothing, then what was written', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN])
  t.same(wait(epfd), [])
  write(writing, 'w')
  t.same(wait(epfd), [[EPOLLIN, reading]])
})

test('C080 a level lasts until all is read; one-shot fires once', (t) => {
  using fds = new Descriptors()
  const [a, b] = fds.pair()
  const epfd = fds.epoll([a, EPOLLIN])
  write(b, 'hello')
  t.same(wait(epfd), [[EPOLLIN, a]])
  read(a, 3)
  t.same(wait(epfd), [[EPOLLIN, a]])
  read(a, 2)
  t.same(wait(epfd), [])
  modify(epfd, a, EPOLLIN | EPOLLONESHOT)
  write(b, 'w')
  t.same(wait(epfd), [[EPOLLIN, a]])
  t.equal(read(a), 'w')
  t.same(wait(epfd), [])
})

test('C081 C084 an idle socket is writable and not readable', (t) => {
  using fds = new Descriptors()
  const [a, b] = fds.pair()
  t.same(wait(fds.epoll([a, EPOLLIN], [b, EPOLLOUT])), [[EPOLLOUT, b]])
  const epfd = fds.epoll([a, EPOLLIN])
  t.same(wait(epfd), [])
  modify(epfd, a, EPOLLOUT)
  t.same(wait(epfd), [[EPOLLOUT, a]])
})

test('C082 pipes, unix sockets and TCP connections report one byte', async (t) => {
  using fds = new Descriptors()
  for (const [reading, writing] of [fds.pipe(), fds.pair(), await tcpPair(fds)]) {
    const epfd = fds.epoll([reading, EPOLLIN])
    t.same(wait(epfd), [])
    write(writing, 'w')
    t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, reading]])
  }
})

test('C083 a full pipe is silent until its reading end is watched too', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([writing, EPOLLOUT])
  t.same(wait(epfd), [[EPOLLOUT, writing]])
  fill(writing)
  t.same(wait(epfd, 30), [])
  add(epfd, reading, EPOLLIN)
  t.same(wait(epfd), [[EPOLLIN, reading]])
})

test('C085 C089 an event carries the data that it was added with', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll()
  const out = new Uint32Array(3)
  sys.epoll_ctl(epfd, EPOLL_CTL_ADD, reading, EPOLLIN, 123, 0xfedcba98)
  t.throws(() => add(epfd, reading, EPOLLIN), { code: 'EEXIST', errno: -17, syscall: 'epoll_ctl' })
  t.equal(sys.epoll_pwait(epfd, out, 0), 0)
  write(writing, 'w')
  for (let i = 0; i < 2; i++) {
    out.fill(0)
    t.equal(sys.epoll_pwait(epfd, out, 0), 1)
    t.same([...out], [EPOLLIN, 123, 0xfedcba98])
  }
  read(reading)
  t.equal(sys.epoll_pwait(epfd, out, 0), 0)
})

test('C087 each message and the end are input', async (t) => {
  using fds = new Descriptors()
  const { fd, peer } = await connection(fds)
  const epfd = fds.epoll([fd, EPOLLIN])
  for (let i = 0; i < 5; i++) {
    peer.write(`message ${i}`)
    t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, fd]])
    t.equal(read(fd), `message ${i}`)
  }
  peer.destroy()
  t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, fd]])
  t.equal(read(fd), '')
})

test('C088 C091 C126 a listener is readable while a connection is pending', async (t) => {
  using fds = new Descriptors()
  const { fd: listening, port } = await listener(fds)
  const epfd = fds.epoll([listening, EPOLLIN])
  for (let i = 0; i < 3; i++) t.same(wait(epfd, 10), [])
  const peer = await connect(port)
  t.same(wait(epfd), [[EPOLLIN, listening]])
  const fd = await accept(fds, listening)
  t.same(wait(epfd), [])
  add(epfd, fd, EPOLLIN)
  t.same(wait(epfd), [])
  peer.write('data')
  t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, fd]])
  t.equal(read(fd), 'data')
  peer.destroy()
  t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, fd]])
  t.equal(read(fd), '')
})

test('C090 a datagram', (t) => {
  using fds = new Descriptors()
  const [a, b] = fds.pair(SOCK_DGRAM)
  const epfd = fds.epoll([a, EPOLLIN])
  t.same(wait(epfd), [])
  write(b, 'datagram')
  t.same(wait(epfd), [[EPOLLIN, a]])
  t.equal(read(a), 'datagram')
  t.same(wait(epfd), [])
})

test('C093 C094 what doesn’t fit comes with the next wait', (t) => {
  using fds = new Descriptors()
  const ready = Array.from({ length: 13 }, () => fds.eventfd(1))
  const quiet = Array.from({ length: 5 }, () => fds.eventfd())
  const epfd = fds.epoll(...[...ready, ...quiet].map((fd): [number, number] => [fd, EPOLLIN]))
  const seen: number[] = []
  for (const count of [3, 3, 3, 3, 1, 0]) {
    const events = wait(epfd, 0, 3)
    t.equal(events.length, count)
    for (const [, fd] of events) {
      sys.eventfd_read(fd)
      seen.push(fd)
    }
  }
  t.same(
    seen.sort((a, b) => a - b),
    ready,
  )
})

test('C094 the kernel takes turns among those that stay ready', (t) => {
  using fds = new Descriptors()
  const ready = [fds.eventfd(1), fds.eventfd(1), fds.eventfd(1)]
  const epfd = fds.epoll(...ready.map((fd): [number, number] => [fd, EPOLLIN]))
  const seen = [...wait(epfd, 0, 2), ...wait(epfd, 0, 2)].map(([, fd]) => fd)
  t.same(new Set(seen), new Set(ready))
})

test('C104 C106 an empty epoll has nothing to report', (t) => {
  using fds = new Descriptors()
  t.same(wait(fds.epoll(), 0), [])
  t.same(wait(fds.epoll(), 1), [])
  using epoll = new Epoll()
  t.equal(
    epoll.wait(0, () => t.fail()),
    0,
  )
})

test('C115 C116 among 100 connections the one that was written to is reported', async (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const pairs: [number, number][] = []
  for (let i = 0; i < 100; i++) pairs.push(await tcpPair(fds))
  for (const [reading] of pairs) add(epfd, reading, EPOLLIN)
  // All of them, in an order that jumps about.
  for (let i = 0; i < 100; i++) {
    const [reading, writing] = pairs[(i * 37) % 100]!
    write(writing, `${i}`)
    t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, reading]])
    t.equal(read(reading), `${i}`)
    remove(epfd, reading)
  }
  t.same(wait(epfd), [])
})

/** How many descriptors this process may open. */
function descriptorLimit(): number {
  const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))!
  return Number(limit)
}

test('C117 C118 as many descriptors as may be open are reported at once', (t) => {
  using fds = new Descriptors()
  const count = Math.min(descriptorLimit(), 65536) - 64
  const epfd = fds.epoll()
  let added = 0
  try {
    for (; added < count; added++) add(epfd, fds.eventfd(), EPOLLOUT)
  } catch (error) {
    // The user may be allowed fewer entries (fs.epoll.max_user_watches).
    if (!isErrno(error, 'ENOSPC')) throw error
  }
  t.ok(added > 64)
  const seen = wait(epfd, 0, count)
  t.equal(new Set(seen.map(([, fd]) => fd)).size, added)
})
