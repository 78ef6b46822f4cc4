// What zombies cost that only a rebuild removes: their wake-ups, then the rebuild.
import { compare, progress, startNode } from '../measure.mjs'
import { extent, LARGE } from '../settings.mjs'

const RATES = [0, 1, 10, 100]
const SECONDS = extent(1, 2, 5)
const ROUNDS = extent(9, 45, 45)

export async function zombies() {
  const library = startNode('zombies')
  await library.run('setup', LARGE)
  const figure = await single(library)
  const rates = []
  for (const perSecond of RATES) {
    progress(`${perSecond} zombies a second`)
    const lived = await library.run('live', perSecond, SECONDS)
    rates.push({ perSecond, seconds: SECONDS, ...lived })
  }
  library.stop()
  return { figures: [figure], zombies: { registered: LARGE, rates } }
}

/** A single one, from its first stale event to its end, in rebuilds. */
async function single(library) {
  for (let i = 0; i < 5; i++) await library.run('one') // warm
  const pairs = []
  for (let round = 0; round < ROUNDS; round++) {
    progress(`a single zombie: ${round + 1} of ${ROUNDS}`)
    const { rebuild, zombie } = await library.run('one')
    pairs.push({ ours: zombie, beside: rebuild })
  }
  const work = `a zombie that only a rebuild removes, among ${LARGE.toLocaleString('en')}`
  return { work, besides: 'a rebuild', ...compare(pairs), unit: '', goal: 2 }
}
