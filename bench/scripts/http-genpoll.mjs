// The HTTP server of twins/http.c on genpoll, with one buffer for all connections. Prints its port,
// and ends when stdin does; told `gc` there or `heap`, it prints how much heap is in use. Argument:
// `start` to ride on Node's own loop.
import { readSync, writeSync } from 'node:fs'
import { EPOLLIN, Loop } from 'genpoll'
import { Listener, serve } from 'genpoll/net'
import { countHeads, RESPONSE } from './http.mjs'

const STDIN = 0
const STDOUT = 1
const buffer = Buffer.alloc(65536)
const loop = new Loop()
const listener = Listener.tcp()

serve(loop, listener, (socket) => {
  loop.watch(socket, EPOLLIN, () => {
    try {
      if (!answer(socket)) socket.close()
    } catch {
      socket.close() // reset by the peer
    }
  })
})

/** Whether the connection goes on. */
function answer(socket) {
  const length = socket.read(buffer)
  if (length === null) return true
  for (let heads = countHeads(buffer, length); heads > 0; heads--) {
    if (socket.write(RESPONSE) !== RESPONSE.length) return false
  }
  return length > 0
}

loop.watch(STDIN, EPOLLIN, () => {
  const length = readSync(STDIN, buffer)
  if (length === 0) return loop.stop()
  if (buffer.toString('latin1', 0, length) === 'gc\n') globalThis.gc()
  writeSync(STDOUT, `${process.memoryUsage().heapUsed}\n`)
})
writeSync(STDOUT, `${listener.address().port}\n`)
loop[process.argv[2] ?? 'run']()
