// The HTTP server of http-genpoll.mjs on node:net.
import { createServer } from 'node:net'
import { announce } from './announce.mjs'
import { countHeads, RESPONSE } from './http.mjs'

const server = createServer((socket) => {
  socket.on('data', (data) => {
    for (let heads = countHeads(data, data.length); heads > 0; heads--) socket.write(RESPONSE)
  })
  socket.on('error', () => {})
})
server.listen(0, '127.0.0.1', () => announce(server.address().port))
