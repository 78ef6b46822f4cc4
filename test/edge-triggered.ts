import { execFileSync } from 'node:child_process'
import { constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { Descriptors, read, wait, write } from './fixtures/kernel.js'
import { tcpPair } from './fixtures/tcp.js'

const { EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP } = sys

/** Waits until so many events have come, which may take several waits. */
function gather(epfd: number, fds: number[], wanted: number): Map<number, number> {
  const seen = new Map(fds.map((fd) => [fd, 0]))
  while ([...seen.values()].some((events) => (events & wanted) !== wanted)) {
    for (const [events, fd] of wait(epfd, -1)) seen.set(fd, seen.get(fd)! | events)
  }
  return seen
}

test('C148 after a read to the end, the next write is an edge', (t) => {
  using fds = new Descriptors()
  const [socket, peer] = fds.pair()
  const epfd = fds.epoll([socket, EPOLLIN | EPOLLET])
  write(peer, 'first')
  t.strictSame(wait(epfd), [[EPOLLIN, socket]])
  t.equal(read(socket), 'first')
  t.equal(read(socket), null)
  t.strictSame(wait(epfd), [])
  write(peer, 'second')
  t.strictSame(wait(epfd), [[EPOLLIN, socket]])
})

test('C149 an idle pipe: no edge at the reading end, one at the writing end', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  t.strictSame(wait(fds.epoll([reading, EPOLLIN | EPOLLET])), [])
  const epfd = fds.epoll([writing, EPOLLOUT | EPOLLET])
  t.strictSame(wait(epfd), [[EPOLLOUT, writing]])
  t.strictSame(wait(epfd), [])
})

test('C150 a FIFO that is read until it would block stays silent', (t) => {
  using fds = new Descriptors()
  const folder = mkdtempSync(join(tmpdir(), 'genpoll-'))
  try {
    const path = join(folder, 'fifo')
    execFileSync('mkfifo', [path])
    const reading = fds.own(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK))
    const writing = fds.own(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK))
    const epfd = fds.epoll([reading, EPOLLIN | EPOLLRDHUP | EPOLLET])
    write(writing, 'x')
    t.strictSame(wait(epfd), [[EPOLLIN, reading]])
    t.equal(read(reading), 'x')
    t.equal(read(reading), null)
    t.strictSame(wait(epfd), [])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('C157 a busy inotify is found readable by every new epoll', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'genpoll-'))
  try {
    const file = join(folder, 'busy')
    writeFileSync(file, '')
    const child = fileURLToPath(new URL('fixtures/children/inotify-rounds.mjs', import.meta.url))
    const output = execFileSync(process.execPath, [child, file], { encoding: 'utf8' })
    t.strictSame(JSON.parse(output), [EPOLLIN])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('C158 C159 C160 both ends of a connection: writable once, then what the other sends', async (t) => {
  using fds = new Descriptors()
  const [client, server] = await tcpPair(fds)
  const mask = EPOLLIN | EPOLLOUT | EPOLLET
  const epfd = fds.epoll([client, mask], [server, mask])
  const writable = gather(epfd, [client, server], EPOLLOUT)
  t.strictSame([writable.get(client), writable.get(server)], [EPOLLOUT, EPOLLOUT])
  t.strictSame(wait(epfd, 100), [])
  write(client, 'hello')
  write(server, 'world')
  const both = EPOLLIN | EPOLLOUT
  const seen = gather(epfd, [client, server], both)
  t.strictSame([seen.get(client), seen.get(server)], [both, both])
})

test('C161 each datagram that is sent after the last was read is an edge', (t) => {
  using fds = new Descriptors()
  const [receiver, sender] = fds.pair(sys.SOCK_DGRAM)
  const epfd = fds.epoll([receiver, EPOLLIN | EPOLLET])
  write(sender, 'first')
  t.strictSame(wait(epfd), [[EPOLLIN, receiver]])
  t.equal(read(receiver), 'first')
  t.equal(read(receiver), null)
  write(sender, 'second')
  t.strictSame(wait(epfd), [[EPOLLIN, receiver]])
  t.equal(read(receiver), 'second')
})

test('data that is left unread makes no edge, and one write more makes one', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<null>()
  const [reading, writing] = fds.pipe()
  const registration = epoll.add(reading, EPOLLIN | EPOLLET, null)
  t.equal(registration.events, (EPOLLIN | EPOLLET) >>> 0)
  const seen: number[] = []
  const look = () => epoll.wait(0, (_, events) => seen.push(events))
  write(writing, 'x')
  t.strictSame([look(), look()], [1, 0])
  write(writing, 'x')
  t.strictSame([look(), look()], [1, 0])
  t.strictSame(seen, [EPOLLIN, EPOLLIN])
})
