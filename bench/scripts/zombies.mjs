// Zombies that only a rebuild removes: something that genpoll doesn't know keeps their file open.
import diagnostics from 'node:diagnostics_channel'
import { closeSync } from 'node:fs'
import { EFD_NONBLOCK, EPOLLIN, Epoll, EventFd, fdTable } from 'genpoll'
import * as sys from 'genpoll/sys'
import { serve, timed } from './serve.mjs'

const epoll = new Epoll()
const keepers = []

function makeZombie() {
  const fd = sys.eventfd(1, EFD_NONBLOCK)
  epoll.add(fd, EPOLLIN, undefined)
  const keeper = sys.dup(fd)
  fdTable.retire(keeper) // so that genpoll doesn't take it for the same file
  keepers.push(keeper)
  closeSync(fd)
}

function fail() {
  throw new Error('a zombie was delivered')
}

/** Makes `perSecond` zombies a second for some seconds, and waits. Nothing else happens. */
function live(perSecond, seconds) {
  const before = epoll.stats
  const start = performance.now()
  const end = start + 1000 * seconds
  let zombies = 0
  let calls = 0
  const ns = timed(() => {
    for (let now = start; now < end; now = performance.now()) {
      const due = perSecond === 0 ? end : start + (1000 * zombies) / perSecond
      if (now < due) {
        calls++
        epoll.wait(Math.min(due, end) - now, fail)
      } else {
        zombies++
        makeZombie()
      }
    }
  })
  const wallNs = 1e6 * (performance.now() - start)
  const { waits, stale, rebuilds } = epoll.stats
  epoll.rebuild()
  for (const keeper of keepers.splice(0)) sys.close(keeper)
  return {
    zombies,
    cpu: ns / wallNs,
    // Each call ends with one that nothing came of.
    wakeUps: Math.max(0, waits - before.waits - calls),
    stale: stale - before.stale,
    rebuilds: rebuilds - before.rebuilds,
  }
}

/** Nanoseconds: one rebuild, and what a zombie takes from its first stale event to its end. */
function one() {
  const before = timed(() => epoll.rebuild())
  const bell = new EventFd()
  const ring = () => bell.write()
  epoll.add(bell, EPOLLIN, undefined)
  makeZombie()
  diagnostics.subscribe('genpoll:rebuild', ring)
  const zombie = timed(() => epoll.wait(-1, () => {}))
  diagnostics.unsubscribe('genpoll:rebuild', ring)
  bell.close()
  sys.close(keepers.pop())
  const after = timed(() => epoll.rebuild())
  return { rebuild: (before + after) / 2, zombie }
}

await serve({
  setup(count) {
    epoll.addAll(
      Array.from({ length: count }, () => [sys.eventfd(0, EFD_NONBLOCK), EPOLLIN, undefined]),
    )
  },
  live,
  one,
})
