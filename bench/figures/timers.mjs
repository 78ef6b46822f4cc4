// Very many timers, beside setTimeout.
import { compare, startNode, takeTurns } from '../measure.mjs'
import { extent } from '../settings.mjs'

const PROCESSES = extent(1, 1, 2)
const TURNS = extent(5, 9, 9)
const WARM = 4
const TIMERS = 100_000
/** A prime: with it the order in which they fall due is as good as none. */
const UNORDERED = 7919

const CASES = [
  { work: 'set and fired, `start()`', ours: 'start', beside: 'timeout', step: 1, goal: 1 },
  { work: 'set and fired, `run()`', ours: 'run', beside: 'timeout', step: 1, goal: 1 },
  {
    work: 'the same in no order, `start()`',
    ours: 'start',
    beside: 'timeout',
    step: UNORDERED,
    goal: 1,
  },
  {
    work: 'the same in no order, `run()`',
    ours: 'run',
    beside: 'timeout',
    step: UNORDERED,
    goal: 1,
  },
  { work: 'memory', ours: 'loopBytes', beside: 'timeoutBytes', amounts: 'B', goal: 1.5 },
]

export async function timers() {
  const figures = []
  for (const each of CASES) figures.push(await measure(each))
  return { figures }
}

/** In processes of their own: garbage of one isn't collected on the other's account. */
async function measure({ work, ours, beside, step = 1, ...rest }) {
  const pairs = []
  for (let i = 0; i < PROCESSES; i++) {
    const library = startNode('timers')
    const node = startNode('timers')
    for (let j = 0; j < WARM; j++) {
      await library.run(ours, TIMERS, step)
      await node.run(beside, TIMERS, step)
    }
    const turns = await takeTurns(
      `timers, ${work}, process ${i + 1} of ${PROCESSES}`,
      TURNS,
      () => library.run(ours, TIMERS, step),
      () => node.run(beside, TIMERS, step),
    )
    pairs.push(...turns)
    library.stop()
    node.stop()
  }
  const count = TIMERS.toLocaleString('en')
  return {
    work: `${count} timers, each: ${work}`,
    besides: 'setTimeout',
    ...compare(pairs),
    unit: '',
    ...rest,
  }
}
