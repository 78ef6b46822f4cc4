// A connection that is paused and has ended: when the peer has ended as well, there is nothing more to
// wait for, and nobody who would resume it.

import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { Wired } from './fixtures/wired.js'

const KINDS = ['unix', 'TCP'] as const

function say(wired: Wired, text: string): void {
  wired.peer.write(Buffer.from(text))
}

for (const kind of KINDS) {
  for (const way of ['ends', 'is closed'] as const) {
    const leave = ({ peer }: Wired) => (way === 'ends' ? peer.shutdown('write') : peer.close())

    test(`${kind}: paused and ended, and then the peer ${way}: read to its end`, (t) => {
      using wired = new Wired(kind)
      wired.connection.pause()
      wired.connection.end('bye')
      t.equal(wired.delivered().toString(), 'bye')
      t.equal(wired.wakes(), 0, 'it goes on waiting for the peer')
      say(wired, 'last words')
      t.same([wired.wakes(), wired.received], [0, ''], 'and isn’t read')
      leave(wired)
      wired.until(() => wired.connection.closed)
      t.equal(wired.received, 'last words')
      t.same(wired.closings, [null])
    })
  }

  test(`${kind}: ended, paused, and then the peer ends`, (t) => {
    using wired = new Wired(kind)
    wired.connection.end('bye')
    wired.connection.pause()
    t.equal(wired.delivered().toString(), 'bye')
    say(wired, 'last words')
    wired.peer.shutdown('write')
    wired.until(() => wired.connection.closed)
    t.equal(wired.received, 'last words')
    t.same(wired.closings, [null])
  })

  test(`${kind}: paused, the peer ends, and then it is ended`, (t) => {
    using wired = new Wired(kind)
    wired.connection.pause()
    say(wired, 'last words')
    wired.peer.shutdown('write')
    t.same([wired.wakes(), wired.closings], [0, []])
    wired.connection.end('bye')
    wired.until(() => wired.connection.closed)
    t.equal(wired.received, 'last words')
    t.same(wired.closings, [null])
    t.equal(wired.delivered().toString(), 'bye')
  })

  test(`${kind}: paused by a write that was too much, ended, and drain never comes`, (t) => {
    using wired: Wired = new Wired(kind, { drain: (connection) => connection.resume() })
    const big = Buffer.alloc(1 << 24, 'x')
    t.equal(wired.connection.write(big), false)
    wired.connection.pause()
    wired.connection.end()
    t.equal(wired.delivered().length, big.length)
    wired.peer.shutdown('write')
    wired.until(() => wired.connection.closed)
    t.same(wired.closings, [null])
  })

  test(`${kind}: paused, not everything written: what the peer says waits, and it is read at last`, (t) => {
    using wired = new Wired(kind)
    const filled = wired.fill()
    wired.connection.pause()
    wired.connection.end('last')
    say(wired, 'an answer')
    wired.peer.shutdown('write')
    t.same([wired.wakes(), wired.received], [0, ''])
    t.equal(wired.delivered().length, filled + 4)
    wired.until(() => wired.connection.closed)
    t.equal(wired.received, 'an answer')
    t.same(wired.closings, [null])
  })

  test(`${kind}: paused, not ended: the end waits until it is read`, (t) => {
    using wired = new Wired(kind)
    wired.connection.pause()
    say(wired, 'last words')
    wired.peer.close()
    t.ok(wired.wakes() <= 1, 'a hang-up may be told once')
    t.same([wired.wakes(), wired.received, wired.closings], [0, '', []])
    wired.connection.end()
    wired.until(() => wired.connection.closed)
    t.equal(wired.received, 'last words')
  })

  test(`${kind}: read in small parts after the hang-up, it is read to its end`, (t) => {
    let text = ''
    const part = Buffer.alloc(3)
    using wired = new Wired(kind, {
      readable(connection) {
        text += part.toString('latin1', 0, connection.read(part) ?? 0)
      },
    })
    wired.connection.pause()
    wired.connection.end()
    say(wired, 'last words')
    wired.peer.shutdown('write')
    wired.until(() => wired.connection.closed)
    t.equal(text, 'last words')
  })
}

for (const kind of KINDS) {
  test(`${kind}: paused again by who is told of the hang-up: not told until it reads on`, (t) => {
    using wired = new Wired(kind, {
      readable(connection) {
        wired.reads++
        connection.pause()
      },
    })
    wired.connection.end()
    wired.connection.pause()
    say(wired, 'last words')
    wired.peer.shutdown('write')
    wired.until(() => wired.reads > 0)
    t.ok(wired.wakes() <= 1, 'the hang-up may be told once more')
    t.equal(wired.wakes(), 0)
    t.equal(wired.reads, 1)
    while (wired.connection.read(Buffer.alloc(4)) !== 0);
    t.same(wired.closings, [null])
  })
}

test('a reset while it is paused and has ended', (t) => {
  using wired = new Wired('TCP')
  wired.connection.pause()
  wired.connection.end()
  wired.peer.setOption('SO_LINGER', 0)
  wired.peer.close()
  wired.until(() => wired.connection.closed)
  t.match(wired.closings, [errno('ECONNRESET', 'read')])
})
