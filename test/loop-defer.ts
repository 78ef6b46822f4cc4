// Loop.defer: after the events that are being delivered.

import { EPOLLIN, Loop } from 'genpoll'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'

test('a deferred handler is called once, after the batch in which it was deferred', (t) => {
  using loop = new Loop()
  using one = ready()
  using other = ready()
  const seen: unknown[] = []
  loop.watch(one, EPOLLIN, (_events, source) => {
    source.remove()
    loop.defer((...args) => seen.push('deferred', args))
    seen.push('one')
  })
  loop.watch(other, EPOLLIN, (_events, source) => {
    source.remove()
    seen.push('other')
  })
  loop.run()
  t.strictSame(seen, ['one', 'other', 'deferred', []])
})

test('they are called in order, and don’t wait for events', (t) => {
  using loop = new Loop()
  const seen: number[] = []
  for (let i = 0; i < 5; i++) loop.defer(() => seen.push(i))
  t.equal(loop.runOnce(), 5)
  t.strictSame(seen, [0, 1, 2, 3, 4])
  loop.run()
})

test('what a deferred handler defers comes after the next events', (t) => {
  using loop = new Loop()
  using bell = ready()
  const seen: string[] = []
  loop.defer(() => {
    seen.push('first')
    loop.watch(bell, EPOLLIN, (_events, source) => {
      source.remove()
      seen.push('event')
    })
    loop.defer(() => seen.push('second'))
  })
  loop.run()
  t.strictSame(seen, ['first', 'event', 'second'])
})

test('one that defers itself again and again starves nobody', (t) => {
  using loop = new Loop()
  using bell = ready()
  const again = () => void loop.defer(again)
  again()
  const seen: string[] = []
  loop.watch(bell, EPOLLIN, (_events, source) => {
    source.remove()
    seen.push('event')
  })
  loop.after(1, () => {
    seen.push('timer')
    loop.stop()
  })
  loop.run()
  t.strictSame(seen, ['event', 'timer'])
})

test('it isn’t active any more when it is called', (t) => {
  using loop = new Loop()
  const source = loop.defer(() => {
    t.equal(source.active, false)
    t.equal(source.remove(), false)
  })
  loop.run()
})

test('one removes another', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  loop.defer(() => {
    seen.push('first')
    t.equal(second.remove(), true)
  })
  const second = loop.defer(() => seen.push('second'))
  loop.defer(() => seen.push('third'))
  t.equal(loop.runOnce(), 2)
  t.strictSame(seen, ['first', 'third'])
})

test('one that throws leaves the rest, in order, to the next run', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  loop.defer(() => {
    loop.defer(() => seen.push('later'))
    throw new Error('mine')
  })
  loop.defer(() => seen.push('second'))
  loop.defer(() => seen.push('third'))
  t.throws(() => loop.run(), { message: 'mine' })
  t.strictSame(seen, [])
  loop.run()
  t.strictSame(seen, ['second', 'third', 'later'])
})

test('a handler that throws leaves what is deferred to the next run', (t) => {
  using loop = new Loop()
  using bell = ready()
  const seen: string[] = []
  loop.watch(bell, EPOLLIN, (_events, source) => {
    source.remove()
    loop.defer(() => seen.push('deferred'))
    throw new Error('mine')
  })
  t.throws(() => loop.run(), { message: 'mine' })
  loop.run()
  t.strictSame(seen, ['deferred'])
})

test('stop in one ends run when all that are due were called', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  loop.defer(() => {
    loop.stop()
    loop.defer(() => seen.push('later'))
  })
  loop.defer(() => seen.push('second'))
  loop.run()
  t.strictSame(seen, ['second'])
})

for (const how of ['returns', 'throws']) {
  test(`close in one that ${how} drops the rest`, (t) => {
    const loop = new Loop()
    loop.defer(() => {
      loop.close()
      if (how === 'throws') throw new Error('mine')
    })
    const rest = loop.defer(() => t.fail('called after close'))
    if (how === 'throws') t.throws(() => loop.run(), { message: 'mine' })
    else loop.run()
    t.equal(rest.active, false)
  })
}

test('one of very many throws: all the rest are left, in order, to the next run', (t) => {
  using loop = new Loop()
  const thrown = new Error('thrown')
  const MANY = 200_000
  let next = 0
  loop.defer(() => {
    throw thrown
  })
  for (let i = 0; i < MANY; i++) {
    loop.defer(() => {
      if (i === next) next++
    })
  }
  t.throws(() => loop.run(), thrown)
  t.equal(next, 0)
  loop.run()
  t.equal(next, MANY)
})
