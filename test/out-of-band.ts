import { execFileSync } from 'node:child_process'
import { Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'
import { Descriptors, modify, read, wait, write } from './fixtures/kernel.js'
import { tcpPair } from './fixtures/tcp.js'
import { Waiter } from './fixtures/waiters.js'

const { EPOLLET, EPOLLIN, EPOLLOUT, EPOLLPRI } = sys

/** `oob inline`, `oob send TEXT` or `oob receive`: see fixtures/oob.c. */
function oob(socket: number, ...command: string[]): string {
  const stdio = ['ignore', 'pipe', 'inherit', socket] as const
  return execFileSync(compile('oob'), command, { stdio: [...stdio], encoding: 'utf8' })
}

test('C152 out-of-band data is urgent, and data', async (t) => {
  using fds = new Descriptors()
  const [socket, peer] = await tcpPair(fds)
  const epfd = fds.epoll([socket, EPOLLIN | EPOLLPRI])
  t.strictSame(wait(epfd), [])
  oob(peer, 'send', 'hi')
  t.strictSame(wait(epfd, -1), [[EPOLLIN | EPOLLPRI, socket]])
  t.equal(read(socket), 'h')
  t.equal(oob(socket, 'receive'), 'i')
})

test('C153 a blocked thread hears of a flag that is taken away and given back meanwhile', async (t) => {
  using fds = new Descriptors()
  const [socket, peer] = await tcpPair(fds)
  const epfd = fds.epoll([socket, EPOLLPRI])
  await using waiter = await Waiter.start()
  const waiting = waiter.wait(epfd)
  await untilBlocked('epoll_pwait', epfd)
  modify(epfd, socket, 0)
  modify(epfd, socket, EPOLLPRI)
  oob(peer, 'send', 'x')
  t.strictSame(await waiting, [[EPOLLPRI, socket]])
})

test('C154 inline and edge-triggered: an edge for the urgent byte, one for the byte after it', async (t) => {
  using fds = new Descriptors()
  const [socket, peer] = await tcpPair(fds)
  oob(socket, 'inline')
  const epfd = fds.epoll([socket, EPOLLIN | EPOLLPRI | EPOLLET])
  oob(peer, 'send', 'x')
  t.strictSame(wait(epfd, -1), [[EPOLLIN | EPOLLPRI, socket]])
  t.strictSame(wait(epfd), [])
  t.equal(read(socket, 1), 'x')
  write(peer, 'y')
  t.strictSame(wait(epfd, -1), [[EPOLLIN, socket]])
  t.strictSame(wait(epfd), [])
})

test('C155 inline and level-triggered: urgent until it is read, then no more', async (t) => {
  using fds = new Descriptors()
  const [socket, peer] = await tcpPair(fds)
  oob(socket, 'inline')
  const epfd = fds.epoll([socket, EPOLLPRI])
  oob(peer, 'send', 'x')
  for (const timeoutMs of [-1, 0, 0]) t.strictSame(wait(epfd, timeoutMs), [[EPOLLPRI, socket]])
  t.equal(read(socket, 1), 'x')
  t.strictSame(wait(epfd), [])
  write(peer, 'y')
  t.strictSame(wait(epfd, 50), [])
  t.equal(read(socket), 'y')
})

test('C156 the urgent byte comes apart from the rest, and the socket stays writable', async (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<null>()
  const [socket, peer] = await tcpPair(fds)
  epoll.add(socket, EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLET, null)
  t.equal(
    epoll.wait(0, (_, events) => t.equal(events, EPOLLOUT)),
    1,
  )
  for (const word of ['hello', 'world']) {
    oob(peer, 'send', word)
    epoll.wait(-1, (_, events) => t.equal(events, EPOLLIN | EPOLLOUT | EPOLLPRI))
    t.equal(oob(socket, 'receive'), word.slice(4))
    t.equal(read(socket), word.slice(0, 4))
  }
})
