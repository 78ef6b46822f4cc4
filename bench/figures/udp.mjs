// Datagrams sent back by genpoll in batches, beside node:dgram, which takes them one by one, and beside
// C, which shows what of it is the kernel's.
import { compare, takeTurns } from '../measure.mjs'
import { startServer } from '../servers.mjs'
import { extent, here } from '../settings.mjs'

const PROCESSES = extent(1, 2, 4)
const TURNS = extent(3, 6, 15)
const DATAGRAMS = extent(30_000, 50_000, 50_000)
const WARM = 50_000

const node = (script) => [process.execPath, here(`scripts/${script}.mjs`)]

export async function udp() {
  const work = 'UDP echo, 64 under way'
  const dgram = await measure('node:dgram', node('udp-dgram'))
  const c = await measure('C', [here('.build/udp')])
  const times = ({ ours, beside }) => beside / ours
  return {
    figures: [
      {
        work: `${work}, datagrams a second of the processor`,
        besides: 'node:dgram, each',
        ...compare(dgram, times),
        unit: '×',
        least: 3,
      },
      { work: `${work}, each`, besides: 'C', ...compare(c), unit: '' },
    ],
  }
}

async function measure(label, besideCommand) {
  const pairs = []
  for (let i = 0; i < PROCESSES; i++) {
    const ours = await startServer(node('udp-genpoll'), 'load-udp')
    const beside = await startServer(besideCommand, 'load-udp')
    for (const server of [ours, beside]) await server.turn(WARM)
    const turns = await takeTurns(
      `UDP beside ${label}, process ${i + 1} of ${PROCESSES}`,
      TURNS,
      async () => (await ours.turn(DATAGRAMS)).total,
      async () => (await beside.turn(DATAGRAMS)).total,
    )
    pairs.push(...turns)
    ours.stop()
    beside.stop()
  }
  return pairs
}
