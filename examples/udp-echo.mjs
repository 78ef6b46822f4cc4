// Sends datagrams back to where they come from, as many as are there with one call each way. Node's own
// client sends a hundred.

import dgram from 'node:dgram'
import { EPOLLIN, isErrno, Loop } from 'genpoll'
import { Datagram, DatagramBatch } from 'genpoll/net'

const COUNT = 100
const loop = new Loop()
const server = Datagram.udp()
const batch = new DatagramBatch({ capacity: 64, size: 1500 })

loop.watch(server, EPOLLIN, () => {
  while (server.recvBatch(batch) !== null) {
    for (let done = 0; done < batch.length; ) done += sendBack(done)
  }
})
loop.start()

/** Sends a part of what came, from there on, and says how many datagrams are done with. */
function sendBack(first) {
  try {
    // Where there is no room on the way back, the rest is lost, as datagrams are.
    return server.sendBatch(batch, first) ?? batch.length
  } catch (error) {
    if (!isErrno(error)) throw error
    return 1 // can't be answered: anybody can say that it comes from port 0
  }
}

const client = dgram.createSocket('udp4')
const answers = new Set()
client.on('message', (data) => {
  if (answers.add(data.toString()).size < COUNT) return
  console.log(`${answers.size} datagrams, there and back`)
  client.close()
  server.close()
})
for (let i = 0; i < COUNT; i++) client.send(`datagram ${i}`, server.address().port, '127.0.0.1')
