import { once } from 'node:events'
import net from 'node:net'
import { EPOLLIN, EPOLLRDHUP, Loop } from 'genpoll'
import { Listener, Socket, serve } from 'genpoll/net'
import { CLOSED } from './fixtures/awaited.js'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { refused } from './fixtures/errno.js'
import { read } from './fixtures/kernel.js'
import { abstractName, accepted, Kept, outcome, portOf } from './fixtures/net.js'
import { Seen } from './fixtures/seen.js'
import { thrownBy } from './fixtures/thrown.js'

/** So many connections are accepted in a row. */
const IN_A_ROW = 64

/** A loop, and a listener for which so many are waiting. */
function scene(kept: Kept, waiting: number) {
  const loop = kept.one(new Loop())
  const path = abstractName()
  const listener = kept.one(Listener.unix(path))
  const clients = Array.from({ length: waiting }, () => kept.one(Socket.connect({ path })))
  return { loop, listener, clients }
}

test('every connection is handed over, in the order in which they came', (t) => {
  using kept = new Kept()
  const { loop, listener } = scene(kept, 0)
  const address = listener.address() as { path: string }
  const clients: Socket[] = []
  const call = () => {
    const client = Socket.connect(address)
    client.write(Buffer.from(`${clients.push(client)}`))
  }
  let count = 0
  let wrong = 0
  serve(loop, listener, (socket) => {
    if (read(socket.fd) !== `${++count}`) wrong++
    socket.close()
    clients[count - 1]!.close()
    if (clients.length < 2000) call()
    else if (count === clients.length) loop.stop()
  })
  for (let i = 0; i < 100; i++) call()
  loop.run()
  t.same([count, wrong], [2000, 0])
})

test('those that are there have their turn between the new ones', (t) => {
  using kept = new Kept()
  const { loop, listener } = scene(kept, IN_A_ROW + 5)
  const bell = kept.one(ready())
  let count = 0
  let rings = 0
  serve(loop, listener, (socket) => {
    count++
    socket.close()
  })
  loop.watch(bell, EPOLLIN, () => rings++)
  const turns: number[][] = []
  for (let i = 0; i < 3; i++) {
    loop.runOnce(0)
    turns.push([count, rings])
  }
  t.same(turns, [
    [IN_A_ROW, 1],
    [IN_A_ROW + 5, 2],
    [IN_A_ROW + 5, 3],
  ])
})

test('on Node’s loop, with Node’s clients', async (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listener = kept.one(Listener.tcp())
  const seen = new Seen<Socket>()
  serve(loop, listener, (socket) => {
    seen.add(kept.one(socket))
    socket.write(Buffer.from('welcome'))
  })
  loop.start()
  const clients = [1, 2, 3].map(() => net.connect(portOf(listener), '127.0.0.1'))
  const greetings = await Promise.all(clients.map((client) => once(client, 'data')))
  t.same(greetings.map(String), ['welcome', 'welcome', 'welcome'])
  t.equal((await seen.first(3)).length, 3)
  for (const client of clients) {
    client.destroy()
    await once(client, 'close')
  }
})

test('remove ends it, and the listener stays open', (t) => {
  using kept = new Kept()
  const { loop, listener } = scene(kept, 1)
  const service = serve(loop, listener, () => t.fail('it was removed'))
  t.same([service.active, service.remove()], [true, true])
  t.same([service.active, service.remove()], [false, false])
  loop.run()
  t.ok(kept.one(accepted(listener)).fd > 0)
})

test('removed by a connection, it takes no more', (t) => {
  using kept = new Kept()
  const { loop, listener } = scene(kept, 3)
  const sockets: Socket[] = []
  const source = serve(loop, listener, (socket) => {
    sockets.push(kept.one(socket))
    source.remove()
  })
  loop.run()
  t.equal(sockets.length, 1)
  kept.one(listener.accept()!)
  kept.one(listener.accept()!)
  t.equal(listener.accept(), null)
})

test('a listener closed by a connection ends it', (t) => {
  using kept = new Kept()
  const { loop, listener } = scene(kept, 3)
  const sockets: Socket[] = []
  const source = serve(loop, listener, (socket) => {
    sockets.push(kept.one(socket))
    listener.close()
  })
  loop.run()
  t.equal(sockets.length, 1)
  t.notOk(source.active)
})

test('a loop closed by a connection ends it', (t) => {
  using kept = new Kept()
  const { loop, listener } = scene(kept, 3)
  const sockets: Socket[] = []
  serve(loop, listener, (socket) => {
    sockets.push(kept.one(socket))
    loop.close()
  })
  loop.run()
  t.equal(sockets.length, 1)
  kept.one(accepted(listener))
})

test('an error of the program’s leaves run, and the next connections come with the next', (t) => {
  using kept = new Kept()
  const { loop, listener, clients } = scene(kept, 3)
  const mine = new Error('mine')
  let count = 0
  serve(loop, listener, (socket) => {
    kept.one(socket)
    if (count++ === 0) throw mine
    if (count === clients.length) loop.stop()
  })
  t.equal(
    thrownBy(() => loop.run()),
    mine,
  )
  t.equal(count, 1)
  loop.run()
  t.equal(count, 3)
})

test('several listeners on one loop, and a connection that is watched at once', (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listeners = [Listener.tcp(), Listener.tcp(), Listener.unix(abstractName())].map((it) =>
    kept.one(it),
  )
  const told: string[] = []
  listeners.forEach((listener, i) => {
    serve(loop, listener, (socket) => {
      kept.one(socket)
      loop.watch(socket, EPOLLIN | EPOLLRDHUP, (_, source) => {
        told.push(`${i}: ${read(socket.fd)}`)
        source.remove()
        if (told.length === listeners.length) loop.stop()
      })
    })
    const { path, port } = listener.address() as { path: string; port: number }
    const client = kept.one(Socket.connect(path === undefined ? { port } : { path }))
    t.equal(outcome(client), null)
    client.write(Buffer.from('hello'))
  })
  loop.run()
  t.same(told.sort(), ['0: hello', '1: hello', '2: hello'])
})

test('unreferenced, it keeps no loop going', (t) => {
  using kept = new Kept()
  const { loop, listener } = scene(kept, 0)
  serve(loop, listener, () => t.fail('nobody is there')).unref()
  loop.run()
})

test('what can’t be served is refused', (t) => {
  using kept = new Kept()
  const { loop, listener } = scene(kept, 1)
  const ignore = (socket: Socket) => socket.close()
  const source = serve(loop, listener, ignore)
  t.throws(() => serve(loop, listener, ignore), refused('EEXIST'))
  source.remove()
  listener.close()
  t.throws(() => serve(loop, listener, ignore), CLOSED)
  loop.close()
  t.throws(() => serve(loop, kept.one(Listener.tcp()), ignore), CLOSED)
})
