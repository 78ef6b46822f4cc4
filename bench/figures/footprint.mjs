// What there is to pay for importing the package, and in garbage.
import { execFileSync } from 'node:child_process'
import { progress, summary } from '../measure.mjs'
import { CPU, extent, here } from '../settings.mjs'

const ROUNDS = extent(7, 45, 45)

export async function footprint() {
  return { figures: [importCost(), heapOfEvents()] }
}

/** How much longer a script takes that imports the package. */
function importCost() {
  const timed = (file) => {
    const start = process.hrtime.bigint()
    execFileSync('taskset', ['-c', CPU, process.execPath, file])
    return Number(process.hrtime.bigint() - start) / 1e6
  }
  const differences = []
  for (let round = 0; round < ROUNDS; round++) {
    progress(`import: ${round + 1} of ${ROUNDS}`)
    const empty = timed(here('scripts/empty.mjs'))
    differences.push(timed(here('scripts/import.mjs')) - empty)
  }
  const work = "`import 'genpoll'`, beyond an empty script"
  return { work, ...summary(differences), unit: 'ms', goal: 7 }
}

/** Bytes of JavaScript heap that ten million delivered events allocate. */
function heapOfEvents() {
  progress('heap: ten million events')
  const young = ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512']
  const { events, bytes } = JSON.parse(
    execFileSync(process.execPath, [...young, here('scripts/heap.mjs')], { encoding: 'utf8' }),
  )
  const work = `heap allocated by ${events / 1e6} million events`
  return { work, value: bytes / events, unit: 'B an event', goal: 0 }
}
