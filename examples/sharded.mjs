// A server whose connections are shared out among three threads, each with a loop of its own. Two ways:
// each thread listens for itself, all at one port, and the kernel chooses for each connection (reusePort);
// or all listen with the same socket, and the kernel wakes one that waits (EPOLLEXCLUSIVE).

import net from 'node:net'
import { text } from 'node:stream/consumers'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { Loop } from 'genpoll'
import { Listener, serve } from 'genpoll/net'

const CLIENTS = 300

if (isMainThread) {
  const first = Listener.tcp({ reusePort: true })
  const others = [1, 2].map(() => Listener.tcp({ port: first.address().port, reusePort: true }))
  await share('reusePort', [first, ...others], false)
  const one = Listener.tcp()
  await share('EPOLLEXCLUSIVE', [one, one.dup(), one.dup()], true)
} else {
  const loop = new Loop()
  const { number, exclusive } = workerData
  const welcome = (socket) => {
    socket.write(Buffer.from('welcome'))
    socket.close()
  }
  serve(loop, Listener.adopt(number), welcome, { exclusive })
  loop.run()
}

/** Gives each listener to a thread of its own, and calls. */
async function share(way, listeners, exclusive) {
  const { port } = listeners[0].address()
  const workers = listeners.map((listener) => {
    const workerData = { number: listener.release(), exclusive }
    return new Worker(new URL(import.meta.url), { workerData })
  })
  const answers = await Promise.all(Array.from({ length: CLIENTS }, () => text(net.connect(port))))
  const welcomes = answers.filter((answer) => answer === 'welcome')
  console.log(`${way}: ${workers.length} threads, ${welcomes.length} of ${CLIENTS} were welcome`)
  // Whatever a worker has opened is closed with it.
  for (const worker of workers) await worker.terminate()
}
