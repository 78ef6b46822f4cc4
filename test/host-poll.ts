// Node's own loop, or a thread where there is no libuv, watches an epoll and calls JavaScript.

import { AsyncLocalStorage } from 'node:async_hooks'
import { openSync } from 'node:fs'
import { constants } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { EPOLLIN, FD_CLOEXEC, O_CLOEXEC, SignalFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { openDescriptors, test } from './fixtures/check.js'
import { Descriptors, wait } from './fixtures/kernel.js'
import { binding, textOf, threads, WAYS, Watched } from './fixtures/watched.js'

const { EBADF, EEXIST, EINVAL, EPERM } = constants.errno
/** poll and ppoll, of either architecture. */
const POLL = process.arch === 'x64' ? [7, 271] : [73]

for (const [way, usesThread] of Object.entries(WAYS)) {
  test(`${way}: calls whenever something becomes ready`, async (t) => {
    using fds = new Descriptors()
    const bell = fds.eventfd()
    const epfd = fds.epoll([bell, EPOLLIN])
    using watched = new Watched(epfd, usesThread, () => sys.eventfd_read(bell))
    for (let round = 1; round <= 50; round++) {
      sys.eventfd_write(bell, round)
      await watched.first(round)
    }
    t.strictSame(
      watched.seen,
      Array.from({ length: 50 }, (_, i) => BigInt(i + 1)),
    )
  })

  test(`${way}: calls again as long as it stays ready, and not after that`, async (t) => {
    using fds = new Descriptors()
    const bell = fds.eventfd(1)
    const epfd = fds.epoll([bell, EPOLLIN])
    using watched = new Watched(epfd, usesThread, (calls) => {
      return calls < 4 ? wait(epfd) : sys.eventfd_read(bell)
    })
    await watched.first(4)
    for (let i = 0; i < 3; i++) await turn()
    sys.eventfd_write(bell, 2)
    const ready = [[EPOLLIN, bell]]
    t.strictSame(await watched.first(5), [ready, ready, ready, 1n, 2n])
  })

  test(`${way}: ticks and microtasks run after each call`, async (t) => {
    using fds = new Descriptors()
    const epfd = fds.epoll([fds.eventfd(1), EPOLLIN])
    const order: string[] = []
    using watched = new Watched(epfd, usesThread, (calls) => {
      Promise.resolve().then(() => order.push(`microtask ${calls}`))
      process.nextTick(() => order.push(`tick ${calls}`))
      order.push(`call ${calls}`)
    })
    await watched.first(3)
    t.strictSame(
      order.slice(0, 6),
      [1, 2].flatMap((i) => [`call ${i}`, `tick ${i}`, `microtask ${i}`]),
    )
  })

  test(`${way}: calls in the async context in which it was started`, async (t) => {
    using fds = new Descriptors()
    const epfd = fds.epoll([fds.eventfd(1), EPOLLIN])
    const storage = new AsyncLocalStorage<string>()
    using watched = storage.run('started here', () => {
      return new Watched(epfd, usesThread, () => storage.getStore())
    })
    t.strictSame((await watched.first(2)).slice(0, 2), ['started here', 'started here'])
  })

  test(`${way}: goes on with the epoll that took the place of the first`, async (t) => {
    using fds = new Descriptors()
    const [bell, newBell] = [fds.eventfd(), fds.eventfd()]
    const epfd = fds.epoll([bell, EPOLLIN])
    using watched = new Watched(epfd, usesThread, () => {
      const ready = wait(epfd)
      sys.eventfd_read(newBell)
      return ready
    })
    t.equal(binding.host_pause(watched.id), 0)
    t.equal(binding.host_pause(watched.id), 0)
    sys.dup3(fds.epoll([newBell, EPOLLIN]), epfd, O_CLOEXEC)
    for (const fd of [bell, newBell]) sys.eventfd_write(fd, 1)
    for (let i = 0; i < 3; i++) await turn()
    t.strictSame(watched.seen, [])
    t.equal(binding.host_resume(watched.id), 0)
    t.equal(binding.host_resume(watched.id), 0)
    t.strictSame(await watched.first(1), [[[EPOLLIN, newBell]]])
    sys.eventfd_write(newBell, 1)
    t.equal((await watched.first(2)).length, 2)
  })

  test(`${way}: the epoll is replaced again and again while it is ready`, async (t) => {
    using fds = new Descriptors()
    const bells = [fds.eventfd(1), fds.eventfd(1)]
    const epolls = bells.map((bell) => fds.epoll([bell, EPOLLIN]))
    const epfd = fds.epoll()
    let round = 0
    using watched = new Watched(epfd, usesThread, () => [round, wait(epfd)])
    for (; round < 200; round++) {
      binding.host_pause(watched.id)
      sys.dup3(epolls[round % 2]!, epfd, O_CLOEXEC)
      binding.host_resume(watched.id)
      if (round % 3 === 0) await watched.first(watched.seen.length + 1)
    }
    t.ok(watched.seen.length >= 67)
    for (const [round, ready] of watched.seen) {
      t.strictSame(ready, [[EPOLLIN, bells[(round as number) % 2]]])
    }
  })

  test(`${way}: a callback stops it and closes the epoll`, async (t) => {
    using fds = new Descriptors()
    const bell = fds.eventfd(1)
    for (let i = 0; i < 20; i++) {
      const epfd = fds.epoll([bell, EPOLLIN])
      const watched: Watched<number[]> = new Watched(epfd, usesThread, () => {
        const answers = [binding.host_stop(watched.id), binding.host_stop(watched.id)]
        fds.close(epfd)
        return answers
      })
      await watched.first(1)
      await turn()
      t.strictSame(watched.seen, [[0, -EBADF]])
    }
    await threads(0)
  })

  test(`${way}: one that another’s callback has stopped isn’t called`, async (t) => {
    using fds = new Descriptors()
    const bell = fds.eventfd(1)
    const called: number[] = []
    const ids = [0, 1].map((which) => {
      const callback = () => {
        called.push(which)
        for (const id of ids) binding.host_stop(id)
      }
      return binding.host_start(fds.epoll([bell, EPOLLIN]), callback, usesThread)
    })
    while (called.length === 0) await turn()
    for (let i = 0; i < 3; i++) await turn()
    t.equal(called.length, 1)
  })

  test(`${way}: an epoll is started and stopped within one turn, many times`, async (t) => {
    using fds = new Descriptors()
    const epfd = fds.epoll([fds.eventfd(1), EPOLLIN])
    const ids = Array.from({ length: 100 }, () => {
      using watched = new Watched(epfd, usesThread, () => t.fail('called'))
      return watched.id
    })
    t.strictSame(
      ids,
      ids.map((_, i) => ids[0]! + i),
      'no id is used twice',
    )
    await threads(0)
  })

  test(`${way}: what can’t be done is answered`, (t) => {
    using fds = new Descriptors()
    const epfd = fds.epoll()
    const nothing = () => {}
    using watched = new Watched(epfd, usesThread, nothing)
    const { id } = watched
    t.equal(binding.host_start(-1, nothing, usesThread), -EBADF)
    t.equal(binding.host_start(epfd, nothing, usesThread), -EEXIST)
    t.equal(binding.host_start(fds.epoll(), {} as () => void, usesThread), -EINVAL)
    t.equal(binding.host_stop(id), 0)
    for (const bad of [id, id + 1, -1, 2 ** 31 - 1, -(2 ** 31)]) {
      t.equal(binding.host_ref(bad, 1), -EBADF)
      t.equal(binding.host_pause(bad), -EBADF)
      t.equal(binding.host_resume(bad), -EBADF)
      t.equal(binding.host_stop(bad), -EBADF)
    }
  })
}

test('libuv: what can’t be polled is refused', (t) => {
  using fds = new Descriptors()
  const file = fds.own(openSync(fileURLToPath(import.meta.url), 'r'))
  t.equal(
    binding.host_start(file, () => {}, 0),
    -EPERM,
  )
})

test('a thread: takes no signals, has no descriptor that a child gets, and ends', async (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  await threads(0)
  const before = openDescriptors()
  using watched = new Watched(epfd, 1, () => t.fail('called'))
  const others = [...openDescriptors().keys()].filter((fd) => !before.has(fd))
  t.equal(others.length, 1)
  t.equal(sys.fcntl_getfd(others[0]!), FD_CLOEXEC)
  const [thread] = await threads(1)
  const [, mask] = /^SigBlk:\s*(\w+)$/m.exec(textOf(`${thread}/status`))!
  const { SIGKILL, SIGSTOP } = constants.signals
  for (let signal = 1; signal <= 64; signal++) {
    // Those from 32 on are the C library's own.
    if (signal >= 32 && signal < binding.SIGRTMIN) continue
    const isBlocked = ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n
    t.equal(isBlocked, signal !== SIGKILL && signal !== SIGSTOP, `signal ${signal}`)
  }
  new SignalFd(['SIGUSR2']).close()
  binding.host_stop(watched.id)
  t.strictSame([...openDescriptors()], [...before])
  await threads(0)
})

/** Blocks this thread until the one that looks at epolls is blocked, and says whether it looks. */
function isLooking(thread: string | undefined): boolean {
  for (;;) {
    const [call] = textOf(`${thread}/syscall`).split(' ')
    if (call !== 'running') return POLL.includes(Number(call))
  }
}

test('a thread: what it saw before a pause isn’t called for', async (t) => {
  using fds = new Descriptors()
  const bell = fds.eventfd()
  const epfd = fds.epoll([bell, EPOLLIN])
  await threads(0)
  using watched = new Watched(epfd, 1, () => sys.eventfd_read(bell))
  const [thread] = await threads(1)
  while (!isLooking(thread));
  sys.eventfd_write(bell, 1)
  while (isLooking(thread));
  binding.host_pause(watched.id)
  t.equal(isLooking(thread), false)
  sys.eventfd_read(bell)
  binding.host_resume(watched.id)
  while (!isLooking(thread));
  for (let i = 0; i < 3; i++) await turn()
  sys.eventfd_write(bell, 2)
  t.strictSame(await watched.first(1), [2n])
})

test('a thread: doesn’t look while it is being called for', async (t) => {
  using fds = new Descriptors()
  const bell = fds.eventfd(1)
  const epfd = fds.epoll([bell, EPOLLIN])
  await threads(0)
  let thread: string | undefined
  using watched = new Watched(epfd, 1, () => {
    binding.host_pause(watched.id)
    binding.host_resume(watched.id)
    return [isLooking(thread), sys.eventfd_read(bell)]
  })
  thread = (await threads(1))[0]
  await watched.first(1)
  sys.eventfd_write(bell, 2)
  t.strictSame(await watched.first(2), [
    [false, 1n],
    [false, 2n],
  ])
})
