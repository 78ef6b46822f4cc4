// A descriptor among many comes to name another file without genpoll, and is registered again.
// Beside it: twins/repair.c.
import { closeSync, openSync } from 'node:fs'
import { EFD_NONBLOCK, EPOLLIN, Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { serve, timed } from './serve.mjs'

const epoll = new Epoll()
let registrations = []
let next = 0

const open = (onReplaced) => (count) => {
  const entries = Array.from({ length: count }, () => [
    sys.eventfd(0, EFD_NONBLOCK),
    EPOLLIN,
    undefined,
  ])
  registrations = epoll.addAll(entries, { onReplaced })
}

/** The places of `count` registrations that lie far from each other. */
function pick(count) {
  return Array.from({ length: count }, () => {
    next = (next + 7919) % registrations.length
    return next
  })
}

/** Another file that can be polled, under the number of this one. */
function replace({ fd }) {
  closeSync(fd)
  if (openSync('/dev/random') !== fd) throw new Error(`${fd} was not the lowest number free`)
}

/** Nanoseconds that it takes until `verify` calls one of `count` current again. */
const repair = (mend) => (count) => {
  const places = pick(count)
  for (const place of places) replace(registrations[place])
  const ns = timed(() => {
    for (const place of places) {
      mend(place)
      if (registrations[place].verify() !== 'current') throw new Error('not repaired')
    }
  })
  return ns / count
}

await serve({
  stale: open('stale'),
  follow: open('follow'),
  repairStale: repair((place) => {
    const { fd, data } = registrations[place]
    registrations[place].verify()
    registrations[place] = epoll.add(fd, EPOLLIN, data)
  }),
  repairFollow: repair((place) => {
    registrations[place].verify()
  }),
})
