// What it costs more that the kernel is asked whether a number still names its file.
import { compare, startNode, takeTurns } from '../measure.mjs'
import { isQuick } from '../settings.mjs'

const PROCESSES = isQuick ? 1 : 3
const TURNS = isQuick ? 15 : 25
const EVENTS = isQuick ? 50_000 : 150_000

export async function foreign() {
  return { figures: [await measure(10), await measure(10_000)] }
}

async function measure(registered) {
  const ready = Math.min(registered, 256)
  const work = `plain numbers, ${ready} ready of ${registered.toLocaleString('en')}: more per event`
  const pairs = []
  for (let i = 0; i < PROCESSES; i++) {
    const library = startNode('foreign')
    await library.run('setup', registered)
    for (const whose of ['owned', 'foreign']) await library.run(whose, 300_000) // warm
    const turns = await takeTurns(
      `${work}, process ${i + 1} of ${PROCESSES}`,
      TURNS,
      () => library.run('foreign', EVENTS),
      () => library.run('owned', EVENTS),
    )
    pairs.push(...turns)
    library.stop()
  }
  const difference = compare(pairs, ({ ours, beside }) => (ours - beside) / 1000)
  return { work, besides: 'owned', ...difference, unit: 'µs', goal: 0.22 }
}
