// Bad arguments of Loop: refused before any system call, with Node's codes.

import { inspect } from 'node:util'
import { EPOLLIN, Loop, type LoopOptions } from 'genpoll'
import type { Test } from 'tap'
import { type Bad, bad, refuses } from './fixtures/bad.js'
import { openDescriptors, test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { DEADLY, masks } from './fixtures/signals.js'

const TYPE = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
const RANGE = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }
const ignore = () => {}
const given = (values: readonly Bad[]) => values.filter(([value]) => value !== undefined)

/** Values that an option has to refuse. */
const OPTIONS: Record<keyof LoopOptions, readonly Bad[]> = {
  auditMs: [...given(bad.milliseconds), [-1, RANGE], [-1e-9, RANGE]],
  maxEvents: [...given(bad.int32), [0, RANGE], [-1, RANGE], [65537, RANGE]],
  onStale: given(bad.function),
  verify: [
    [null, TYPE],
    [1, TYPE],
    [true, TYPE],
    [{}, TYPE],
    ['', RANGE],
    ['sometimes', RANGE],
  ],
}

test('new Loop refuses what is no object of options', (t) => {
  const before = [...openDescriptors()]
  const make = (options: never) => new Loop(options)
  refuses(t, make, [['options', 'object', {}, 'optional']])
  t.strictSame([...openDescriptors()], before, 'no descriptor is made')
})

for (const [name, values] of Object.entries(OPTIONS)) {
  test(`new Loop refuses bad values of ${name}`, (t) => {
    const before = [...openDescriptors()]
    for (const [value, expected] of values) {
      const message = new RegExp(`"options.${name}"`)
      t.throws(() => new Loop({ [name]: value }), { ...expected, message }, inspect(value))
    }
    t.strictSame([...openDescriptors()], before, 'no descriptor is made')
  })
}

test('what may be left out may be undefined', (t) => {
  const nothing = undefined
  const options = { auditMs: nothing, maxEvents: nothing, onStale: nothing, verify: nothing }
  for (const given of [nothing, {}, options]) new Loop(given).close()
  using loop = new Loop()
  using bell = ready()
  loop.watch(bell, EPOLLIN, ignore, undefined)
  t.equal(loop.runOnce(0), 1)
})

/** Calls `body` with a loop, and checks that it has no effect. */
function withoutEffect(name: string, body: (t: Test, loop: Loop) => void): void {
  test(name, (t) => {
    using loop = new Loop()
    const descriptors = [...openDescriptors()]
    const blocked = masks()
    body(t, loop)
    t.strictSame([...openDescriptors()], descriptors, 'no descriptor is made')
    t.strictSame(masks(), blocked)
    t.equal(loop.runOnce(0), 0)
    loop.run() // which has nothing to wait for
  })
}

withoutEffect('watch refuses bad masks, handlers and options', (t, loop) => {
  const fd = 0
  refuses(t, (events: number) => loop.watch(fd, events, ignore), [['events', 'mask32', EPOLLIN]])
  refuses(t, (handler: never) => loop.watch(fd, EPOLLIN, handler), [
    ['handler', 'function', ignore],
  ])
  refuses(t, (options: never) => loop.watch(fd, EPOLLIN, ignore, options), [
    ['options', 'object', {}, 'optional'],
  ])
  for (const onReplaced of [null, 1, true, {}]) {
    t.throws(() => loop.watch(fd, EPOLLIN, ignore, { onReplaced } as never), TYPE)
  }
  t.throws(() => loop.watch(fd, EPOLLIN, ignore, { onReplaced: 'follows' } as never), RANGE)
})

withoutEffect('watch refuses what is no target', (t, loop) => {
  const message = /"target"/
  const targets = [undefined, null, '0', true, 0n, {}, [], { fd: '0' }, { fd: null }, () => 0]
  for (const target of targets) {
    const watch = () => loop.watch(target as never, EPOLLIN, ignore)
    t.throws(watch, { ...TYPE, message }, inspect(target))
  }
  for (const target of [-1, 0.5, NaN, Infinity, 2 ** 20, 2 ** 32, { fd: -1 }, { fd: 1.5 }]) {
    const watch = () => loop.watch(target, EPOLLIN, ignore)
    t.throws(watch, { ...RANGE, message }, inspect(target))
  }
})

for (const name of ['after', 'every'] as const) {
  withoutEffect(`${name} refuses bad times and handlers`, (t, loop) => {
    refuses(t, (...args: Parameters<Loop['after']>) => loop[name](...args), [
      ['ms', 'milliseconds', 1],
      ['handler', 'function', ignore],
    ])
    for (const ms of [-1, -1e-9, -(2 ** 31)]) t.throws(() => loop[name](ms, ignore), RANGE)
  })
}

withoutEffect('every refuses 0', (t, loop) => {
  for (const ms of [0, -0]) t.throws(() => loop.every(ms, ignore), { ...RANGE, message: /"ms"/ })
})

withoutEffect('signal refuses bad signals and handlers', (t, loop) => {
  refuses(t, (handler: never) => loop.signal([DEADLY], handler), [['handler', 'function', ignore]])
  // A name or a number alone is as good as an array of one.
  const alone = (value: unknown) => typeof value === 'string' || typeof value === 'number'
  for (const [value, expected] of bad.mask) {
    if (alone(value)) continue
    t.throws(() => loop.signal(value as never, ignore), expected, inspect(value))
  }
  for (const [value, expected] of bad.signal) {
    if (!alone(value)) continue
    t.throws(() => loop.signal(value as never, ignore), expected, inspect(value))
  }
  for (const value of [undefined, null]) t.throws(() => loop.signal(value as never, ignore), TYPE)
  for (const value of [0, -1, 65]) t.throws(() => loop.signal(value, ignore), RANGE)
  for (const none of [[], new Set<number>()]) t.throws(() => loop.signal(none, ignore), RANGE)
})

withoutEffect('child refuses bad pids and handlers', (t, loop) => {
  refuses(t, (...args: Parameters<Loop['child']>) => loop.child(...args), [
    ['pid', 'int32', process.pid],
    ['handler', 'function', ignore],
  ])
  for (const pid of [0, -1]) t.throws(() => loop.child(pid, ignore), RANGE)
})

withoutEffect('defer refuses bad handlers', (t, loop) => {
  refuses(t, (handler: never) => loop.defer(handler), [['handler', 'function', ignore]])
})

withoutEffect('runOnce refuses bad times', (t, loop) => {
  refuses(t, (timeoutMs: number) => loop.runOnce(timeoutMs), [
    ['timeoutMs', 'milliseconds', 0, 'optional'],
  ])
})

test('modify refuses bad masks, and changes nothing', (t) => {
  using loop = new Loop()
  using bell = ready()
  const source = loop.watch(bell, EPOLLIN, ignore)
  refuses(t, (events: number) => source.modify(events), [['events', 'mask32', EPOLLIN]])
  t.equal(loop.runOnce(0), 1)
})
