// A zombie whose file is open under another number that genpoll knows.
import { closeSync } from 'node:fs'
import { EFD_NONBLOCK, EPOLLIN, Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { serve, timed } from './serve.mjs'

const epoll = new Epoll()

function fail() {
  throw new Error('a zombie was delivered')
}

function evictOne() {
  const fd = sys.eventfd(1, EFD_NONBLOCK)
  epoll.add(fd, EPOLLIN, undefined)
  const dup = sys.dup(fd)
  closeSync(fd)
  const { stale } = epoll.stats
  const ns = timed(() => epoll.wait(0, fail))
  epoll.wait(0, fail)
  if (epoll.stats.stale !== stale + 1) throw new Error('it was not evicted by its first event')
  sys.close(dup)
  return ns
}

await serve({
  setup(count) {
    epoll.addAll(
      Array.from({ length: count }, () => [sys.eventfd(0, EFD_NONBLOCK), EPOLLIN, undefined]),
    )
  },
  /** What each of `count` takes, in nanoseconds. */
  evict: (count) => Array.from({ length: count }, evictOne),
})
