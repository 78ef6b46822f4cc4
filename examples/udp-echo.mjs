// Sends datagrams back to where they come from, as many as are there with one call each way. Node's own
// client sends a hundred.

import dgram from 'node:dgram'
import { EPOLLIN, Loop } from 'genpoll'
import { Datagram, DatagramBatch } from 'genpoll/net'

const COUNT = 100
const loop = new Loop()
const server = Datagram.udp()
const batch = new DatagramBatch({ capacity: 64, size: 1500 })

loop.watch(server, EPOLLIN, () => {
  while (server.recvBatch(batch) !== null) {
    // Where there is no room on the way back, the rest is lost, as datagrams are.
    for (let sent = 0; sent < batch.length; ) sent += server.sendBatch(batch, sent) ?? batch.length
  }
})
loop.start()

const client = dgram.createSocket('udp4')
const answers = new Set()
client.on('message', (data) => {
  if (answers.add(data.toString()).size < COUNT) return
  console.log(`${answers.size} datagrams, there and back`)
  client.close()
  server.close()
})
for (let i = 0; i < COUNT; i++) client.send(`datagram ${i}`, server.address().port, '127.0.0.1')
