import { once } from 'node:events'
import { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, isErrno } from 'genpoll'
import { test } from './fixtures/check.js'
import { Descriptors, modify, read, wait, write } from './fixtures/kernel.js'
import { PATIENCE_MS } from './fixtures/poll.js'
import { connection, shutdown, tcpPair } from './fixtures/tcp.js'

test('C243 C258 first the peer, then both sides of a unix socket have done', (t) => {
  using fds = new Descriptors()
  const [a, b] = fds.pair()
  const epfd = fds.epoll([a, EPOLLRDHUP])
  shutdown(b, 'WR')
  for (let i = 0; i < 2; i++) t.same(wait(epfd), [[EPOLLRDHUP, a]])
  shutdown(a, 'WR')
  for (let i = 0; i < 2; i++) t.same(wait(epfd), [[EPOLLRDHUP | EPOLLHUP, a]])
  modify(epfd, a, EPOLLOUT)
  for (let i = 0; i < 2; i++) t.same(wait(epfd), [[EPOLLOUT | EPOLLHUP, a]])
  modify(epfd, a, EPOLLOUT | EPOLLET)
  t.same(wait(epfd), [[EPOLLOUT | EPOLLHUP, a]])
  t.same(wait(epfd), [])
})

test('C247 C249 reading shut down by ourselves', async (t) => {
  using fds = new Descriptors()
  const [client] = await tcpPair(fds)
  const epfd = fds.epoll([client, EPOLLRDHUP])
  t.same(wait(epfd), [])
  shutdown(client, 'RD')
  t.same(wait(epfd), [[EPOLLRDHUP, client]])
  t.equal(read(client), '')
})

test('C250 C253 writing shut down by the peer', async (t) => {
  using fds = new Descriptors()
  const [client, server] = await tcpPair(fds)
  const epfd = fds.epoll([client, EPOLLIN | EPOLLRDHUP])
  t.same(wait(epfd), [])
  shutdown(server, 'WR')
  t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN | EPOLLRDHUP, client]])
  t.equal(read(client), '')
})

test('C251 both directions shut down by ourselves', async (t) => {
  using fds = new Descriptors()
  const [client] = await tcpPair(fds)
  const epfd = fds.epoll([client, 0])
  shutdown(client, 'RDWR')
  t.same(wait(epfd, PATIENCE_MS), [[EPOLLHUP, client]])
})

test('C254 writing shut down by ourselves leaves the socket writable', async (t) => {
  using fds = new Descriptors()
  const [client] = await tcpPair(fds)
  const epfd = fds.epoll([client, EPOLLOUT])
  shutdown(client, 'WR')
  t.same(wait(epfd), [[EPOLLOUT, client]])
  t.throws(() => write(client, 'w'), { code: 'EPIPE', errno: -32, syscall: 'write' })
})

test('C248 a server that drops the connection ends the client’s input', async (t) => {
  using fds = new Descriptors()
  const [client, server] = await tcpPair(fds)
  const epfd = fds.epoll([client, EPOLLIN])
  t.same(wait(epfd), [])
  fds.close(server)
  t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, client]])
  t.equal(read(client), '')
})

const RESET = { code: 'ECONNRESET', errno: -104, syscall: 'read' } as const

test('C245 a connection that is reset', async (t) => {
  using fds = new Descriptors()
  const { fd, peer } = await connection(fds)
  const epfd = fds.epoll([fd, EPOLLIN | EPOLLRDHUP])
  t.same(wait(epfd), [])
  peer.resetAndDestroy()
  const all = EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP
  t.same(wait(epfd, PATIENCE_MS), [[all, fd]])
  t.throws(() => read(fd), RESET)
  // The error is told once.
  t.same(wait(epfd), [[all & ~EPOLLERR, fd]])
  t.equal(read(fd), '')
})

test('C246 a connection that was reset before it is added', async (t) => {
  using fds = new Descriptors()
  const { fd, peer } = await connection(fds)
  peer.resetAndDestroy()
  await once(peer, 'close')
  const epfd = fds.epoll([fd, EPOLLIN])
  t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN | EPOLLERR | EPOLLHUP, fd]])
  t.throws(() => read(fd), RESET)
})

test('C252 who goes on writing learns in the end that the peer is gone', async (t) => {
  using fds = new Descriptors()
  const [client, server] = await tcpPair(fds)
  const epfd = fds.epoll([client, EPOLLOUT])
  fds.close(server)
  const error = await t.rejects(async () => {
    for (;;) {
      const [[events] = [0]] = wait(epfd, PATIENCE_MS)
      t.ok(events & EPOLLOUT)
      write(client, 'w')
    }
  })
  t.ok(isErrno(error, 'EPIPE', 'ECONNRESET'))
})

test('C255 what a peer left behind before the epoll was made is input to the last', async (t) => {
  using fds = new Descriptors()
  const [client, server] = await tcpPair(fds)
  write(server, 'data')
  fds.close(server)
  const epfd = fds.epoll([client, EPOLLIN])
  for (const text of ['data', '', '']) {
    t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, client]])
    t.equal(read(client), text)
  }
})

for (const [kind, make, expected] of [
  ['TCP', tcpPair, EPOLLOUT | EPOLLERR | EPOLLHUP],
  ['unix', async (fds: Descriptors) => fds.pair(), EPOLLOUT | EPOLLHUP],
] as const) {
  test(`C256 C257 a ${kind} socket that is written to after the peer has closed`, async (t) => {
    using fds = new Descriptors()
    const [client, server] = await make(fds)
    const epfd = fds.epoll([client, EPOLLIN])
    write(client, 'question')
    t.same(wait(fds.epoll([server, EPOLLIN]), PATIENCE_MS), [[EPOLLIN, server]])
    t.equal(read(server), 'question')
    write(server, 'answer')
    t.same(wait(epfd, PATIENCE_MS), [[EPOLLIN, client]])
    t.equal(read(client), 'answer')
    shutdown(server, 'WR')
    fds.close(server)
    t.equal(wait(epfd, PATIENCE_MS).length, 1)
    // TCP has to ask the other side first; its refusal comes as the hang-up that is waited for.
    if (kind === 'TCP') write(client, 'too late')
    else t.throws(() => write(client, 'too late'), { code: 'EPIPE', errno: -32 })
    t.equal(wait(fds.epoll([client, 0]), PATIENCE_MS).length, 1)
    modify(epfd, client, EPOLLOUT)
    t.same(wait(epfd), [[expected, client]])
  })
}
