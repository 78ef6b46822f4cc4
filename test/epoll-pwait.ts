import { EPOLLIN, SIG_BLOCK, SIG_UNBLOCK } from 'genpoll'
import * as sys from 'genpoll/sys'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { Descriptors, read, write } from './fixtures/kernel.js'
import { Handler, isPending, signalThread, Waiter } from './fixtures/waiters.js'

const out = new Uint32Array(24)
const EINTR = { code: 'EINTR', errno: -4, syscall: 'epoll_pwait' }

test('C129 C130 a timeout that isn’t one is refused before the call', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll([fds.eventfd(1), EPOLLIN])
  for (const timeoutNs of [-2n, -1_000_000_000n, 2n ** 63n]) {
    t.throws(() => sys.epoll_pwait2(epfd, out, timeoutNs), { code: 'ERR_OUT_OF_RANGE' })
  }
  t.equal(sys.epoll_pwait2(epfd, out, 2n ** 63n - 1n), 1)
})

test('C131 C141 C144 what is ready is reported, however long the wait may be', (t) => {
  using fds = new Descriptors()
  const bell = fds.eventfd(1)
  const epfd = fds.epoll([bell, EPOLLIN])
  const waits = [
    () => sys.epoll_pwait(epfd, out, -1),
    () => sys.epoll_pwait(epfd, out, -1, ['SIGUSR2']),
    () => sys.epoll_pwait(epfd, out, 0, []),
    () => sys.epoll_pwait2(epfd, out, -1n),
    () => sys.epoll_pwait2(epfd, out, -1n),
    () => sys.epoll_pwait2(epfd, out, 0n),
    () => sys.epoll_pwait2(epfd, out, 1n, ['SIGUSR2']),
  ]
  for (const wait of waits) {
    out.fill(0)
    t.equal(wait(), 1)
    t.same([...out.subarray(0, 3)], [EPOLLIN, bell, 0])
  }
})

test('C133 C134 a signal that the mask blocks waits until the wait is over', async (t) => {
  using fds = new Descriptors()
  using handler = new Handler('SIGUSR2')
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN])
  await using waiter = await Waiter.start()
  const seen = waiter.wait(epfd, { sigmask: ['SIGUSR2'] })
  await untilBlocked('epoll_pwait', epfd)
  signalThread(waiter.tid, 'SIGUSR2')
  t.ok(isPending(waiter.tid, 'SIGUSR2'))
  await untilBlocked('epoll_pwait', epfd)
  t.equal(handler.count, 0)
  write(writing, 'message')
  t.same(await seen, [[EPOLLIN, reading]])
  t.equal(read(reading), 'message')
  await handler.reached(1)
  t.notOk(isPending(waiter.tid, 'SIGUSR2'))
})

test('C098 C135 a signal that the mask lets through ends the wait', async (t) => {
  using fds = new Descriptors()
  using handler = new Handler('SIGUSR2')
  const epfd = fds.epoll([fds.eventfd(), EPOLLIN])
  await using waiter = await Waiter.start()
  for (const [i, sigmask] of [[], ['SIGURG' as const]].entries()) {
    const seen = waiter.wait(epfd, { sigmask })
    await untilBlocked('epoll_pwait', epfd)
    signalThread(waiter.tid, 'SIGUSR2')
    await t.rejects(seen, EINTR)
    await handler.reached(i + 1)
  }
})

test('C098 C135 a signal ends Epoll.wait if it was given a mask', async (t) => {
  using fds = new Descriptors()
  using handler = new Handler('SIGUSR2')
  await using waiter = await Waiter.start()
  const bell = fds.eventfd()
  const epfd = await waiter.add(bell, EPOLLIN)
  // Blocked outside of the wait: in a worker it may be several native ones.
  await waiter.sigprocmask(SIG_BLOCK, ['SIGUSR2'])
  const seen = waiter.deliver(epfd, -1, { sigmask: [] })
  await untilBlocked('epoll_pwait', epfd)
  signalThread(waiter.tid, 'SIGUSR2')
  await t.rejects(seen, EINTR)
  await handler.reached(1)
  sys.eventfd_write(bell, 1)
  t.same(await waiter.deliver(epfd, -1, { sigmask: [] }), [[EPOLLIN, bell]])
})

test('C136 a mask that lets a pending signal through ends the wait at once', async (t) => {
  using fds = new Descriptors()
  using handler = new Handler('SIGUSR2')
  const epfd = fds.epoll([fds.eventfd(), EPOLLIN])
  await using waiter = await Waiter.start()
  await waiter.sigprocmask(SIG_BLOCK, ['SIGUSR2'])
  signalThread(waiter.tid, 'SIGUSR2')
  await t.rejects(waiter.wait(epfd, { timeoutMs: 1000, sigmask: [] }), EINTR)
  await handler.reached(1)
  t.same(await waiter.wait(epfd, { timeoutMs: 1, sigmask: [] }), [])
  t.equal(handler.count, 1)
  t.ok((await waiter.sigprocmask(SIG_UNBLOCK, ['SIGUSR2'])).includes(12), 'the mask is back')
})

test('C137 C138 a signal that stays blocked and pending ends no wait', async (t) => {
  using fds = new Descriptors()
  using handler = new Handler('SIGUSR2')
  const epfd = fds.epoll([fds.eventfd(), EPOLLIN])
  const outer = fds.epoll([epfd, EPOLLIN])
  await using waiter = await Waiter.start()
  await waiter.sigprocmask(SIG_BLOCK, ['SIGUSR2'])
  signalThread(waiter.tid, 'SIGUSR2')
  t.same(await waiter.wait(epfd, { timeoutMs: 10 }), [])
  t.same(await waiter.wait(epfd, { timeoutMs: 10, sigmask: ['SIGUSR2'] }), [])
  t.same(await waiter.wait(outer, { timeoutMs: 0 }), [])
  t.ok(isPending(waiter.tid, 'SIGUSR2'))
  t.equal(handler.count, 0)
  await t.rejects(waiter.wait(outer, { timeoutMs: 1000, sigmask: [] }), EINTR)
  await handler.reached(1)
})
