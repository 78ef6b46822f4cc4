// Repair of one replaced descriptor among as many as fit.
import { median, progress, startNode, startTwin, summary } from '../measure.mjs'
import { extent, MANY } from '../settings.mjs'

const ROUNDS = extent(9, 45, 45)
const AT_A_TIME = 10
const TWIN_ROUNDS = extent(3, 9, 9)

const count = MANY.toLocaleString('en')

export async function repair() {
  const scan = await scanAll()
  return {
    figures: [
      await measure('stale', 'repairStale', 'found by `verify`, added again', scan),
      await measure('follow', 'repairFollow', 'found and followed by `verify`', scan),
    ],
  }
}

async function scanAll() {
  const c = startTwin('repair')
  await c.run('setup', MANY)
  const ns = []
  for (let round = 0; round < TWIN_ROUNDS; round++) {
    progress(`repair by fdinfo: ${round + 1} of ${TWIN_ROUNDS}`)
    ns.push(await c.run('repair', round * 7919))
  }
  c.stop()
  return median(ns)
}

async function measure(open, mend, how, scan) {
  const library = startNode('repair')
  await library.run(open, MANY)
  for (let i = 0; i < 200; i++) await library.run(mend, AT_A_TIME) // warm
  const ns = []
  for (let round = 0; round < ROUNDS; round++) {
    progress(`repair, ${how}: ${round + 1} of ${ROUNDS}`)
    ns.push(await library.run(mend, AT_A_TIME))
  }
  library.stop()
  return {
    work: `one of ${count} replaced: ${how}`,
    besides: 'C, by every fdinfo',
    beside: scan,
    ours: median(ns),
    ...summary(ns.map((each) => each / 1000)),
    unit: 'µs',
    goal: 12,
  }
}
