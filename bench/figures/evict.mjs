// Eviction of a zombie without a rebuild.
import { progress, startNode, summary } from '../measure.mjs'
import { extent, LARGE } from '../settings.mjs'

const ROUNDS = extent(5, 20, 20)
const AT_A_TIME = 50

export async function evict() {
  const library = startNode('evict')
  await library.run('setup', LARGE)
  await library.run('evict', AT_A_TIME) // warm
  const ns = []
  for (let round = 0; round < ROUNDS; round++) {
    progress(`eviction: ${round + 1} of ${ROUNDS}`)
    ns.push(...(await library.run('evict', AT_A_TIME)))
  }
  library.stop()
  const work = `eviction of a zombie by a known dup, among ${LARGE.toLocaleString('en')}`
  const figure = { work, ...summary(ns.map((each) => each / 1000)), unit: 'µs', goal: 100 }
  return { figures: [figure] }
}
