// Two threads ring each other: each sleeps on one eventfd and writes the other.

import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { EPOLLIN, Epoll, EventFd } from 'genpoll'
import { eventfd_read, eventfd_write } from 'genpoll/sys'

const ROUNDS = 10_000

/** Waits for its bell to ring, and rings the other one. */
function answer({ mine, other }) {
  const epoll = new Epoll()
  epoll.add(mine, EPOLLIN, undefined)
  for (let round = 0; round < ROUNDS; round++) {
    epoll.wait(-1, () => {
      eventfd_read(mine)
      eventfd_write(other, 1)
    })
  }
  epoll.close()
}

if (isMainThread) {
  const ping = new EventFd()
  const pong = new EventFd()
  // Numbers are all that a worker needs: descriptors belong to the whole process.
  const bells = { mine: ping.fd, other: pong.fd }
  const worker = new Worker(new URL(import.meta.url), { workerData: bells })
  ping.write()
  answer({ mine: pong.fd, other: ping.fd })
  console.log(`${ROUNDS} rounds between two threads`)
  worker.on('exit', () => {
    ping.close()
    pong.close()
  })
} else {
  answer(workerData)
}
