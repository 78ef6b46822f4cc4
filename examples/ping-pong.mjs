// Two workers ring each other through eventfds, each in a loop of its own that blocks its thread.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { EPOLLIN, EventFd, Loop } from 'genpoll'
import * as sys from 'genpoll/sys'

const ROUNDS = 10_000

if (isMainThread) {
  const bells = [new EventFd(), new EventFd()]
  const numbers = bells.map(({ fd }) => fd)
  const players = [numbers, numbers.toReversed()].map(
    ([mine, theirs]) => new Worker(new URL(import.meta.url), { workerData: { mine, theirs } }),
  )
  let ended = 0
  for (const player of players) {
    player.on('message', (rounds) => console.log(`${rounds} rounds`))
    player.on('exit', () => {
      if (++ended === players.length) for (const bell of bells) bell.close()
    })
  }
  bells[0].write()
} else {
  const { mine, theirs } = workerData
  const loop = new Loop()
  let rounds = 0
  // The bells belong to the main thread: their numbers are all that is known of them here.
  loop.watch(mine, EPOLLIN, (_events, source) => {
    sys.eventfd_read(mine)
    if (++rounds === ROUNDS) source.remove()
    sys.eventfd_write(theirs, 1n)
  })
  loop.run()
  loop.close()
  parentPort.postMessage(rounds)
}
