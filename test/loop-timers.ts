// Loop.after and Loop.every: never early, never drifting, in order, and starving nobody.

import { setImmediate as turn } from 'node:timers/promises'
import { EPOLLIN, EventFd, Loop, type Source } from 'genpoll'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { pass } from './fixtures/poll.js'
import { randomFrom, seed } from './fixtures/random.js'
import { thrownBy } from './fixtures/thrown.js'

const ignore = () => {}

test('after calls its handler once, with one expiration and its source, and is over', (t) => {
  using loop = new Loop()
  const calls: unknown[][] = []
  const source = loop.after(1, (...args) => {
    calls.push(args)
    t.equal(source.active, false)
    t.equal(source.remove(), false)
    source.ref()
  })
  loop.run()
  t.equal(calls.length, 1)
  t.equal(calls[0]?.[0], 1)
  t.equal(calls[0]?.[1], source)
})

test(`never early, whatever the fraction (GENPOLL_SEED=${seed})`, (t) => {
  const random = randomFrom(seed)
  using loop = new Loop()
  let early = 0
  let calls = 0
  for (let i = 0; i < 1000; i++) {
    const ms = random() * 50
    const dueMs = performance.now() + ms
    loop.after(ms, () => {
      calls++
      if (performance.now() < dueMs) early++
    })
  }
  loop.run()
  t.equal(calls, 1000)
  t.equal(early, 0)
})

test(`nor one by one (GENPOLL_SEED=${seed})`, (t) => {
  const random = randomFrom(seed)
  using loop = new Loop()
  for (let i = 0; i < 200; i++) {
    const ms = random()
    const startMs = performance.now()
    loop.after(ms, ignore)
    t.equal(loop.runOnce(), 1)
    const tookMs = performance.now() - startMs
    if (tookMs < ms) t.fail(`${tookMs} of ${ms} ms`)
  }
})

for (const ms of [0.05, 0.3, 1, 2.5, 7]) {
  test(`every ${ms} ms: the k-th time isn’t before start + k times that, and none is lost`, (t) => {
    using loop = new Loop()
    let count = 0
    const beforeMs = performance.now()
    const source = loop.every(ms, (expirations, given) => {
      if (given !== source || !(expirations >= 1)) t.fail(`${expirations} expirations`)
      count += expirations
      const sinceMs = performance.now() - beforeMs
      if (sinceMs < count * ms) t.fail(`the ${count}th after ${sinceMs} ms`)
    })
    const afterMs = performance.now()
    loop.after(60, () => loop.stop())
    loop.run()
    const sinceMs = performance.now() - afterMs
    loop.runOnce(0)
    t.ok(count + 1e-6 >= Math.floor(sinceMs / ms), `${count} times in ${sinceMs} ms`)
    t.equal(source.active, true)
  })
}

test('what every has missed is told as expirations, and doesn’t shift what follows', (t) => {
  using loop = new Loop()
  const startMs = performance.now()
  let count = 0
  loop.every(2, (expirations, source) => {
    count += expirations
    if (count === expirations) {
      pass(21)
    } else {
      t.ok(expirations >= 10, `${expirations} expirations in 21 ms`)
      source.remove()
    }
  })
  loop.run()
  t.ok(performance.now() >= startMs + 2 * count, `${count} times`)
})

test('an interval below the nanosecond is one of a nanosecond', (t) => {
  for (const ms of [1e-7, 1e-300, Number.MIN_VALUE]) {
    using loop = new Loop()
    const startMs = performance.now()
    const calls: number[] = []
    loop.every(ms, (expirations, source) => {
      calls.push(expirations)
      if (calls.length === 1_000_000) source.remove()
    })
    loop.after(5, () => loop.stop())
    loop.run()
    const elapsedNs = (performance.now() - startMs) * 1e6
    t.ok(calls.every(Number.isSafeInteger), `${calls.slice(0, 5)}`)
    const sum = calls.reduce((a, b) => a + b)
    t.ok(sum <= elapsedNs, `${sum} times in ${elapsedNs} ns`)
    t.ok(calls.length < 1_000_000, 'the other timer had its turn')
  }
})

test(`they are called in the order in which they are due (GENPOLL_SEED=${seed})`, (t) => {
  const random = randomFrom(seed)
  using loop = new Loop()
  const called: { fromMs: number; toMs: number }[] = []
  for (let i = 0; i < 300; i++) {
    const ms = random() * 5
    const due = { fromMs: performance.now() + ms, toMs: 0 }
    loop.after(ms, () => called.push(due))
    due.toMs = performance.now() + ms
  }
  pass(6)
  t.equal(loop.runOnce(), 300, 'all that are due, at once')
  const early = called.filter(({ toMs }, i) => i > 0 && toMs < called[i - 1]!.fromMs)
  t.strictSame(early, [])
})

test('those of the same delay are called in the order in which they were made', (t) => {
  using loop = new Loop()
  const seen: number[] = []
  for (const ms of [0, 1]) for (let i = 0; i < 100; i++) loop.after(ms, () => seen.push(i))
  loop.run()
  const order = Array.from({ length: 100 }, (_, i) => i)
  t.strictSame(seen, [...order, ...order])
})

test('what is due is called by a runOnce that doesn’t wait', (t) => {
  using loop = new Loop()
  for (let i = 0; i < 1000; i++) {
    loop.after(0, ignore)
    if (loop.runOnce(0) !== 1) t.fail('0 ms')
  }
  loop.after(60_000, ignore)
  t.equal(loop.runOnce(0), 0)
  loop.after(2, ignore)
  pass(3)
  t.equal(loop.runOnce(0), 1)
})

test('an earlier one that a handler makes goes first', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  const late = loop.after(60_000, () => seen.push('late'))
  loop.after(1, () => {
    seen.push('first')
    loop.after(2, () => {
      seen.push('second')
      late.remove()
    })
  })
  loop.run()
  t.strictSame(seen, ['first', 'second'])
})

test('an earlier one that is made while the clock is set for a later', (t) => {
  using loop = new Loop()
  loop.after(60_000, ignore)
  t.equal(loop.runOnce(0), 0)
  loop.after(1, ignore)
  t.equal(loop.runOnce(), 1)
})

test('handlers remove others that are due, and themselves', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  const every = loop.every(1, () => {
    seen.push('every')
    t.equal(every.remove(), true)
    t.equal(other.remove(), true)
    t.equal(every.active, false)
  })
  const other = loop.after(1, () => seen.push('other'))
  pass(2)
  t.equal(loop.runOnce(), 1)
  loop.run()
  t.strictSame(seen, ['every'])
})

test('a handler that throws leaves the others that are due to the next run', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  const every = loop.every(1, () => {
    seen.push('every')
    throw 'mine'
  })
  loop.after(1, () => seen.push('second'))
  loop.after(1, () => seen.push('third'))
  pass(3)
  t.equal(
    thrownBy(() => loop.run()),
    'mine',
  )
  t.strictSame(seen, ['every'])
  t.equal(every.active, true)
  every.remove()
  t.equal(loop.runOnce(0), 2)
  t.strictSame(seen, ['every', 'second', 'third'])
})

test('close in a handler ends those that are due too', (t) => {
  const loop = new Loop()
  const every = loop.every(1, () => loop.close())
  const other = loop.after(1, () => t.fail('called after close'))
  pass(3)
  loop.run()
  t.equal(every.active, false)
  t.equal(other.active, false)
})

for (const maxEvents of [1, 256]) {
  test(`descriptors that are always ready don’t starve timers (maxEvents ${maxEvents})`, (t) => {
    using loop = new Loop({ maxEvents })
    const bells = [ready(), ready(), ready()]
    const calls = bells.map((bell, i) => {
      loop.watch(bell, EPOLLIN, () => calls[i]!++)
      return 0
    })
    let fired = 0
    loop.every(1, () => {
      if (++fired === 6) loop.stop()
    })
    loop.run()
    t.equal(fired, 6)
    for (const count of calls) t.ok(count > 0)
    for (const bell of bells) bell.close()
  })

  test(`a timer that sets itself again starves nobody (maxEvents ${maxEvents})`, (t) => {
    using loop = new Loop({ maxEvents })
    using bell = ready()
    const again = () => void loop.after(0, again)
    again()
    const seen: string[] = []
    loop.watch(bell, EPOLLIN, (_events, source) => {
      source.remove()
      seen.push('event')
      loop.defer(() => seen.push('deferred'))
    })
    loop.after(5, () => {
      seen.push('timer')
      loop.stop()
    })
    loop.run()
    t.strictSame(seen.sort(), ['deferred', 'event', 'timer'])
  })
}

test(`10,000 timers, half of them removed, are called once each (GENPOLL_SEED=${seed})`, (t) => {
  const random = randomFrom(seed)
  using loop = new Loop()
  const calls = new Uint8Array(10_000)
  const sources = Array.from(calls, (_, i) => loop.after(random() * 20, () => calls[i]!++))
  for (let i = 0; i < 10_000; i += 2) sources[i]!.remove()
  loop.run()
  const wrong = calls.findIndex((count, i) => count !== i % 2)
  t.equal(wrong, -1)
  t.ok(sources.every(({ active }) => !active))
})

test('the longest delay there is', (t) => {
  using loop = new Loop()
  const longest = loop.after((2 ** 31 - 1) * 1000, () => t.fail('68 years have passed'))
  t.equal(loop.runOnce(0), 0)
  t.equal(loop.runOnce(2), 0)
  t.equal(longest.remove(), true)
})

/** How many handlers are still held after some collections. */
async function held(handlers: WeakRef<object>[]): Promise<number> {
  for (let i = 0; i < 5; i++) {
    await turn()
    globalThis.gc?.()
  }
  return handlers.filter((handler) => handler.deref() !== undefined).length
}

/** Sets a thousand timers. */
function setMany(loop: Loop, msOf: (i: number) => number) {
  const sources = new Set<Source>()
  const handlers = Array.from({ length: 1000 }, (_, i) => {
    const handler = () => void i
    sources.add(loop.after(msOf(i), handler))
    return new WeakRef(handler)
  })
  return { sources, handlers }
}

test('what is removed isn’t kept until it would have been due', async (t) => {
  using loop = new Loop()
  loop.every(60_000, ignore)
  const { sources, handlers } = setMany(loop, () => 60_000)
  for (const source of sources) source.remove()
  sources.clear()
  const count = await held(handlers)
  t.ok(count < 100, `${count} of 1000 are held`)
})

test('what was called isn’t kept while there are other timers', async (t) => {
  using loop = new Loop()
  loop.every(60_000, ignore)
  const { sources, handlers } = setMany(loop, (i) => (i * 7) % 10)
  sources.clear()
  pass(10)
  t.equal(loop.runOnce(), 1000)
  const count = await held(handlers)
  t.ok(count < 100, `${count} of 1000 are held`)
})

test('a bell rung by a timer is heard in the next turn', (t) => {
  using loop = new Loop()
  using bell = new EventFd()
  let count = 0
  loop.watch(bell, EPOLLIN, () => {
    count += bell.read()!
    if (count === 5) loop.stop()
  })
  loop.every(0.5, () => bell.write())
  loop.run()
  t.ok(count >= 5)
})
