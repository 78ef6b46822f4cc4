import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { EPOLLIN, SignalFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { blockedThreads, untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { add, Descriptors, read } from './fixtures/kernel.js'
import { connect, listener } from './fixtures/tcp.js'
import { Handler, signalThread, Waiter } from './fixtures/waiters.js'

test('C074 C086 a write ends a wait without end', async (t) => {
  using fds = new Descriptors()
  const bells = [fds.eventfd(), fds.eventfd(), fds.eventfd()] as const
  const epfd = fds.epoll()
  for (const [i, bell] of bells.entries()) add(epfd, bell, EPOLLIN, 123 + i)
  await using waiter = await Waiter.start()
  const seen = waiter.wait(epfd)
  await untilBlocked('epoll_pwait', epfd)
  sys.eventfd_write(bells[1], 1)
  t.same(await seen, [[EPOLLIN, 124]])
})

test('C119 every negative timeout is without end', async (t) => {
  using fds = new Descriptors()
  const bell = fds.eventfd()
  const epfd = fds.epoll([bell, EPOLLIN])
  await using waiter = await Waiter.start()
  for (const timeoutMs of [-1, -2, -0.25]) {
    const seen = waiter.wait(epfd, { timeoutMs })
    await untilBlocked('epoll_pwait', epfd)
    sys.eventfd_write(bell, 1)
    t.same(await seen, [[EPOLLIN, bell]])
    sys.eventfd_read(bell)
  }
})

test('C075 a connection ends a wait', async (t) => {
  using fds = new Descriptors()
  const { fd, port } = await listener(fds)
  const epfd = fds.epoll([fd, EPOLLIN])
  await using waiter = await Waiter.start()
  const seen = waiter.wait(epfd)
  await untilBlocked('epoll_pwait', epfd)
  const socket = await connect(port)
  t.same(await seen, [[EPOLLIN, fd]])
  socket.destroy()
})

test('C114 a write by a child ends a wait', async (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN])
  await using waiter = await Waiter.start()
  const seen = waiter.wait(epfd)
  await untilBlocked('epoll_pwait', epfd)
  const child = spawn('sh', ['-c', 'printf hello >&3'], {
    stdio: ['ignore', 'ignore', 'inherit', writing],
  })
  const exit = once(child, 'exit')
  t.same(await seen, [[EPOLLIN, reading]])
  t.equal(read(reading), 'hello')
  await exit
})

test('C098 C135 a handled signal doesn’t end a wait without a mask', async (t) => {
  using fds = new Descriptors()
  using handler = new Handler('SIGUSR2')
  const bell = fds.eventfd()
  const epfd = fds.epoll([bell, EPOLLIN])
  await using waiter = await Waiter.start()
  const seen = waiter.wait(epfd)
  for (let i = 1; i <= 3; i++) {
    await untilBlocked('epoll_pwait', epfd)
    signalThread(waiter.tid, 'SIGUSR2')
    await handler.reached(i)
  }
  await untilBlocked('epoll_pwait', epfd)
  sys.eventfd_write(bell, 1)
  t.same(await seen, [[EPOLLIN, bell]])
})

test('C097 nor does a real-time signal, sent repeatedly', async (t) => {
  using fds = new Descriptors()
  const bell = fds.eventfd()
  const epfd = fds.epoll([bell, EPOLLIN])
  await using waiter = await Waiter.start()
  const seen = waiter.wait(epfd)
  await untilBlocked('epoll_pwait', epfd)
  // It blocks SIGUSR2 in all threads, and restores their masks, by sending them such a signal.
  for (let i = 0; i < 20; i++) new SignalFd(['SIGUSR2']).close()
  await untilBlocked('epoll_pwait', epfd)
  t.equal(blockedThreads('epoll_pwait', epfd), 1)
  sys.eventfd_write(bell, 1)
  t.same(await seen, [[EPOLLIN, bell]])
})

for (const [where, timeoutMs] of [
  ['in milliseconds', 300],
  ['with a fraction', 300.25],
] as const) {
  test(`C100 C101 a handled signal changes nothing about a wait ${where}`, async (t) => {
    using fds = new Descriptors()
    using handler = new Handler('SIGURG')
    await using waiter = await Waiter.start()
    const epfd = await waiter.add(fds.eventfd(), EPOLLIN)
    const start = process.hrtime.bigint()
    const seen = waiter.deliver(epfd, timeoutMs)
    await untilBlocked('epoll_pwait', epfd)
    signalThread(waiter.tid, 'SIGURG')
    await handler.reached(1)
    t.same(await seen, [])
    t.ok(process.hrtime.bigint() - start >= timeoutMs * 1e6)
    t.equal(handler.count, 1)
  })
}
