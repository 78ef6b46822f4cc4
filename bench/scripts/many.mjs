// As many registrations as may be. Twin: twins/many.c.
import { EFD_NONBLOCK, EPOLLIN, Epoll, EventFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { serve, timed } from './serve.mjs'

const kinds = {
  owned: () => new EventFd(),
  foreign: () => sys.eventfd(0, EFD_NONBLOCK),
}
let targets = []
let entries = []
let amongFew
let amongMany

const open = (kind) => (count) => {
  targets = Array.from({ length: count }, kinds[kind])
  entries = targets.map((target) => [target, EPOLLIN, undefined])
}

/** [adding one, removing one] in nanoseconds, `times` over. */
const churn = (add) => (times) => {
  const epoll = new Epoll()
  const count = targets.length
  let adding = 0
  let removing = 0
  for (let i = 0; i < times; i++) {
    let registrations
    adding += timed(() => {
      registrations = add(epoll)
    })
    removing += timed(() => {
      for (let at = 0; at < count; at++) registrations[at].remove()
    })
  }
  epoll.close()
  return [adding / times / count, removing / times / count]
}

function addEach(epoll) {
  const registrations = new Array(targets.length)
  for (let at = 0; at < targets.length; at++) {
    registrations[at] = epoll.add(targets[at], EPOLLIN, undefined)
  }
  return registrations
}

const addAll = (epoll) => epoll.addAll(entries)

/** Bytes of JavaScript heap that each registration takes; `data` is the caller's. */
function heap() {
  const epoll = new Epoll()
  globalThis.gc()
  const before = process.memoryUsage().heapUsed
  addAll(epoll)
  globalThis.gc()
  const bytes = process.memoryUsage().heapUsed - before
  epoll.close()
  return bytes / targets.length
}

/** An epoll with one active descriptor among `count`. */
function prepareWait(count) {
  const epoll = new Epoll()
  const bell = new EventFd()
  epoll.addAll(entries.slice(0, count - 1))
  epoll.add(bell, EPOLLIN, bell)
  return (times) => {
    const ns = timed(() => {
      for (let i = 0; i < times; i++) {
        bell.write()
        epoll.wait(-1, take)
      }
    })
    return ns / times
  }
}

function take(registration) {
  registration.data.read()
}

await serve({
  owned: open('owned'),
  foreign: open('foreign'),
  churnEach: churn(addEach),
  churnAll: churn(addAll),
  heap,
  prepareWaits() {
    amongFew = prepareWait(10)
    amongMany = prepareWait(targets.length)
  },
  waitAmongFew: (times) => amongFew(times),
  waitAmongMany: (times) => amongMany(times),
})
