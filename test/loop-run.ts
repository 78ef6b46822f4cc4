// How long run() and runOnce() go on, and what ends them.

import { closeSync } from 'node:fs'
import { EPOLLIN, EventFd, Loop, type Source, wake } from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { Partner } from './fixtures/partner.js'
import { DEADLY } from './fixtures/signals.js'

const ignore = () => {}

/** How long a call took, in milliseconds. */
function elapsed(call: () => unknown): number {
  const start = performance.now()
  call()
  return performance.now() - start
}

/** A source of each kind, none of which has anything to tell. */
const KINDS: Record<string, (loop: Loop, bell: EventFd) => Source> = {
  watch: (loop, bell) => loop.watch(bell, EPOLLIN, ignore),
  after: (loop) => loop.after(60_000, ignore),
  every: (loop) => loop.every(60_000, ignore),
  signal: (loop) => loop.signal([DEADLY], ignore),
  child: (loop) => loop.child(process.pid, ignore),
  defer: (loop) => loop.defer(ignore),
}

test('run returns at once while there is nothing to wait for', (t) => {
  using loop = new Loop()
  loop.run()
  t.equal(loop.runOnce(0), 0)
})

for (const [kind, make] of Object.entries(KINDS)) {
  test(`run ends when the last source is removed (${kind})`, (t) => {
    using loop = new Loop()
    using bell = new EventFd()
    const source = make(loop, bell)
    t.equal(source.active, true)
    t.equal(source.remove(), true)
    t.equal(source.active, false)
    t.equal(source.remove(), false)
    loop.run()
  })

  test(`a source that is disposed of is removed (${kind})`, (t) => {
    using loop = new Loop()
    using bell = new EventFd()
    let outlives: Source
    {
      using source = make(loop, bell)
      outlives = source
    }
    t.equal(outlives.active, false)
    loop.run()
  })

  test(`run doesn’t go on for what is unref’ed (${kind})`, (t) => {
    using loop = new Loop()
    using bell = new EventFd()
    const source = make(loop, bell)
    t.equal(source.unref(), source)
    t.equal(source.unref(), source, 'twice is once')
    loop.run()
    t.equal(source.active, true)
    t.equal(source.ref(), source)
    t.equal(source.ref(), source)
    source.unref()
    loop.run()
    source.ref().remove()
    source.ref().unref().ref()
    loop.run()
  })
}

test('run goes on until the last referenced source is gone', (t) => {
  using loop = new Loop()
  using bell = ready()
  const seen: string[] = []
  const watched = loop.watch(bell, EPOLLIN, () => {
    seen.push('watched')
    watched.remove()
  })
  loop.after(1, () => seen.push('first'))
  loop.after(2, () => seen.push('last'))
  loop.after(60_000, ignore).unref()
  loop.run()
  t.strictSame(seen, ['watched', 'first', 'last'])
})

test('what is unref’ed is called while run goes on for others', (t) => {
  using loop = new Loop()
  using bell = ready()
  const seen: number[] = []
  loop.watch(bell, EPOLLIN, () => seen.push(bell.read()!)).unref()
  loop.after(1, ignore)
  loop.run()
  t.strictSame(seen, [1])
})

test('a source that a handler refs keeps run going, and ends it unref’ed', (t) => {
  using loop = new Loop()
  using bell = new EventFd()
  const source = loop.watch(bell, EPOLLIN, () => source.unref()).unref()
  loop.after(1, () => {
    source.ref()
    bell.write()
  })
  loop.run()
  t.equal(bell.read(), 1)
})

test('run doesn’t go on while the loop is unref’ed', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  loop.after(0, () => seen.push('after'))
  t.equal(loop.unref(), loop)
  loop.unref()
  loop.run()
  t.strictSame(seen, [])
  t.equal(loop.ref(), loop)
  loop.run()
  t.strictSame(seen, ['after'])
})

test('a handler that unrefs the loop ends run when the batch is through', (t) => {
  using loop = new Loop()
  using one = ready()
  using other = ready()
  const seen: string[] = []
  loop.watch(one, EPOLLIN, () => {
    seen.push('one')
    loop.unref()
  })
  loop.watch(other, EPOLLIN, () => seen.push('other'))
  loop.run()
  t.strictSame(seen, ['one', 'other'])
})

test('stop in a handler ends run when the whole batch is through', (t) => {
  using loop = new Loop()
  using one = ready()
  using other = ready()
  const seen: string[] = []
  loop.watch(one, EPOLLIN, () => {
    seen.push('one')
    loop.defer(() => seen.push('deferred'))
    loop.stop()
  })
  loop.watch(other, EPOLLIN, () => seen.push('other'))
  loop.run()
  t.strictSame(seen, ['one', 'other', 'deferred'])
  loop.run()
  t.strictSame(seen.slice(3), ['one', 'other', 'deferred'], 'and the next one begins anew')
})

test('stop concerns nothing but the run in which it is called', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  loop.stop()
  loop.after(0, () => seen.push('after'))
  loop.run()
  t.strictSame(seen, ['after'])
  loop.defer(() => loop.stop())
  t.equal(loop.runOnce(0), 1)
  loop.after(0, () => seen.push('another'))
  loop.run()
  t.strictSame(seen, ['after', 'another'])
})

test('close in a handler ends run and drops the rest of the batch', (t) => {
  const loop = new Loop()
  using one = ready()
  using other = ready()
  const seen: string[] = []
  loop.watch(one, EPOLLIN, () => {
    seen.push('one')
    loop.close()
  })
  loop.watch(other, EPOLLIN, () => seen.push('other'))
  loop.every(60_000, ignore)
  loop.run()
  t.strictSame(seen, ['one'])
  t.equal(loop.closed, true)
  t.equal(other.read(), 1, 'what is watched stays open')
})

test('runOnce returns how many handlers it has called', (t) => {
  using loop = new Loop()
  using one = ready()
  using other = ready()
  t.equal(loop.runOnce(0), 0)
  loop.watch(one, EPOLLIN, () => one.read())
  t.equal(loop.runOnce(), 1)
  t.equal(loop.runOnce(0), 0)
  one.write()
  const source = loop.watch(other, EPOLLIN, () => loop.defer(ignore))
  t.equal(loop.runOnce(), 3)
  source.remove()
  loop.defer(ignore)
  loop.defer(ignore)
  t.equal(loop.runOnce(), 2)
})

test('runOnce waits as long as it is told, and no shorter', (t) => {
  using loop = new Loop()
  using bell = new EventFd()
  loop.watch(bell, EPOLLIN, ignore)
  for (const timeoutMs of [0, 0.000_5, 1, 2.5, 20.000_5]) {
    const took = elapsed(() => t.equal(loop.runOnce(timeoutMs), 0))
    t.ok(took >= timeoutMs, `${took} of ${timeoutMs} ms`)
  }
  loop.after(5, ignore)
  t.equal(loop.runOnce(60_000), 1)
  loop.after(5, ignore)
  t.equal(loop.runOnce(-0.5), 1, 'negative: as long as it takes')
  loop.after(1, ignore)
  t.equal(loop.runOnce((2 ** 31 - 1) * 1000), 1, 'the longest there is')
})

/** After these nobody is to be called at once, though there is something in the kernel to notice. */
const NOTHING: Record<string, [prepare: (loop: Loop) => void, options?: { auditMs: number }]> = {
  'a timer that was removed after the clock was set': [
    (loop) => {
      const timer = loop.after(2, ignore)
      loop.runOnce(0)
      timer.remove()
    },
  ],
  'a timer that was removed before': [(loop) => loop.after(2, ignore).remove()],
  'a deferred call that was removed': [(loop) => loop.defer(ignore).remove()],
  'an audit': [ignore, { auditMs: 2 }],
}

for (const [what, [prepare, options]] of Object.entries(NOTHING)) {
  test(`runOnce isn’t ended by ${what}`, (t) => {
    using loop = new Loop(options)
    prepare(loop)
    const took = elapsed(() => t.equal(loop.runOnce(40), 0))
    t.ok(took >= 40, `${took} of 40 ms`)
    prepare(loop)
    loop.after(40, ignore)
    t.equal(loop.runOnce(), 1)
  })
}

test('wake ends a runOnce without a time-out, once for all calls before it', (t) => {
  using loop = new Loop()
  for (let i = 0; i < 3; i++) loop.wake()
  t.equal(loop.runOnce(), 0)
  const took = elapsed(() => t.equal(loop.runOnce(10), 0))
  t.ok(took >= 10, `${took} of 10 ms`)
  t.equal(wake(loop.waker), true)
  t.equal(loop.runOnce(), 0)
})

test('wake in a handler is for the next wait', (t) => {
  using loop = new Loop()
  loop.after(0, () => loop.wake())
  t.equal(loop.runOnce(), 1)
  t.equal(loop.runOnce(), 0)
})

test('another thread wakes a runOnce without a time-out', async (t) => {
  await using partner = await Partner.start()
  using loop = new Loop()
  const { fd, generation } = loop.waker
  for (let i = 0; i < 10; i++) {
    partner.begin(['untilWaiting'], ['wake', fd, generation])
    t.equal(loop.runOnce(), 0)
    partner.finish()
  }
})

test('wake doesn’t end run', async (t) => {
  await using partner = await Partner.start()
  using loop = new Loop()
  using bell = new EventFd()
  const { fd, generation } = loop.waker
  loop.watch(bell, EPOLLIN, () => loop.stop())
  loop.wake()
  partner.begin(
    ['untilWaiting'],
    ['wake', fd, generation],
    ['untilWaiting'],
    ['eventfd_write', bell.fd, 1],
  )
  loop.run()
  partner.finish()
  t.equal(bell.read(), 1)
})

test('promises and ticks wait until run has returned', async (t) => {
  using loop = new Loop()
  const seen: string[] = []
  loop.after(0, () => {
    void Promise.resolve().then(() => seen.push('promise'))
    process.nextTick(() => seen.push('tick'))
  })
  loop.after(1, () => seen.push('timer'))
  loop.run()
  t.strictSame(seen, ['timer'])
  await new Promise(setImmediate)
  t.strictSame(seen.sort(), ['promise', 'tick', 'timer'])
})

test('a loop is run in a handler of another', (t) => {
  using outer = new Loop()
  using inner = new Loop()
  using one = ready()
  using other = ready()
  const seen: string[] = []
  outer.watch(one, EPOLLIN, () => {
    seen.push('one')
    inner.after(1, () => seen.push('inner'))
    inner.run()
    outer.stop()
  })
  outer.watch(other, EPOLLIN, () => seen.push('other'))
  outer.run()
  t.strictSame(seen, ['one', 'inner', 'other'])
})

/** Has an event of a number that was closed, with its file still open elsewhere. */
function staleEvent(loop: Loop, t: Test): () => void {
  const bell = new EventFd({ initial: 1 })
  const fd = sys.dup(bell.fd)
  loop.watch(fd, EPOLLIN, () => t.fail('called'))
  closeSync(fd)
  return () => bell.close()
}

test('runOnce ends when nothing is left to wait for, as run does', (t) => {
  for (const way of ['run', 'runOnce'] as const) {
    using loop = new Loop()
    const close = staleEvent(loop, t)
    t.equal(loop[way](), way === 'run' ? undefined : 0)
    close()
  }
})

test('a stop in an onStale ends runOnce', (t) => {
  using loop: Loop = new Loop({ onStale: () => loop.stop() })
  using bell = new EventFd()
  loop.watch(bell, EPOLLIN, () => t.fail('called'))
  const close = staleEvent(loop, t)
  t.equal(loop.runOnce(), 0)
  close()
})
