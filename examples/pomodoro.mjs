// Work, pause, work, pause: timers that begin with the end of the one before, and one that ticks
// beside them. A minute takes 10 ms here; `node examples/pomodoro.mjs 60000` is the real thing.

import { Loop } from 'genpoll'

const MINUTE_MS = Number(process.argv[2] ?? 10)
const PLAN = [
  ['work', 25],
  ['pause', 5],
  ['work', 25],
  ['a long pause', 15],
]

const loop = new Loop()
let minutes = 0
const clock = loop.every(MINUTE_MS, (expirations) => {
  minutes += expirations
})
// It ticks as long as there is something to do, and isn't a reason to go on.
clock.unref()

function next() {
  const [what, length] = PLAN.shift() ?? []
  if (what === undefined) return console.log(`done after ${minutes} minutes`)
  console.log(`${what}, ${length} minutes`)
  loop.after(length * MINUTE_MS, next)
}

next()
loop.run()
loop.close()
