// An HTTP/1.1 server that keeps its connections alive, on nothing but a loop and sockets; for requests
// without a body. Each answer says whose it is. Node's own client calls, and curl where there is one.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { EPOLLIN, ErrnoError, Loop } from 'genpoll'
import { Listener, serve } from 'genpoll/net'

const MOST = 8192 // characters of a request that isn't complete
const loop = new Loop()
const listener = Listener.tcp()
const buffer = Buffer.alloc(16384)
const answer = (text) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`
let connections = 0

serve(loop, listener, (socket) => {
  const name = `connection ${++connections}`
  let [requests, head] = [0, '']
  loop.watch(socket, EPOLLIN, () => {
    try {
      const count = socket.read(buffer)
      if (count === 0 || head.length > MOST) return socket.close()
      const heads = (head + buffer.latin1Slice(0, count ?? 0)).split('\r\n\r\n')
      head = heads.pop()
      const text = heads.map(() => answer(`${name}, request ${++requests}\n`)).join('')
      // Not taken at once: somebody who asks and asks, and never reads.
      if (socket.write(Buffer.from(text)) !== text.length) socket.close()
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error
      socket.close()
    }
  })
})
loop.start()

const url = `http://127.0.0.1:${listener.address().port}`
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
for (let i = 0; i < 2; i++) {
  const [response] = await once(http.get(url, { agent }), 'response')
  for await (const data of response) process.stdout.write(data)
}
agent.destroy()
const curl = spawn('curl', ['-s', url, url], { stdio: 'inherit' })
await once(curl, 'close').catch(() => console.log('no curl'))
listener.close()
