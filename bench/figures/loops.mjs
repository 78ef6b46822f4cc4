// The plain loops of scripts/loop.mjs, each beside the one of twins/loop.c.
import { compare, startNode, startTwin, takeTurns } from '../measure.mjs'
import { extent } from '../settings.mjs'

const PROCESSES = extent(3, 3, 5)
const TURNS = extent(3, 5, 9)
const TURN_NS = extent(4e7, 1.2e8, 1.2e8)

const LOOPS = [
  {
    work: 'eventfd ping-pong, level, read each time: `sys`',
    ours: 'sys',
    twin: 'level',
    goal: 1.25,
  },
  { work: 'the same: `Epoll`', ours: 'level', twin: 'level', goal: 1.3 },
  { work: 'the same: `Loop.run`', ours: 'run', twin: 'level', goal: 1.35 },
  {
    work: 'edge-triggered wake-ups, no read: `Epoll`, beside the level C loop',
    ours: 'edge',
    twin: 'level',
    goal: 0.85,
  },
  {
    work: '256 ready, a handler per event: `Epoll`, per event',
    ours: 'dispatch',
    twin: 'dispatch',
    goal: 1.1,
  },
]

export async function loops() {
  const figures = []
  for (const loop of LOOPS) figures.push(await measure(loop))
  return { figures }
}

async function measure({ work, ours, twin, goal }) {
  const pairs = []
  // Anew every few turns: how V8 and the memory come out differs from process to process.
  for (let i = 0; i < PROCESSES; i++) {
    const c = startTwin('loop')
    const library = startNode('loop')
    await library.run(ours, 300_000) // compiled and warm
    const perTurn = Math.ceil(TURN_NS / (await c.run(twin, 100_000)) / 256) * 256
    const turns = await takeTurns(
      `${work}, process ${i + 1} of ${PROCESSES}`,
      TURNS,
      () => library.run(ours, perTurn),
      () => c.run(twin, perTurn),
    )
    pairs.push(...turns)
    c.stop()
    library.stop()
  }
  return { work, besides: 'C', ...compare(pairs), unit: '', goal }
}
