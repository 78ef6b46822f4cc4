// Two epolls in one process that differ only in whom the ready descriptors belong to: owned ones are
// known by the table, for plain numbers the kernel is asked before each handler.
import { EFD_NONBLOCK, EPOLLIN, Epoll, EventFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { serve, timed } from './serve.mjs'

const READY = 256
const epolls = {}
let ready = 0
let handled = 0

function handlerOf() {
  return (events) => {
    handled += events
  }
}

function call(registration, events) {
  registration.data(events)
}

const wait = (epoll) => (events) =>
  timed(() => {
    for (let i = 0; i < events; i += ready) epoll.wait(-1, call)
  }) / events

await serve({
  setup(registered) {
    ready = Math.min(registered, READY)
    // The rest is idle and the same in both: a process may not have room for twice as many.
    const idle = Array.from({ length: registered - ready }, () => sys.eventfd(0, EFD_NONBLOCK))
    const targets = {
      owned: Array.from({ length: ready }, () => new EventFd({ initial: 1 })),
      foreign: Array.from({ length: ready }, () => sys.eventfd(1, EFD_NONBLOCK)),
    }
    for (const whose of ['owned', 'foreign']) {
      epolls[whose] = new Epoll({ maxEvents: READY })
      epolls[whose].addAll(idle.map((fd) => [fd, EPOLLIN, handlerOf()]))
      epolls[whose].addAll(targets[whose].map((target) => [target, EPOLLIN, handlerOf()]))
    }
  },
  owned: (events) => wait(epolls.owned)(events),
  foreign: (events) => wait(epolls.foreign)(events),
})
if (handled === 0) process.exitCode = 1
