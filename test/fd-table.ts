import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { AF_UNIX, EventFd, Fd, fdTable, O_CLOEXEC, SOCK_STREAM } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'

test('a number that genpoll never saw has generation 0, until a token is made', (t) => {
  const never = 2 ** 20 - 1
  t.equal(fdTable.generation(never), 0)
  t.equal(fdTable.isCurrent({ fd: never, generation: 0 }), false)
  const token = fdTable.token(never)
  t.not(token.generation, 0)
  t.strictSame(token, { fd: never, generation: fdTable.generation(never) })
  t.equal(fdTable.isCurrent(token), true)
})

test('a token is current until the number is retired', (t) => {
  const fd = openSync('/dev/null', 'r')
  const token = fdTable.token(fd)
  t.strictSame(fdTable.token(fd), token)
  t.equal(fdTable.isCurrent(token), true)
  fdTable.retire(fd)
  t.equal(fdTable.isCurrent(token), false)
  t.not(fdTable.generation(fd), token.generation)
  t.equal(fdTable.isCurrent(fdTable.token(fd)), true)
  closeSync(fd)
})

test('every open and close bumps the generation', (t) => {
  using other = new EventFd()
  const opens: Record<string, () => number[]> = {
    epoll_create1: () => [sys.epoll_create1(0)],
    eventfd: () => [sys.eventfd(0, 0)],
    timerfd_create: () => [sys.timerfd_create(sys.CLOCK_MONOTONIC, 0)],
    signalfd: () => [sys.signalfd(-1, [], 0)],
    pidfd_open: () => [sys.pidfd_open(process.pid, 0)],
    dup: () => [sys.dup(other.fd)],
    pipe2: () => sys.pipe2(0),
    socketpair: () => sys.socketpair(AF_UNIX, SOCK_STREAM, 0),
  }
  for (const [name, open] of Object.entries(opens)) {
    const first = open()
    const tokens = first.map((fd) => fdTable.token(fd))
    t.ok(
      tokens.every((token) => fdTable.isCurrent(token)),
      name,
    )
    for (const fd of first) sys.close(fd)
    t.notOk(
      tokens.some((token) => fdTable.isCurrent(token)),
      `${name}, closed`,
    )
    const closed = first.map((fd) => fdTable.token(fd))
    const second = open()
    t.strictSame(second, first, 'the kernel gives the same numbers again')
    t.notOk(
      closed.some((token) => fdTable.isCurrent(token)),
      `${name}, opened`,
    )
    for (const fd of second) sys.close(fd)
  }
})

test('a dup3 bumps the number that it replaces, not the one that it copies', (t) => {
  using bell = new EventFd()
  using other = new EventFd()
  const [from, over] = [fdTable.token(other.fd), fdTable.token(bell.fd)]
  t.equal(sys.dup3(other.fd, bell.fd, O_CLOEXEC), over.fd)
  t.equal(fdTable.isCurrent(over), false)
  t.equal(fdTable.isCurrent(from), true)
  sys.close(over.fd)
})

test('what fails to open or replace bumps nothing', (t) => {
  using bell = new EventFd()
  const token = fdTable.token(bell.fd)
  t.throws(() => sys.dup3(-1, bell.fd, 0), { code: 'EBADF' })
  t.throws(() => sys.dup3(bell.fd, bell.fd, 0), { code: 'EINVAL' })
  t.throws(() => sys.pipe2(1), { code: 'EINVAL' })
  t.equal(fdTable.isCurrent(token), true)
})

test('the classes carry the generation of their number', (t) => {
  const bell = new EventFd()
  t.strictSame(fdTable.token(bell.fd), { fd: bell.fd, generation: bell.generation })
  const token = fdTable.token(bell.fd)
  const number = bell.release()
  t.equal(fdTable.isCurrent(token), false)
  const next = Fd.adopt(number)
  t.equal(next.generation, fdTable.generation(number))
  const current = fdTable.token(number)
  next.close()
  t.equal(fdTable.isCurrent(current), false)
  t.equal(next.generation, current.generation, 'a closed one keeps the generation it had')
})

test('all threads see the same generations', async (t) => {
  const worker = new Worker(new URL('./fixtures/children/generations.mjs', import.meta.url))
  const ask = async (message: object): Promise<unknown> => {
    const answer = once(worker, 'message')
    worker.postMessage(message)
    return (await answer)[0]
  }
  try {
    const bell = new EventFd()
    const token = fdTable.token(bell.fd)
    t.equal(await ask({ command: 'generation', fd: bell.fd }), bell.generation)
    t.equal(await ask({ command: 'isCurrent', token }), true)

    await ask({ command: 'retire', fd: bell.fd })
    t.equal(fdTable.isCurrent(token), false)
    t.equal(bell.closed, true)
    using again = Fd.adopt(token.fd)

    await ask({ command: 'close', fd: token.fd })
    t.equal(again.closed, true)
    t.throws(() => again.fd, { code: 'ERR_CLOSED' })

    const theirs = (await ask({ command: 'make' })) as { fd: number; generation: number }
    t.equal(fdTable.isCurrent(theirs), true)
    t.throws(() => Fd.adopt(theirs.fd), { code: 'EEXIST' }, 'owned by the worker')
    sys.close(theirs.fd)
    t.equal(await ask({ command: 'isCurrent', token: theirs }), false)
  } finally {
    await worker.terminate()
  }
})
