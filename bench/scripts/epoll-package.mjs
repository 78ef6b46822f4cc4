// 256 that stay ready, each with a handler: by `Loop` in both modes, and by npm's `epoll`, which
// rides on Node's loop as `Loop.start` does.
import { createRequire } from 'node:module'
import { EFD_NONBLOCK, EPOLLIN, EventFd, Loop } from 'genpoll'
import * as sys from 'genpoll/sys'
import { serve, timed, timedUntil } from './serve.mjs'

const { Epoll } = createRequire(new URL('../peers/', import.meta.url))('epoll')

const READY = 256
const owned = Array.from({ length: READY }, () => new EventFd({ initial: 1 }))
const foreign = Array.from({ length: READY }, () => sys.eventfd(1, EFD_NONBLOCK))
const handlers = new Map()
let handled = 0
let left = 0
let end

function handle(events) {
  handled += events
  if (--left === 0) end()
}

function watch(targets) {
  const loop = new Loop({ maxEvents: READY })
  for (const target of targets) loop.watch(target, EPOLLIN, (events) => handle(events))
  return loop
}

const start = (loop) => async (events) => {
  left = events
  const ns = await timedUntil((resolve) => {
    end = resolve
    loop.start()
  })
  loop.stop()
  return ns / events
}

const run = (loop) => (events) => {
  left = events
  end = () => loop.stop()
  return timed(() => loop.run()) / events
}

async function peer(events) {
  left = events
  for (const fd of foreign) epoll.add(fd, EPOLLIN)
  const ns = await timedUntil((resolve) => {
    end = resolve
  })
  for (const fd of foreign) epoll.remove(fd)
  return ns / events
}

for (const fd of foreign) handlers.set(fd, (events) => handle(events))
const epoll = new Epoll((_error, fd, events) => handlers.get(fd)(events))
const loops = { owned: watch(owned), foreign: watch(foreign) }

await serve({
  startOwned: start(loops.owned),
  startForeign: start(loops.foreign),
  runOwned: run(loops.owned),
  runForeign: run(loops.foreign),
  peer,
})
process.exit(handled === 0 ? 1 : 0)
