// The HTTP server of http-genpoll.mjs on Bun.listen.
import { announce } from './announce.mjs'
import { countHeads, RESPONSE } from './http.mjs'

const server = globalThis.Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    data(socket, data) {
      for (let heads = countHeads(data, data.length); heads > 0; heads--) socket.write(RESPONSE)
    },
  },
})
announce(server.port)
