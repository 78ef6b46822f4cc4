// What the conveniences of `Loop` cost, on the ping-pong of scripts/loop.mjs.
import { compare, startNode, startTwin, takeTurns } from '../measure.mjs'
import { extent } from '../settings.mjs'

const PROCESSES = extent(2, 2, 4)
const TURNS = extent(3, 5, 5)
const TURN_NS = extent(3e7, 4e7, 4e7)

const node = (name) => ({ name, begin: () => startNode('loop') })
const c = (name) => ({ name, begin: () => startTwin('loop') })

const COMPARED = [
  {
    work: 'ping-pong: `Loop.run`, a handler, beside `Epoll.wait`, a visitor',
    besides: '`Epoll.wait`',
    ours: node('run'),
    beside: node('level'),
  },
  {
    work: 'ping-pong: `Loop.run`, the handler has an AsyncLocalStorage store',
    besides: 'none in use',
    ours: node('runWithStore'),
    beside: node('run'),
  },
  { work: 'ping-pong: `Loop.start`', besides: 'C', ours: node('start'), beside: c('level') },
]

export async function modes() {
  const figures = []
  for (const compared of COMPARED) figures.push(await measure(compared))
  return { figures }
}

/** Each in a process of its own: a store that was in use once leaves its traces. */
async function measure({ work, besides, ours, beside }) {
  const pairs = []
  for (let i = 0; i < PROCESSES; i++) {
    const [us, them] = await Promise.all([prepare(ours), prepare(beside)])
    const label = `${work}, process ${i + 1} of ${PROCESSES}`
    pairs.push(...(await takeTurns(label, TURNS, us.turn, them.turn)))
    us.stop()
    them.stop()
  }
  return { work, besides, ...compare(pairs), unit: '' }
}

async function prepare({ name, begin }) {
  const { run, stop } = begin()
  await run(name, 150_000) // compiled and warm
  const perTurn = Math.ceil(TURN_NS / (await run(name, 20_000)))
  return { turn: () => run(name, perTurn), stop }
}
