// What it costs more that the kernel is asked whether a number still names its file. How much of it
// is the kernel's own is measured beside it: that moves with the machine, the goal doesn't.
import { compare, median, startNode, startTwin, takeTurns } from '../measure.mjs'
import { extent, LARGE } from '../settings.mjs'

const PROCESSES = extent(1, 2, 3)
const TURNS = extent(15, 25, 25)
const EVENTS = extent(50_000, 150_000, 150_000)

export async function foreign() {
  return { figures: [await measure(10), await measure(LARGE)] }
}

async function measure(registered) {
  const ready = Math.min(registered, 256)
  const work = `plain numbers, ${ready} ready of ${registered.toLocaleString('en')}: more per event`
  const pairs = []
  const probes = []
  for (let i = 0; i < PROCESSES; i++) {
    const library = startNode('foreign')
    const c = startTwin('probe')
    await library.run('setup', registered)
    await c.run('setup', registered)
    for (const whose of ['owned', 'foreign']) await library.run(whose, 300_000) // warm
    const turns = await takeTurns(
      `${work}, process ${i + 1} of ${PROCESSES}`,
      TURNS,
      () => library.run('foreign', EVENTS),
      async () => {
        probes.push(await c.run('probe', EVENTS))
        return library.run('owned', EVENTS)
      },
    )
    pairs.push(...turns)
    library.stop()
    c.stop()
  }
  const difference = compare(pairs, ({ ours, beside }) => (ours - beside) / 1000)
  const besides = `the question alone, in C: ${median(probes).toFixed(0)} ns; owned`
  return { work, besides, probe: median(probes), ...difference, unit: 'µs', goal: 0.22 }
}
