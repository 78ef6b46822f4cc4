// Prints how many bytes of heap ten million events allocate. Run with a young generation so large
// that nothing is collected meanwhile (run.mjs does): then what is used more is what was allocated.
import { EPOLLIN, Epoll, EventFd } from 'genpoll'

const READY = 256
const EVENTS = 10_000_000
const epoll = new Epoll({ maxEvents: READY })
const bells = Array.from({ length: READY }, () => new EventFd({ initial: 1 }))
let handled = 0
for (const bell of bells) {
  epoll.add(bell, EPOLLIN, (events) => {
    handled += events
  })
}
const call = (registration, events) => registration.data(events)
const run = (events) => {
  for (let i = 0; i < events; i += READY) epoll.wait(-1, call)
}

run(1_000_000) // compiled by now
globalThis.gc()
const before = process.memoryUsage().heapUsed
run(EVENTS)
const bytes = process.memoryUsage().heapUsed - before
console.log(JSON.stringify({ events: EVENTS, handled, bytes }))
