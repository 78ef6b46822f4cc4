// Sources of signals that come and go: a signal that a source has heard is heard by no other.

import { Loop, type Source } from 'genpoll'
import { test } from './fixtures/check.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { DEADLY, send } from './fixtures/signals.js'

const TIMES = 10

test('C382 a source hears what a timer raises, while it is there', (t) => {
  using loop = new Loop()
  let heard = 0
  const raise = () => void loop.after(1, () => process.kill(process.pid, 'SIGCHLD'))
  for (const total of [TIMES, 2 * TIMES]) {
    loop.signal(['SIGCHLD'], (_info, source) => {
      if (++heard === total) source.remove()
      else raise()
    })
    raise()
    runToEnd(t, loop)
    t.equal(heard, total)
    for (let i = 0; i < TIMES; i++) raise()
    runToEnd(t, loop)
    t.equal(heard, total)
  }
})

test('C384 a source that removes itself hears one of ten', (t) => {
  using loop = new Loop()
  let heard = 0
  loop.signal([DEADLY], (_info, source) => {
    heard++
    source.remove()
  })
  send(DEADLY, { times: TIMES })
  runToEnd(t, loop)
  t.equal(heard, 1)
})

test('C385 sources that stay, hear one, or were removed: ten signals are heard once each', (t) => {
  using loop = new Loop()
  const heard = { staying: 0, once: 0, removed: 0 }
  const total = () => heard.staying + heard.once + heard.removed
  const hear = (who: keyof typeof heard, stays: boolean) =>
    loop.signal([DEADLY], (_info: unknown, source: Source) => {
      heard[who]++
      if (!stays) source.remove()
    })
  const [, , first, , second] = [
    hear('staying', true),
    hear('once', false),
    hear('removed', true),
    hear('once', false),
    hear('removed', false),
  ]
  first.remove()
  second.remove()
  for (let i = 1; i <= TIMES; i++) {
    send(DEADLY)
    t.equal(loop.runOnce(), 1)
    t.equal(total(), i)
  }
  t.equal(heard.removed, 0)
  t.ok(heard.once <= 2)
})
