// Sends datagrams back, as many at a time as have come. Prints its port, and ends when stdin does.
import { writeSync } from 'node:fs'
import { EPOLLIN, Loop } from 'genpoll'
import { Datagram, DatagramBatch } from 'genpoll/net'

const STDIN = 0
const STDOUT = 1
const loop = new Loop()
const socket = Datagram.udp()
const batch = new DatagramBatch()

loop.watch(socket, EPOLLIN, () => {
  const received = socket.recvBatch(batch) ?? 0
  // What can't be sent now is lost, as datagrams may be.
  for (let sent = 0; sent < received; ) sent += socket.sendBatch(batch, sent) ?? received
})
loop.watch(STDIN, EPOLLIN, () => loop.stop())
writeSync(STDOUT, `${socket.address().port}\n`)
loop.run()
