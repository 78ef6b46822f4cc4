// Events per second beside npm's `epoll`, which hands over one event at a time from a thread.
import { compare, startNode, takeTurns } from '../measure.mjs'
import { installPeers } from '../peers.mjs'
import { extent } from '../settings.mjs'

const PROCESSES = extent(1, 2, 2)
const TURNS = extent(5, 9, 9)
const EVENTS = extent(64_000, 192_000, 192_000)
const PEER_EVENTS = extent(2000, 6000, 6000)

const CASES = [
  { work: 'owned, `start()`', name: 'startOwned', least: 30 },
  { work: 'owned, `run()`', name: 'runOwned', least: 30 },
  { work: 'plain numbers, `start()`', name: 'startForeign', least: 11 },
  { work: 'plain numbers, `run()`', name: 'runForeign', least: 11 },
]

export async function epollPackage() {
  const all = '256 ready, events a second'
  const problem = installPeers()
  if (problem !== undefined) return { figures: [{ work: all, problem }] }
  const cases = CASES.map((each) => ({ ...each, work: `${all}: ${each.work}`, pairs: [] }))
  for (let i = 0; i < PROCESSES; i++) await measure(cases, `process ${i + 1} of ${PROCESSES}`)
  const times = ({ ours, beside }) => beside / ours
  return {
    figures: cases.map(({ work, least, pairs }) => ({
      work,
      besides: '`epoll`, an event',
      ...compare(pairs, times),
      unit: '×',
      least,
    })),
  }
}

async function measure(cases, where) {
  const library = startNode('epoll-package')
  await library.run('peer', 10_000)
  for (const { work, name, pairs } of cases) {
    await library.run(name, 500_000) // warm
    const turns = await takeTurns(
      `${work}, ${where}`,
      TURNS,
      () => library.run(name, EVENTS),
      () => library.run('peer', PEER_EVENTS),
    )
    pairs.push(...turns)
  }
  library.stop()
}
