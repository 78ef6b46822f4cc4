// Loop.ready: a promise for the next event of a descriptor, and all that can become of it.

import { closeSync, openSync } from 'node:fs'
import { inspect } from 'node:util'
import { EPOLLHUP, EPOLLIN, EPOLLOUT, EventFd, Loop } from 'genpoll'
import * as sys from 'genpoll/sys'
import { assertGone, CLOSED, CLOSINGS, listeners, stale, startedLoop } from './fixtures/awaited.js'
import { bad } from './fixtures/bad.js'
import { alias } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { pipe, ready, recycle } from './fixtures/descriptors.js'
import { NOT_OPEN, refused } from './fixtures/errno.js'
import { Descriptors, write } from './fixtures/kernel.js'
import { Partner } from './fixtures/partner.js'
import { pass } from './fixtures/poll.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { Seen, turns } from './fixtures/seen.js'

const ignore = () => {}
test('it resolves with the mask that the kernel reported', async (t) => {
  using loop = startedLoop()
  const [reading, writing] = pipe()
  const waiting = loop.ready(reading, EPOLLIN)
  t.equal(await loop.ready(writing, EPOLLOUT), EPOLLOUT)
  writing.write(Buffer.from('x'))
  t.equal(await waiting, EPOLLIN)
  t.equal(await loop.ready(reading.fd, EPOLLIN), EPOLLIN, 'of what is ready already')
  writing.close()
  t.equal(await loop.ready({ fd: reading.fd }, EPOLLIN), EPOLLIN | EPOLLHUP)
  assertGone(t, loop, reading)
  reading.close()
})

test('one after the other, as often as it is asked', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  for (let i = 1; i <= 100; i++) {
    const waiting = loop.ready(bell, EPOLLIN)
    bell.write(i)
    if ((await waiting) !== EPOLLIN || bell.read() !== i) t.fail(`round ${i}`)
  }
  assertGone(t, loop, bell)
})

test('its registration is gone before the next handler of the batch runs', async (t) => {
  using loop = startedLoop()
  using one = ready()
  using other = ready()
  const seen = new Seen()
  const waiting = loop.ready(one, EPOLLIN)
  loop.watch(other, EPOLLIN, (_events, source) => {
    source.remove()
    loop.watch(one, EPOLLIN, (_events, successor) => {
      successor.remove()
      seen.add('successor')
    })
  })
  await seen.first(1)
  t.equal(await waiting, EPOLLIN)
})

test('many at once, each for its own', async (t) => {
  using loop = startedLoop()
  const bells = Array.from({ length: 300 }, () => new EventFd())
  const order: number[] = []
  const all = bells.map(async (bell, i) => {
    await loop.ready(bell, EPOLLIN)
    order.push(i)
  })
  for (const bell of bells.toReversed()) bell.write()
  await Promise.all(all)
  t.strictSame(
    order.sort((a, b) => a - b),
    [...bells.keys()],
  )
  for (const bell of bells) bell.close()
})

test('run tells it too, but nothing goes on before it returns', async (t) => {
  using loop = new Loop()
  using bell = ready()
  let isOver = false
  const waiting = loop.ready(bell, EPOLLIN).then((events) => {
    isOver = true
    return events
  })
  runToEnd(t, loop)
  t.equal(isOver, false)
  t.equal(await waiting, EPOLLIN)
})

for (const timeoutMs of [0, 0.5, 3, 20.25]) {
  test(`0 after ${timeoutMs} ms, and not before`, async (t) => {
    using loop = startedLoop()
    using bell = new EventFd()
    const abort = new AbortController()
    const startMs = performance.now()
    t.equal(await loop.ready(bell, EPOLLIN, { timeoutMs, signal: abort.signal }), 0)
    const tookMs = performance.now() - startMs
    t.ok(tookMs >= timeoutMs, `${tookMs} ms`)
    assertGone(t, loop, bell, abort)
  })
}

test('what is ready in time is told, though Node was busy until it was up', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  const waiting = loop.ready(bell, EPOLLIN, { timeoutMs: 300 })
  await turns()
  bell.write()
  pass(310)
  t.equal(await waiting, EPOLLIN)
  t.equal(await loop.ready(bell, EPOLLIN, { timeoutMs: 0 }), EPOLLIN)
  assertGone(t, loop, bell)
})

test('what ends in time isn’t ended again when it is up', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  t.equal(await loop.ready(bell, EPOLLIN, { timeoutMs: 5 }), EPOLLIN)
  bell.read()
  let isOver = false
  const next = loop.ready(bell, EPOLLIN).finally(() => {
    isOver = true
  })
  await new Promise((resolve) => loop.after(10, resolve))
  t.equal(isOver, false)
  bell.write()
  t.equal(await next, EPOLLIN)
})

for (const reason of [undefined, new RangeError('mine'), 'text', null]) {
  test(`it rejects with the reason of its signal (${inspect(reason)})`, async (t) => {
    using loop = startedLoop()
    using bell = new EventFd()
    const abort = new AbortController()
    const { signal } = abort
    const options = { signal, timeoutMs: 60_000 }
    const waiting = loop.ready(bell, EPOLLIN, options).catch((error) => ({ error }))
    t.equal(listeners(abort), 1)
    await turns()
    abort.abort(reason)
    t.equal(listeners(abort), 0, 'at once')
    t.strictSame(await waiting, { error: signal.reason })
    if (reason === undefined) t.equal(signal.reason.name, 'AbortError')
    const again = await loop.ready(bell, EPOLLIN, options).catch((error) => ({ error }))
    t.strictSame(again, { error: signal.reason }, 'which was aborted before')
    assertGone(t, loop, bell, abort)
  })
}

test('an abort comes too late for what is settled, even if nobody has heard of it', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  const abort = new AbortController()
  const waiting = loop.ready(bell, EPOLLIN, { signal: abort.signal })
  await new Promise((resolve) => loop.defer(() => resolve(abort.abort())))
  t.equal(await waiting, EPOLLIN)
  assertGone(t, loop, bell, abort)
})

test('one signal for many', async (t) => {
  using loop = startedLoop()
  const bells = [new EventFd(), new EventFd(), ready()]
  const abort = new AbortController()
  const all = bells.map((bell) => loop.ready(bell, EPOLLIN, abort))
  t.equal(listeners(abort), 1)
  t.equal(await all[2], EPOLLIN)
  t.equal(listeners(abort), 1)
  abort.abort()
  const outcomes = await Promise.allSettled(all)
  t.strictSame(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  )
  t.equal(listeners(abort), 0)
  for (const bell of bells) bell.close()
})

test('AbortSignal.timeout', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  await t.rejects(loop.ready(bell, EPOLLIN, { signal: AbortSignal.timeout(5) }), {
    name: 'TimeoutError',
  })
  assertGone(t, loop, bell)
})

for (const [by, close] of Object.entries(CLOSINGS)) {
  test(`closed by ${by}: it rejects with the typed error`, async (t) => {
    await using partner = await Partner.start()
    using loop = startedLoop()
    const bell = new EventFd()
    const { fd, generation } = bell
    const abort = new AbortController()
    const waiting = loop.ready(bell, EPOLLIN, { signal: abort.signal, timeoutMs: 60_000 })
    close(bell, partner)
    await t.rejects(waiting, { ...stale('closed', fd), generation })
    partner.finish()
    using successor = new EventFd()
    t.equal(successor.fd, fd)
    assertGone(t, loop, successor, abort)
  })
}

test('closed by a handler of the same batch', async (t) => {
  using loop = new Loop()
  using bell = ready()
  const other = ready()
  loop.watch(bell, EPOLLIN, (_events, source) => {
    source.remove()
    other.close()
  })
  const waiting = loop.ready(other, EPOLLIN)
  const { fd } = other
  loop.start()
  await t.rejects(waiting, stale('closed', fd))
})

test('closed before, as an object, or as a number', async (t) => {
  using loop = startedLoop()
  const bell = new EventFd()
  const { fd } = bell
  bell.close()
  await t.rejects(loop.ready(bell, EPOLLIN), CLOSED)
  await t.rejects(loop.ready(fd, EPOLLIN), refused('EBADF'))
  loop.stop()
  runToEnd(t, loop)
})

test('replaced by another thread through genpoll', async (t) => {
  await using partner = await Partner.start()
  using fds = new Descriptors()
  using loop = startedLoop()
  const fd = fds.eventfd()
  const waiting = loop.ready(fd, EPOLLIN)
  partner.make(['dup3', fds.eventfd(1), fd, sys.O_CLOEXEC])
  await t.rejects(waiting, stale('closed', fd))
  t.equal(await loop.ready(fd, EPOLLIN), EPOLLIN)
})

for (const [reason, change] of Object.entries({ closed: closeSync, replaced: recycle })) {
  test(`${reason} behind genpoll’s back: found by auditMs`, async (t) => {
    using loop = startedLoop({ auditMs: 2 })
    const fd = sys.eventfd(0, 0)
    const waiting = loop.ready(fd, EPOLLIN)
    change(fd)
    await t.rejects(waiting, stale(reason as 'closed', fd))
    if (reason === 'replaced') closeSync(fd)
  })

  test(`${reason} behind genpoll’s back: found when its old file is ready`, async (t) => {
    using loop = startedLoop()
    const fd = sys.eventfd(0, 0)
    const keeper = alias(fd)
    const waiting = loop.ready(fd, EPOLLIN)
    change(fd)
    sys.eventfd_write(keeper, 1)
    await t.rejects(waiting, stale(reason as 'closed', fd))
    for (const open of reason === 'replaced' ? [fd, keeper] : [keeper]) closeSync(open)
  })
}

test('it rejects when the loop is closed, wherever that happens', async (t) => {
  for (const where of ['at once', 'a turn later', 'in a handler']) {
    const loop = startedLoop()
    using bell = new EventFd()
    const abort = new AbortController()
    const waiting = loop.ready(bell, EPOLLIN, { signal: abort.signal, timeoutMs: 60_000 })
    if (where === 'in a handler') loop.defer(() => loop.close())
    if (where === 'a turn later') setImmediate(() => loop.close())
    if (where === 'at once') loop.close()
    await t.rejects(waiting, CLOSED, where)
    t.equal(listeners(abort), 0)
    await t.rejects(loop.ready(bell, EPOLLIN, abort), CLOSED)
    t.equal(listeners(abort), 0)
  }
})

test('what can’t be watched is refused, and nothing is left', async (t) => {
  using fds = new Descriptors()
  using loop = startedLoop()
  using bell = ready()
  const file = fds.own(openSync('/proc/self/exe', 'r'))
  const abort = new AbortController()
  const options = { signal: abort.signal, timeoutMs: 60_000 }
  await t.rejects(loop.ready(file, EPOLLIN, options), refused('EPERM'))
  await t.rejects(loop.ready(NOT_OPEN, EPOLLIN, options), refused('EBADF'))
  const watched = loop.watch(bell, EPOLLIN, ignore)
  await t.rejects(loop.ready(bell, EPOLLIN, options), refused('EEXIST'))
  t.equal(watched.remove(), true)
  const first = loop.ready(bell, EPOLLIN)
  await t.rejects(loop.ready(bell, EPOLLIN, options), refused('EEXIST'), 'nor two for one number')
  t.equal(await first, EPOLLIN)
  assertGone(t, loop, bell, abort)
})

test('two for one descriptor: in two loops, or by a dup', async (t) => {
  using fds = new Descriptors()
  using one = startedLoop()
  using other = startedLoop()
  const [reading, writing] = fds.pipe()
  const all = [
    one.ready(reading, EPOLLIN),
    one.ready(fds.own(sys.dup(reading)), EPOLLIN),
    other.ready(reading, EPOLLIN),
  ]
  write(writing, 'x')
  t.strictSame(await Promise.all(all), [EPOLLIN, EPOLLIN, EPOLLIN])
})

test('bad arguments are rejections, and leave nothing', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  const abort = new AbortController()
  const { signal } = abort
  const call = loop.ready.bind(loop) as (...args: unknown[]) => Promise<number>
  const rejects = (promise: Promise<number>, expected: object, name: string, value: unknown) =>
    t.rejects(
      promise,
      { ...expected, message: new RegExp(`"${name}[".]`) },
      `${name}: ${inspect(value)}`,
    )
  for (const [value, expected] of bad.mask32) {
    await rejects(call(bell, value, { signal }), expected, 'events', value)
  }
  const tooSmall = [-1, { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }] as const
  for (const [timeoutMs, expected] of [...bad.milliseconds, tooSmall]) {
    const promise = call(bell, EPOLLIN, { signal, timeoutMs })
    await rejects(promise, expected, 'options.timeoutMs', timeoutMs)
  }
  for (const [value, expected] of bad.object) {
    await rejects(call(bell, EPOLLIN, value), expected, 'options', value)
  }
  const wrong = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
  for (const signal of [null, 0, 'signal', {}, { aborted: false }, new EventTarget(), abort]) {
    await rejects(call(bell, EPOLLIN, { signal }), wrong, 'options.signal', signal)
  }
  for (const target of [undefined, null, '0', {}, { fd: '0' }, true]) {
    await t.rejects(call(target, EPOLLIN, { signal }), wrong, inspect(target))
  }
  await rejects(call(-1, EPOLLIN), { code: 'ERR_OUT_OF_RANGE' }, 'target', -1)
  assertGone(t, loop, bell, abort)
})

test('undefined options are as good as none', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  const options = { signal: undefined, timeoutMs: undefined }
  t.equal(await loop.ready(bell, EPOLLIN, options), EPOLLIN)
  t.equal(await loop.ready(bell, EPOLLIN, undefined), EPOLLIN)
})

test('very many with one signal are no cause for a warning', async (t) => {
  using loop = startedLoop()
  const warnings: unknown[] = []
  const warn = (warning: unknown) => warnings.push(warning)
  process.on('warning', warn)
  const abort = new AbortController()
  const bells = Array.from({ length: 20 }, () => new EventFd())
  const waiting = bells.map((bell) => loop.ready(bell, EPOLLIN, { signal: abort.signal }))
  t.equal(listeners(abort), 1)
  const outcomes = Promise.allSettled(waiting)
  abort.abort('enough')
  for (const outcome of await outcomes) t.match(outcome, { status: 'rejected', reason: 'enough' })
  await turns()
  process.off('warning', warn)
  t.strictSame(warnings, [])
  for (const bell of bells) bell.close()
})
