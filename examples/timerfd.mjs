// A timer that fires every 50 ms, and doesn't forget what was missed.

import { EPOLLIN, Epoll, TimerFd } from 'genpoll'

const epoll = new Epoll()
const timer = new TimerFd()
const start = performance.now()
let ticks = 0

epoll.add(timer, EPOLLIN, () => {
  const expirations = timer.read()
  ticks += expirations
  const ms = Math.round(performance.now() - start)
  console.log(`${ms} ms: fired ${expirations === 1 ? 'once' : `${expirations} times`}`)
  // Busy for a while, once: the next read tells how many were missed.
  if (ticks === 3) while (performance.now() < start + 320);
})

timer.set({ intervalMs: 50 })
while (ticks < 8) epoll.wait(-1, ({ data }) => data())

timer.close()
epoll.close()
