// The promise: an event never reaches the wrong handler, though descriptor numbers are recycled.

import { EPOLLIN, Epoll, EventFd } from 'genpoll'

const epoll = new Epoll()
const first = new EventFd({ initial: 1 })
const old = new EventFd({ initial: 1 })
const number = old.fd
let replacement

// Both are ready, so one wait reads both events. The first handler closes the other descriptor, and
// a new file gets its number, while the event of the old file is still to be delivered.
epoll.add(first, EPOLLIN, () => {
  console.log(`descriptor ${number}, generation ${old.generation}: closing it`)
  old.close()
  replacement = new EventFd()
  console.log(`descriptor ${replacement.fd}, generation ${replacement.generation}: a new file`)
  epoll.add(replacement, EPOLLIN, () => console.log('never: nothing was written to the new file'))
})
epoll.add(old, EPOLLIN, () => console.log('never: the old file is closed'))

const delivered = epoll.wait(-1, ({ data }) => data())
console.log(`${delivered} event delivered, ${epoll.stats.stale} dropped`)

for (const descriptor of [first, replacement, epoll]) descriptor.close()
