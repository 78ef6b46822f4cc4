// Loop.iterate: the events of a descriptor, one step after the other.

import { openSync } from 'node:fs'
import { inspect } from 'node:util'
import { EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EventFd, Loop } from 'genpoll'
import { assertGone, CLOSED, startedLoop } from './fixtures/awaited.js'
import { bad } from './fixtures/bad.js'
import { test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { NOT_OPEN, refused } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'
import { turns, turnsUntil } from './fixtures/seen.js'

const ignore = () => {}
const END = { value: undefined, done: true }
const step = (value: number) => ({ value, done: false })

test('each step tells a mask, until the loop is left', async (t) => {
  using loop = startedLoop()
  const [reading, writing] = pipe()
  const buffer = Buffer.alloc(8)
  const seen: unknown[] = []
  writing.write(Buffer.from('one'))
  for await (const events of loop.iterate(reading, EPOLLIN)) {
    const count = reading.read(buffer)!
    if (count === 0) break
    seen.push([events, buffer.toString('latin1', 0, count)])
    if (seen.length === 1) writing.write(Buffer.from('two'))
    else writing.close()
  }
  t.strictSame(seen, [
    [EPOLLIN, 'one'],
    [EPOLLIN, 'two'],
  ])
  assertGone(t, loop, reading)
  reading.close()
})

test('a step waits for the event; what comes between two is told by the next', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  const steps = loop.iterate(bell, EPOLLIN)
  for (const when of ['during', 'between', 'during', 'between', 'between', 'during']) {
    if (when === 'between') {
      bell.write(3)
      await turns()
    }
    const next = steps.next()
    if (when === 'during') {
      await turns()
      bell.write(3)
    }
    t.strictSame(await next, step(EPOLLIN))
    t.equal(bell.read(), 3, when)
  }
  t.strictSame(await steps.return(), END)
  assertGone(t, loop, bell)
})

test('it is registered with the first step, and while it goes on', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  const steps = loop.iterate(bell, EPOLLIN)
  loop.watch(bell, EPOLLIN, ignore).remove()
  t.strictSame(await steps.next(), step(EPOLLIN))
  t.throws(() => loop.watch(bell, EPOLLIN, ignore), refused('EEXIST'))
  t.strictSame(await steps.return(), END)
  t.strictSame(await steps.next(), END)
  assertGone(t, loop, bell)
})

test('one that is left before the first step was never registered', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  const abort = new AbortController()
  t.strictSame(await loop.iterate(bell, EPOLLIN, abort).return(), END)
  assertGone(t, loop, bell, abort)
})

test('steps that are asked for together come one after the other', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  const steps = loop.iterate(bell, EPOLLIN)
  const asked = [steps.next(), steps.next(), steps.next()]
  t.strictSame(await Promise.all(asked), new Array(3).fill(step(EPOLLIN)))
  t.strictSame(await Promise.all([steps.next(), steps.return(), steps.next()]), [END, END, END])
  assertGone(t, loop, bell)
})

/** Ways to leave a loop. */
const WAYS: Record<string, (steps: AsyncGenerator<number, void>) => Promise<unknown>> = {
  break: async (steps) => {
    for await (const _events of steps) break
  },
  'a return': async (steps) => {
    for await (const events of steps) return events
    return undefined
  },
  'a throw': async (steps) => {
    try {
      for await (const _events of steps) throw new Error('mine')
    } catch (error) {
      return error
    }
    return undefined
  },
  'return()': async (steps) => {
    await steps.next()
    return steps.return()
  },
  'throw()': async (steps) => {
    await steps.next()
    return steps.throw(new Error('mine')).catch((error) => error)
  },
}

for (const [way, leave] of Object.entries(WAYS)) {
  test(`${way} takes it out of the loop`, async (t) => {
    using loop = startedLoop()
    using bell = ready()
    for (let i = 0; i < 3; i++) {
      loop.start()
      const abort = new AbortController()
      const steps = loop.iterate(bell, EPOLLIN, abort)
      await leave(steps)
      t.strictSame(await steps.next(), END)
      assertGone(t, loop, bell, abort)
      abort.abort()
    }
  })
}

test('level-triggered: what isn’t consumed is told by each step, and doesn’t spin between them', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  let count = 0
  for await (const events of loop.iterate(bell, EPOLLIN)) {
    t.equal(events, EPOLLIN)
    const busy = await turnsUntil(new Promise<unknown>((resolve) => loop.after(30, resolve)))
    t.ok(busy < 50, `${busy} turns in 30 ms`)
    if (++count === 3) break
  }
  assertGone(t, loop, bell)
})

test('edge-triggered: each edge is told once, even if nothing is consumed', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  const steps = loop.iterate(bell, EPOLLIN | EPOLLET)
  t.strictSame(await steps.next(), step(EPOLLIN))
  let isTold = false
  const next = steps.next().finally(() => {
    isTold = true
  })
  await turns()
  t.equal(isTold, false)
  bell.write()
  t.strictSame(await next, step(EPOLLIN))
  // Edges between two steps are told by one.
  for (let i = 0; i < 3; i++) {
    bell.write()
    await turns()
  }
  t.strictSame(await steps.next(), step(EPOLLIN))
  await steps.return()
  assertGone(t, loop, bell)
})

test('edge-triggered: what came between two steps is told by one, all of it', async (t) => {
  using loop = startedLoop()
  const [reading, writing] = pipe()
  const steps = loop.iterate(reading, EPOLLIN | EPOLLET)
  writing.write(Buffer.from('x'))
  t.strictSame(await steps.next(), step(EPOLLIN))
  t.equal(reading.read(Buffer.alloc(1)), 1)
  writing.write(Buffer.from('y'))
  await turns()
  t.equal(reading.read(Buffer.alloc(1)), 1)
  writing.close()
  await turns()
  t.strictSame(await steps.next(), step(EPOLLIN | EPOLLHUP))
  await steps.return()
  assertGone(t, loop, reading)
  reading.close()
})

test('edge-triggered: what is consumed in each step is told each time', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  const steps = loop.iterate(bell, EPOLLIN | EPOLLET)
  for (let i = 1; i <= 20; i++) {
    if (i % 2 === 0) bell.write(i)
    const next = steps.next()
    if (i % 2 === 1) bell.write(i)
    t.strictSame(await next, step(EPOLLIN))
    t.equal(bell.read(), i)
  }
  await steps.return()
})

test('several at once, on different descriptors and on a dup', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  using same = bell.dup()
  const [reading, writing] = pipe()
  const seen: string[] = []
  const follow = async (name: string, steps: AsyncIterable<number>, times: number) => {
    let count = 0
    for await (const events of steps) {
      seen.push(`${name} ${events}`)
      if (++count === times) break
    }
  }
  const all = [
    follow('bell', loop.iterate(bell, EPOLLIN), 2),
    follow('dup', loop.iterate(same, EPOLLIN), 1),
    follow('reading', loop.iterate(reading, EPOLLIN), 1),
    follow('writing', loop.iterate(writing, EPOLLOUT), 2),
  ]
  await turns()
  t.strictSame(seen, ['writing 4', 'writing 4'])
  writing.close()
  await all[2]
  bell.write()
  await Promise.all(all)
  t.strictSame(seen.slice(2).sort(), ['bell 1', 'bell 1', 'dup 1', `reading ${EPOLLHUP}`])
  assertGone(t, loop, bell)
  reading.close()
})

test('two for one number: the second is refused, and the first goes on', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  const first = loop.iterate(bell, EPOLLIN)
  const next = first.next()
  const second = loop.iterate(bell, EPOLLIN)
  await t.rejects(second.next(), refused('EEXIST'))
  t.strictSame(await second.next(), END)
  bell.write()
  t.strictSame(await next, step(EPOLLIN))
  await first.return()
  assertGone(t, loop, bell)
})

test('a loop that is stopped tells its steps when it is started again', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  const steps = loop.iterate(bell, EPOLLIN)
  await steps.next()
  loop.stop()
  let isTold = false
  const next = steps.next().finally(() => {
    isTold = true
  })
  await turns()
  t.equal(isTold, false)
  loop.start()
  t.strictSame(await next, step(EPOLLIN))
  await steps.return()
})

test('what can’t be watched is refused by the first step', async (t) => {
  using fds = new Descriptors()
  using loop = startedLoop()
  using bell = new EventFd()
  const abort = new AbortController()
  const file = fds.own(openSync('/proc/self/exe', 'r'))
  for (const [target, expected] of [
    [file, refused('EPERM')],
    [NOT_OPEN, refused('EBADF')],
  ] as const) {
    const steps = loop.iterate(target, EPOLLIN, abort)
    await t.rejects(steps.next(), expected)
    t.strictSame(await steps.next(), END)
  }
  assertGone(t, loop, bell, abort)
})

test('bad arguments are refused at once', (t) => {
  using loop = new Loop()
  using bell = new EventFd()
  const call = loop.iterate.bind(loop) as (...args: unknown[]) => unknown
  const refuses = (args: unknown[], expected: object, name: string) =>
    t.throws(() => call(...args), { ...expected, message: RegExp(`"${name}["]`) }, inspect(args))
  for (const [value, expected] of bad.mask32) refuses([bell, value], expected, 'events')
  for (const [value, expected] of bad.object) refuses([bell, EPOLLIN, value], expected, 'options')
  const wrong = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
  for (const signal of [null, 0, 'signal', {}, { aborted: false }, new EventTarget()]) {
    refuses([bell, EPOLLIN, { signal }], wrong, 'options.signal')
  }
  for (const target of [undefined, null, '0', {}, { fd: '0' }, true]) {
    t.throws(() => call(target, EPOLLIN), wrong, inspect(target))
  }
  t.throws(() => call(-1, EPOLLIN), { code: 'ERR_OUT_OF_RANGE' })
  bell.close()
  t.throws(() => call(bell, EPOLLIN), CLOSED)
  loop.run()
})
