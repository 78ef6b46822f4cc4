import type { Connection } from 'genpoll/net'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { Wired } from './fixtures/wired.js'

const AFTER_END = { name: 'Error', code: 'ERR_STREAM_WRITE_AFTER_END' }
const HALF_OPEN = { allowHalfOpen: true }
const KINDS = ['unix', 'TCP'] as const

function say(wired: Wired, text: string): void {
  wired.peer.write(Buffer.from(text))
}

/** Has the peer answer with a reset from now on. */
function reset({ peer }: Wired): void {
  peer.setOption('SO_LINGER', 0)
  peer.close()
}

function ended(wired: Wired): boolean {
  return wired.peer.read(Buffer.alloc(1)) === 0
}

for (const kind of KINDS) {
  test(`${kind}: the peer ends: read is 0, and it is over`, (t) => {
    using wired = new Wired(kind)
    say(wired, 'last words')
    wired.peer.close()
    wired.until(() => wired.connection.closed)
    t.equal(wired.received, 'last words')
    t.same(wired.closings, [null])
    t.equal(wired.connection.socket.closed, true)
    t.equal(wired.connection.source.active, false)
    t.equal(wired.wakes(), 0)
  })

  test(`${kind}: what is queued is written before it is over`, (t) => {
    using wired = new Wired(kind)
    const filled = wired.fill()
    wired.peer.shutdown('write')
    wired.until(() => wired.reads > 0)
    t.equal(wired.connection.closed, false)
    t.throws(() => wired.connection.write('more'), AFTER_END)
    t.equal(wired.wakes(), 0)
    t.equal(wired.delivered().length, filled)
    t.same(wired.closings, [null])
  })

  test(`${kind}: half open, it goes on writing, and no event keeps it busy`, (t) => {
    using wired = new Wired(kind, {}, HALF_OPEN)
    wired.peer.shutdown('write')
    wired.until(() => wired.reads > 0)
    t.equal(wired.wakes(), 0)
    t.equal(wired.read(), 0)
    t.equal(wired.connection.write('more'), true)
    const filled = wired.fill()
    t.equal(wired.wakes(), 0)
    wired.connection.end('the end')
    t.equal(wired.connection.closed, false)
    const got = wired.delivered().toString('latin1')
    t.equal(got.length, filled + 11)
    t.same([got.slice(0, 4), got.slice(-7)], ['more', 'the end'])
    t.same(wired.closings, [null])
  })

  test(`${kind}: half open, ended at once`, (t) => {
    using wired = new Wired(kind, {}, HALF_OPEN)
    wired.peer.shutdown('write')
    wired.until(() => wired.reads > 0)
    t.same(wired.closings, [])
    wired.connection.end()
    t.same(wired.closings, [null])
    t.equal(wired.delivered().length, 0)
  })

  test(`${kind}: end writes what is left, and reads on until the peer has ended`, (t) => {
    using wired = new Wired(kind)
    const filled = wired.fill()
    wired.connection.end('last')
    wired.connection.end()
    t.throws(() => wired.connection.write('more'), AFTER_END)
    t.throws(() => wired.connection.end('more'), AFTER_END)
    t.equal(wired.delivered().length, filled + 4)
    t.equal(wired.connection.closed, false)
    say(wired, 'an answer')
    wired.until(() => wired.received === 'an answer')
    t.equal(wired.wakes(), 0)
    wired.peer.close()
    wired.until(() => wired.connection.closed)
    t.same(wired.closings, [null])
  })

  test(`${kind}: end with nothing left is told to the peer at once`, (t) => {
    using wired = new Wired(kind)
    wired.connection.end()
    while (!ended(wired));
    t.equal(wired.connection.closed, false)
    t.equal(wired.wakes(), 0)
  })

  test(`${kind}: after end nobody is asked to write on`, (t) => {
    using wired = new Wired(kind, {}, { highWaterMark: 1 })
    wired.fill()
    wired.connection.end()
    wired.delivered()
    wired.wakes()
    t.equal(wired.drains, 0)
  })

  test(`${kind}: while it is paused the end waits as well`, (t) => {
    using wired = new Wired(kind)
    wired.connection.pause()
    say(wired, 'last words')
    wired.peer.close()
    // A hang-up may be told once.
    t.ok(wired.wakes() <= 1)
    t.equal(wired.wakes(), 0)
    t.same(wired.closings, [])
    wired.connection.resume()
    wired.until(() => wired.connection.closed)
    t.equal(wired.received, 'last words')
    t.same(wired.closings, [null])
  })

  test(`${kind}: a peer that is gone takes nothing: EPIPE or ECONNRESET`, (t) => {
    using wired = new Wired(kind)
    wired.peer.close()
    const { connection } = wired
    let answer = true
    for (let i = 0; i < 100 && !connection.closed; i++) {
      answer = connection.write(Buffer.alloc(1000))
    }
    t.equal(answer, false)
    t.equal(wired.closings.length, 1)
    t.match(wired.closings[0], { syscall: 'write', code: /^(EPIPE|ECONNRESET)$/ })
    t.equal(connection.writableLength, 0)
  })

  test(`${kind}: a peer that goes while something is queued`, (t) => {
    for (const pauses of [false, true]) {
      using wired = new Wired(kind)
      if (pauses) wired.connection.pause()
      wired.fill()
      wired.peer.close()
      wired.until(() => wired.connection.closed)
      t.equal(wired.closings.length, 1)
      t.match(wired.closings[0], { syscall: 'writev', code: /^(EPIPE|ECONNRESET)$/ })
      t.same([wired.connection.writableLength, wired.reads], [0, 0])
    }
  })
}

test('the peer resets while nothing is under way', (t) => {
  using wired = new Wired('TCP')
  reset(wired)
  wired.until(() => wired.connection.closed)
  t.match(wired.closings, [errno('ECONNRESET', 'read')])
  t.equal(wired.received, '')
  t.equal(wired.connection.read(Buffer.alloc(1)), 0)
  t.equal(wired.closings.length, 1)
})

test('it resets in the middle of what it says', (t) => {
  const part = Buffer.alloc(4)
  using wired = new Wired('TCP', { readable: (connection) => connection.read(part) })
  say(wired, 'in the mid')
  wired.until(() => part.toString() === 'in t')
  reset(wired)
  wired.until(() => wired.connection.closed)
  t.match(wired.closings, [errno('ECONNRESET', 'read')])
})

test('a unix peer resets by not reading what was said', (t) => {
  using wired = new Wired('unix')
  wired.connection.write('unread')
  wired.peer.close()
  wired.until(() => wired.connection.closed)
  t.match(wired.closings, [errno('ECONNRESET', 'read')])
})

test('it resets while we are paused: told when we read on', (t) => {
  using wired = new Wired('TCP')
  wired.connection.pause()
  reset(wired)
  t.ok(wired.wakes() <= 1)
  t.equal(wired.wakes(), 0)
  wired.connection.resume()
  wired.until(() => wired.connection.closed)
  t.match(wired.closings, [{ code: 'ECONNRESET', errno: -104 }])
})

for (const pauses of [false, true]) {
  test(`it resets after it has ended${pauses ? ', and a pause makes no difference' : ''}`, (t) => {
    using wired = new Wired('TCP', {}, HALF_OPEN)
    wired.peer.shutdown('write')
    wired.until(() => wired.reads > 0)
    if (pauses) wired.connection.pause()
    reset(wired)
    wired.until(() => wired.connection.closed)
    // What the kernel calls a reset that comes after the end.
    t.match(wired.closings, [errno('EPIPE', 'read')])
  })
}

test('it hangs up after it has ended', (t) => {
  using wired = new Wired('unix', {}, HALF_OPEN)
  wired.peer.shutdown('write')
  wired.until(() => wired.reads > 0)
  wired.peer.close()
  wired.until(() => wired.connection.closed)
  t.same(wired.closings, [null])
})

test('end where the peer is gone already', (t) => {
  using wired = new Wired('TCP')
  reset(wired)
  wired.until(() => wired.reads > 0 || wired.connection.closed)
  wired.connection.end()
  t.equal(wired.closings.length, 1)
})

test('end on a connection that has been reset, and nobody has noticed', (t) => {
  using wired = new Wired('TCP')
  reset(wired)
  wired.connection.end()
  t.match(wired.closings, [errno('ENOTCONN', 'shutdown')])
})

test('close ends it at once, whatever waits', (t) => {
  using wired = new Wired('unix')
  const filled = wired.fill()
  wired.connection.close()
  wired.connection.close()
  wired.connection[Symbol.dispose]()
  t.same(wired.closings, [null])
  t.same([wired.connection.closed, wired.connection.socket.closed], [true, true])
  t.ok(wired.delivered().length < filled)
})

test('closed, it does nothing any more', (t) => {
  using wired = new Wired('unix')
  const { connection } = wired
  wired.fill()
  connection.close()
  t.equal(connection.write('more'), false)
  t.equal(connection.read(Buffer.alloc(1)), 0)
  connection.end()
  connection.end('more')
  connection.pause()
  connection.resume()
  t.same(wired.closings, [null])
  t.same([connection.writableLength, connection.writableNeedDrain], [0, false])
  t.throws(() => connection.write(1 as never), { code: 'ERR_INVALID_ARG_TYPE' })
})

const inHandler: Record<string, (wired: Wired) => void> = {
  readable(wired) {
    say(wired, 'something')
  },
  drain(wired) {
    wired.connection.write(Buffer.alloc(1 << 20))
    wired.peer.read(Buffer.alloc(1 << 20))
    while (!wired.connection.closed && wired.peer.read(Buffer.alloc(1 << 20)) !== 0) {
      wired.loop.runOnce(10)
    }
  },
  close(wired) {
    wired.peer.close()
  },
}

for (const [name, cause] of Object.entries(inHandler)) {
  test(`close() in the handler of ${name}`, (t) => {
    using wired = new Wired('unix', {
      [name](connection: Connection) {
        connection.close()
        t.equal(connection.write('more'), false)
        t.equal(connection.read(Buffer.alloc(1)), 0)
        connection.end()
      },
    })
    cause(wired)
    wired.until(() => wired.connection.closed)
    t.same(wired.closings, [null])
    t.equal(wired.wakes(), 0)
  })
}

test('what a handler throws leaves the loop, and the connection goes on', (t) => {
  let throws = true
  using wired: Wired = new Wired('unix', {
    readable(): void {
      if (throws) throw new Error('not now')
      wired.read()
    },
  })
  say(wired, 'later')
  t.throws(() => wired.loop.runOnce(), { message: 'not now' })
  throws = false
  wired.until(() => wired.received === 'later')
  t.same(wired.closings, [])
})

test('a socket that was closed by others', (t) => {
  using wired = new Wired('unix')
  const { connection } = wired
  connection.socket.close()
  t.equal(wired.wakes(), 0)
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.throws(() => connection.write('more'), closed)
  t.throws(() => connection.read(Buffer.alloc(1)), closed)
  connection.close()
  t.same(wired.closings, [null])
})
