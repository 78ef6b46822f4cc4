// What ends Loop.iterate but its user: an abort, a descriptor that is closed, a loop that is.

import { EPOLLIN, EventFd } from 'genpoll'
import { assertGone, CLOSED, CLOSINGS, listeners, stale, startedLoop } from './fixtures/awaited.js'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { Partner } from './fixtures/partner.js'
import { turns } from './fixtures/seen.js'

const END = { value: undefined, done: true }

test('an abort rejects the step that waits, or the next one', async (t) => {
  for (const when of ['before the first step', 'during the first', 'between', 'during another']) {
    using loop = startedLoop()
    using bell = ready()
    const abort = new AbortController()
    const reason = new RangeError(when)
    if (when === 'before the first step') abort.abort(reason)
    const steps = loop.iterate(bell, EPOLLIN, abort)
    if (when === 'during the first') bell.read()
    if (when === 'between' || when === 'during another') {
      await steps.next()
      bell.read()
      bell.write()
    }
    if (when === 'between') abort.abort(reason)
    if (when === 'during another') bell.read()
    const next = steps.next().catch((error) => error)
    if (when.startsWith('during')) await turns()
    abort.abort(reason)
    t.equal(await next, reason)
    t.strictSame(await steps.next(), END, when)
    assertGone(t, loop, bell, abort)
  }
})

test('an abort after the end reaches nobody', async (t) => {
  using loop = startedLoop()
  using bell = ready()
  const abort = new AbortController()
  for await (const _events of loop.iterate(bell, EPOLLIN, abort)) break
  abort.abort()
  assertGone(t, loop, bell, abort)
})

test('return() ends the step that waits, and those behind it', async (t) => {
  for (const first of [false, true]) {
    using loop = startedLoop()
    using bell = ready()
    const abort = new AbortController()
    const steps = loop.iterate(bell, EPOLLIN, abort)
    if (first) await steps.next()
    bell.read()
    const waiting = [steps.next(), steps.next()]
    await turns()
    const end = steps.return()
    t.strictSame(await Promise.all([...waiting, end]), [END, END, END])
    assertGone(t, loop, bell, abort)
  }
})

test('throw() ends the step that waits, and rejects with its error', async (t) => {
  using loop = startedLoop()
  using bell = new EventFd()
  const steps = loop.iterate(bell, EPOLLIN)
  const waiting = steps.next()
  await turns()
  const thrown = new Error('thrown')
  await t.rejects(steps.throw(thrown), thrown)
  t.strictSame(await waiting, END)
  assertGone(t, loop, bell)
})

for (const [by, close] of Object.entries(CLOSINGS)) {
  test(`closed by ${by} during a step or between two: that, or the next one, rejects`, async (t) => {
    await using partner = await Partner.start()
    for (const when of ['during the first step', 'during another', 'between']) {
      using loop = startedLoop()
      const bell = new EventFd()
      const { fd } = bell
      const abort = new AbortController()
      const steps = loop.iterate(bell, EPOLLIN, abort)
      if (when !== 'during the first step') {
        bell.write()
        t.strictSame(await steps.next(), { value: EPOLLIN, done: false })
        bell.read()
      }
      const waiting = when === 'between' ? undefined : steps.next()
      close(bell, partner)
      await t.rejects(waiting ?? steps.next(), stale('closed', fd), when)
      t.strictSame(await steps.next(), END)
      partner.finish()
      using successor = new EventFd()
      t.equal(successor.fd, fd)
      assertGone(t, loop, successor, abort)
    }
  })
}

test('closed in the body: the next step rejects out of the loop', async (t) => {
  using loop = startedLoop()
  const bell = ready()
  const { fd } = bell
  let count = 0
  const iteration = async () => {
    for await (const _events of loop.iterate(bell, EPOLLIN)) {
      count++
      bell.close()
    }
  }
  await t.rejects(iteration(), stale('closed', fd))
  t.equal(count, 1)
})

test('the loop is closed during a step, between two, and before the first', async (t) => {
  for (const when of ['during the first', 'during another', 'between', 'before the first']) {
    const loop = startedLoop()
    using bell = ready()
    const abort = new AbortController()
    const steps = loop.iterate(bell, EPOLLIN, abort)
    if (when === 'between' || when === 'during another') await steps.next()
    bell.read()
    if (when === 'between' || when === 'before the first') loop.close()
    const next = steps.next()
    loop.close()
    await t.rejects(next, CLOSED, when)
    t.strictSame(await steps.next(), END)
    t.equal(listeners(abort), 0)
  }
})
