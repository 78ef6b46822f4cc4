// Many timers at once: `Loop.after` in both modes, and setTimeout.
import { Loop } from 'genpoll'
import { serve, timed, timedUntil } from './serve.mjs'

const SPREAD_MS = 50
const HOUR_MS = 3_600_000

let left = 0
let end

function handle() {
  if (--left === 0) end()
}

/** Due within `SPREAD_MS`, with fractions; in the order in which they are set if `step` is 1. */
function setAll(count, step, set) {
  left = count
  for (let i = 0; i < count; i++) set(handle, 1 + (SPREAD_MS * ((step * i) % count)) / count)
}

async function inNodesLoop(count, step, set) {
  const ns = await timedUntil((resolve) => {
    end = resolve
    setAll(count, step, set)
  })
  return ns / count
}

const loop = new Loop()
const after = (handler, ms) => loop.after(ms, handler)

function used() {
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Bytes, of the heap and beside it, that one takes while it waits. */
function bytes(count, set, clear) {
  const timers = new Array(count).fill(null)
  const before = used()
  for (let i = 0; i < count; i++) timers[i] = set(handle, HOUR_MS + i / 1000)
  const taken = used() - before
  timers.forEach(clear)
  return taken / count
}

// Nanoseconds of processor time, or bytes, of one.
await serve({
  timeout: (count, step) => inNodesLoop(count, step, setTimeout),
  async start(count, step) {
    loop.start()
    const ns = await inNodesLoop(count, step, after)
    loop.stop()
    return ns
  },
  run(count, step) {
    end = () => {}
    const ns = timed(() => {
      setAll(count, step, after)
      loop.run()
    })
    return ns / count
  },
  timeoutBytes: (count) => bytes(count, setTimeout, (timer) => clearTimeout(timer)),
  loopBytes: (count) => bytes(count, after, (timer) => timer.remove()),
})
process.exit()
