// Main thread and worker ring each other in turn: how long that takes, by the clock. Twin:
// twins/wakeups.c.
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import { EPOLLIN, EventFd, Loop } from 'genpoll'
import { serve } from './serve.mjs'

const now = process.hrtime.bigint
const [toMain, toWorker] = [new EventFd(), new EventFd()]
const { port1: port, port2: workerPort } = new MessageChannel()
/** When the worker has rung last. */
const answeredNs = new BigInt64Array(new SharedArrayBuffer(8))
const worker = new Worker(new URL('ringer.mjs', import.meta.url), {
  workerData: { toMain: toMain.fd, toWorker: toWorker.fd, port: workerPort, answeredNs },
  transferList: [workerPort],
})
await once(worker, 'message') // it listens

const ringBell = () => toWorker.write()
const ringPort = () => port.postMessage(null)

let rounds
let ring
let end
let askedNs

function begin(count, how, whenDone) {
  rounds = { count: 0, way: new Float64Array(count), half: new Float64Array(count) }
  ring = how
  end = whenDone
  ask()
}

function ask() {
  askedNs = now()
  ring()
}

/** From the worker's ring until here, and half of the way there and back. */
function hear(heardNs) {
  rounds.way[rounds.count] = Number(heardNs - answeredNs[0])
  rounds.half[rounds.count++] = Number(heardNs - askedNs) / 2
  if (rounds.count < rounds.way.length) ask()
  else end()
}

const quantiles = (sorted) => ({
  median: sorted[Math.floor(0.5 * sorted.length)],
  p99: sorted[Math.floor(0.99 * sorted.length)],
})
const result = () => ({ way: quantiles(rounds.way.sort()), half: quantiles(rounds.half.sort()) })

const loop = new Loop()
loop.watch(toMain, EPOLLIN, () => {
  const heardNs = now()
  toMain.read()
  hear(heardNs)
})
port.on('message', () => hear(now()))

await serve({
  async start(count) {
    loop.start()
    await new Promise((resolve) => begin(count, ringBell, resolve))
    loop.stop()
    return result()
  },
  async port(count) {
    await new Promise((resolve) => begin(count, ringPort, resolve))
    return result()
  },
  run(count) {
    worker.postMessage(count) // so often it doesn't leave the answer to its loop
    begin(count, ringBell, () => loop.stop())
    loop.run()
    return result()
  },
})
process.exit()
