// Sends each line back that comes in, to a thousand clients at a time. What a client doesn't take yet is
// queued by its connection, and nothing more is read from it until that is written.

import net from 'node:net'
import { Loop } from 'genpoll'
import { Connection, Listener, serve } from 'genpoll/net'

const CLIENTS = 1000
const MOST = 65536 // bytes of a line
const loop = new Loop()
const listener = Listener.tcp({ backlog: CLIENTS })
const buffer = Buffer.alloc(MOST)

serve(loop, listener, (socket) => {
  let rest = Buffer.alloc(0)
  new Connection(loop, socket, {
    readable(connection) {
      const count = connection.read(buffer)
      if (!count) return
      const data = Buffer.concat([rest, buffer.subarray(0, count)])
      const end = data.lastIndexOf('\n') + 1
      rest = data.subarray(end)
      if (rest.length > MOST) connection.close()
      else if (!connection.write(data.subarray(0, end))) connection.pause()
    },
    drain: (connection) => connection.resume(),
  })
})
loop.start()

/** How many lines come back. */
async function call(text) {
  const socket = net.connect(listener.address().port)
  socket.end(text)
  let lines = 0
  for await (const data of socket) for (const byte of data) if (byte === 10) lines++
  return lines
}

// All say little, but the last.
const texts = Array.from({ length: CLIENTS }, (_, i) => 'hello\n'.repeat(i < 999 ? 5 : 500_005))
const lines = await Promise.all(texts.map(call))
listener.close()
console.log(`${CLIENTS} clients, ${lines.reduce((sum, count) => sum + count)} lines`)
