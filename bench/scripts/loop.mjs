// The loops of twins/loop.c on genpoll.
import { AsyncLocalStorage } from 'node:async_hooks'
import { EFD_NONBLOCK, EPOLL_CTL_ADD, EPOLLET, EPOLLIN, Epoll, EventFd, Loop } from 'genpoll'
import * as sys from 'genpoll/sys'
import { serve, timed, timedUntil } from './serve.mjs'

const READY = 256
let handled = 0
const storage = new AsyncLocalStorage()

const cases = {
  sys(n) {
    const epfd = sys.epoll_create1(0)
    const fd = sys.eventfd(0, EFD_NONBLOCK)
    const out = new Uint32Array(3 * READY)
    sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, EPOLLIN)
    for (let i = 0; i < n; i++) {
      sys.eventfd_write(fd, 1)
      const count = sys.epoll_pwait(epfd, out, -1)
      for (let at = 1; at < 3 * count; at += 3) {
        sys.eventfd_read(out[at])
        handled++
      }
    }
    sys.close(fd)
    sys.close(epfd)
  },

  level(n) {
    const epoll = new Epoll()
    const bell = new EventFd()
    epoll.add(bell, EPOLLIN, bell)
    for (let i = 0; i < n; i++) {
      bell.write()
      epoll.wait(-1, take)
    }
    bell.close()
    epoll.close()
  },

  edge(n) {
    const epoll = new Epoll()
    const bell = new EventFd()
    epoll.add(bell, EPOLLIN | EPOLLET, bell)
    for (let i = 0; i < n; i++) {
      bell.write()
      epoll.wait(-1, count)
    }
    bell.close()
    epoll.close()
  },

  run(n) {
    const loop = new Loop()
    pingPong(loop, n, () => {})
    loop.run()
    loop.close()
  },

  /** The same with a handler that has a store. */
  runWithStore(n) {
    const loop = new Loop()
    storage.run({}, () => pingPong(loop, n, () => {}))
    loop.run()
    loop.close()
  },

  dispatch(n) {
    const epoll = new Epoll({ maxEvents: READY })
    const bells = Array.from({ length: READY }, () => new EventFd({ initial: 1 }))
    for (const bell of bells) {
      epoll.add(bell, EPOLLIN, (events) => {
        handled += events
      })
    }
    for (let i = 0; i < n; i += READY) epoll.wait(-1, call)
    for (const bell of bells) bell.close()
    epoll.close()
  },
}

/** Rings until it has rung `n` times. */
function pingPong(loop, n, whenDone) {
  const bell = new EventFd()
  let left = n
  loop.watch(bell, EPOLLIN, () => {
    handled += bell.read()
    if (--left > 0) {
      bell.write()
    } else {
      bell.close()
      whenDone()
    }
  })
  bell.write()
}

async function start(n) {
  const loop = new Loop()
  loop.start()
  const ns = await timedUntil((end) => pingPong(loop, n, end))
  loop.close()
  return ns / n
}

function take(registration) {
  handled += registration.data.read()
}

function count(_registration, events) {
  handled += events
}

function call(registration, events) {
  registration.data(events)
}

/** Each case answers with the nanoseconds of processor time that one of its iterations took. */
const perIteration = (run) => (n) => timed(() => run(n)) / n

await serve({
  ...Object.fromEntries(Object.entries(cases).map(([name, run]) => [name, perIteration(run)])),
  start,
})
if (handled === 0) process.exitCode = 1
