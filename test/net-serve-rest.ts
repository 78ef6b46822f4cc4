// A server that can't have another descriptor, and one that shares its listener with other threads.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EPOLLERR, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, Loop } from 'genpoll'
import { Listener, type ServeOptions, Socket, serve } from 'genpoll/net'
import { bad } from './fixtures/bad.js'
import { openDescriptors, test } from './fixtures/check.js'
import { abstractName, Kept } from './fixtures/net.js'

const child = fileURLToPath(new URL('fixtures/children/net-emfile.mjs', import.meta.url))
const RESTING = { accepted: 2, active: true }
const ENDED = { accepted: 2, active: false }
const ALL = { accepted: 6, active: true }

/** What becomes of a server while it rests. */
const ENDS = {
  remove: ENDED,
  dispose: ENDED,
  'close the listener': ENDED,
  'close the loop': ENDED,
  unref: RESTING,
  'unref, and the rest is over': ALL,
  'unref and ref': ALL,
}

/** What a child tells that can have 64 descriptors. */
function withFew(exclusive: boolean, ...args: string[]) {
  const command = ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, child, `${exclusive}`]
  return JSON.parse(execFileSync('sh', [...command, ...args], { encoding: 'utf8' }))
}

for (const exclusive of [false, true]) {
  const kind = exclusive ? 'exclusive' : 'alone'

  test(`${kind}: without descriptors it rests, and goes on with the next`, (t) => {
    const { wakeUps, ...others } = withFew(exclusive)
    t.same(others, {
      exhausted: { code: 'EMFILE', errno: -24, syscall: 'accept4', isOfListener: true },
      accepted: 2,
      echoed: 'hello',
      withOneMore: 3,
      withMany: 6,
      exhaustion: null,
    })
    t.ok(wakeUps > 1, 'it looks from time to time')
    t.ok(wakeUps < 20, `it doesn’t spin: ${wakeUps} wake-ups`)
  })

  for (const [end, expected] of Object.entries(ENDS)) {
    test(`${kind}: while it rests: ${end}`, (t) => {
      t.same(withFew(exclusive, end), expected)
    })
  }
}

/** The mask with which this process has a listener watched: what its one epoll says that does. */
function watchedMask(listener: Listener): number {
  const line = new RegExp(`^tfd: +${listener.fd} events: +([0-9a-f]+)`, 'm')
  for (const [fd, what] of openDescriptors()) {
    if (what !== 'anon_inode:[eventpoll]') continue
    const match = line.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
    if (match !== null) return Number.parseInt(match[1]!, 16)
  }
  throw new Error('it isn’t watched')
}

test('exclusive is what the kernel is told', (t) => {
  const masks = new Map<ServeOptions | undefined, number>([
    [undefined, EPOLLIN],
    [{}, EPOLLIN],
    [{ exclusive: undefined }, EPOLLIN],
    [{ exclusive: false }, EPOLLIN],
    [{ exclusive: true }, EPOLLIN | EPOLLEXCLUSIVE],
  ])
  for (const [options, mask] of masks) {
    using kept = new Kept()
    const loop = kept.one(new Loop())
    const listener = kept.one(Listener.unix(abstractName()))
    serve(loop, listener, () => {}, options)
    t.equal(watchedMask(listener), (mask | EPOLLERR | EPOLLHUP) >>> 0)
  }
})

test('exclusive, two loops share the connections, and none is lost', (t) => {
  using kept = new Kept()
  const path = abstractName()
  const first = kept.one(Listener.unix(path))
  const listeners = [first, kept.one(Listener.adopt(first.dup().release()))]
  const counts = [0, 0]
  const loops = listeners.map((listener, i) => {
    const loop = kept.one(new Loop())
    const count = (socket: Socket) => {
      counts[i]!++
      socket.close()
    }
    serve(loop, listener, count, { exclusive: true })
    return loop
  })
  for (let i = 0; i < 10; i++) {
    kept.one(Socket.connect({ path }))
    loops[i % 2]!.runOnce()
  }
  t.same(counts, [5, 5])
})

test('what isn’t a loop, a listener, a handler or options is refused before anybody connects', (t) => {
  const ignore = (socket: Socket) => socket.close()
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listener = kept.one(Listener.unix(abstractName()))
  const good = [loop, listener, ignore, {}]
  const refused = (place: number, value: unknown, expected: object, name: string) => {
    const given = good.map((it, i) => (i === place ? value : it)) as Parameters<typeof serve>
    t.throws(() => serve(...given), { ...expected, message: new RegExp(`"${name}"`) })
  }
  const none = [...bad.object, [{}, { code: 'ERR_INVALID_ARG_TYPE' }]] as const
  for (const [value, expected] of none) {
    refused(0, value, expected, 'loop')
    refused(1, value, expected, 'listener')
  }
  for (const [value, expected] of bad.function) refused(2, value, expected, 'onConnection')
  for (const [value, expected] of bad.object) refused(3, value, expected, 'options')
  for (const [exclusive, expected] of bad.boolean) {
    refused(3, { exclusive }, expected, 'options.exclusive')
  }
  t.equal(serve(loop, listener, ignore).active, true, 'nothing was watched')
})

test('ref and unref are chained, and a Service is disposed of', (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const listener = kept.one(Listener.unix(abstractName()))
  {
    using service = serve(loop, listener, () => {})
    t.equal(service.unref(), service)
    t.equal(service.ref(), service)
    t.equal(service.active, true)
  }
  loop.run()
  t.equal(serve(loop, listener, () => {}).active, true, 'it can be served again')
})
