// What a rebuild costs against the number of registrations.
import { compare, startNode, startTwin, takeTurns } from '../measure.mjs'
import { extent, MANY } from '../settings.mjs'

const TURNS = extent(7, 11, 25)
const SIZES = [...[10, 100, 1000, 10_000].filter((size) => size < MANY), MANY]
/** A turn is long enough for its processor time to be told. */
const PER_TURN = 20_000

export async function rebuild() {
  const rebuilds = []
  for (const registered of SIZES) rebuilds.push(await measure(registered))
  return { figures: [], rebuilds }
}

async function measure(registered) {
  const library = startNode('rebuild')
  const c = startTwin('many')
  await library.run('setup', registered)
  await c.run('setup', registered)
  await c.run('fill', 0)
  const times = Math.ceil(PER_TURN / registered)
  await library.run('rebuild', Math.max(times, 5)) // warm
  const pairs = await takeTurns(
    `rebuild of ${registered}`,
    TURNS,
    () => library.run('rebuild', times),
    () => c.run('rebuild', times),
  )
  library.stop()
  c.stop()
  return { registered, ...compare(pairs) }
}
