// How soon a thread is awake that another has rung for, both on one processor: on two, the interrupt
// that wakes the other one is all that can be seen. By the clock, as the only figures here.
import { compare, startNode, startTwin, takeTurns } from '../measure.mjs'
import { extent } from '../settings.mjs'

const PROCESSES = extent(1, 3, 3)
const TURNS = extent(9, 25, 25)
const ROUNDS = 2000
const WARM = 20_000

export async function wakeups() {
  const pairs = { start: [], run: [] }
  for (let i = 0; i < PROCESSES; i++) {
    const library = startNode('wakeups')
    const c = startTwin('wakeups')
    const cases = {
      start: {
        ours: () => library.run('start', ROUNDS),
        beside: () => library.run('port', ROUNDS),
      },
      run: { ours: () => library.run('run', ROUNDS), beside: () => c.run('wake', ROUNDS) },
    }
    for (const name of ['start', 'port', 'run']) await library.run(name, WARM)
    for (const [mode, { ours, beside }] of Object.entries(cases)) {
      const label = `wake-ups of ${mode}(), process ${i + 1} of ${PROCESSES}`
      pairs[mode].push(...(await takeTurns(label, TURNS, ours, beside)))
    }
    library.stop()
    c.stop()
  }
  return {
    figures: [
      ...figuresOf('worker wakes `start()`', 'MessagePort', pairs.start, 0.5),
      ...figuresOf('worker wakes `run()`', 'two C threads', pairs.run, 1.25),
    ],
  }
}

function figuresOf(who, besides, pairs, goal) {
  const figure = (what, part, quantile, rest) => ({
    work: `${who}: ${what}`,
    besides,
    ...compare(
      pairs.map(({ ours, beside }) => ({
        ours: ours[part][quantile],
        beside: beside[part][quantile],
      })),
    ),
    unit: '',
    ...rest,
  })
  return [
    figure('half a round trip', 'half', 'median', { goal }),
    figure('99 of 100 are sooner than', 'half', 'p99'),
    figure('one way', 'way', 'median', { goal }),
  ]
}
