// The same HTTP server in genpoll and in others: what a keep-alive request costs it, 64 connections
// asking at a time.
import { execFileSync } from 'node:child_process'
import { compile } from '../compile.mjs'
import { compare, compareSums, median, progress, summary, takeTurns } from '../measure.mjs'
import { findBun } from '../peers.mjs'
import { startServer } from '../servers.mjs'
import { extent, here, LARGE } from '../settings.mjs'

const PROCESSES = extent(1, 3, 8)
const OTHER_PROCESSES = extent(1, 1, 4)
const IDLE_PROCESSES = extent(1, 2, 4)
const TURNS = extent(3, 5, 15)
const REQUESTS = extent(20_000, 40_000, 40_000)
const WARM = 60_000
const HEAP_TURNS = 5
const HEAP_REQUESTS = extent(200_000, 200_000, 1_000_000)

const node = (script) => [process.execPath, here(`scripts/${script}.mjs`)]
const GENPOLL = node('http-genpoll')

/** How much of the others' processor time it may take, altogether and outside the kernel. */
const PEERS = [
  { name: 'C', find: () => ({ command: [here('.build/http')] }), goals: { total: 1.05 } },
  { name: 'Bun.listen', find: bun, goals: { user: 0.55 } },
  { name: 'node:net', find: () => ({ command: node('http-net') }), goals: { user: 0.18 } },
]
/** For comparison only. */
const OTHERS = [
  { name: 'Loop.start', find: () => ({ command: [...GENPOLL, 'start'] }) },
  { name: 'libev', find: libev },
  { name: 'node:http', find: () => ({ command: node('http-node') }) },
  { name: 'Python', find: python },
]

export async function http() {
  const figures = []
  const servers = []
  for (const peer of [...PEERS, ...OTHERS]) {
    const { command, problem } = peer.find()
    if (problem !== undefined) {
      figures.push({ work: `HTTP, a request, beside ${peer.name}`, problem })
      continue
    }
    const pairs = await measure(peer.name, command, peer.goals ? PROCESSES : OTHER_PROCESSES)
    figures.push(...figuresOf(peer, pairs))
    servers.push({ name: peer.name, pairs })
  }
  figures.push(await idle(), await heap())
  return { figures, servers: inSeries(servers) }
}

function bun() {
  const { file, problem } = findBun()
  return file === undefined ? { problem } : { command: [file, here('scripts/http-bun.mjs')] }
}

function libev() {
  try {
    compile('http-libev', '-lev')
    return { command: [here('.build/http-libev')] }
  } catch {
    return { problem: 'it doesn’t compile here; are its headers installed?' }
  }
}

function python() {
  try {
    execFileSync('python3', ['-c', 'import select; select.epoll'], { stdio: 'pipe' })
    return { command: ['python3', here('scripts/http-python.py')] }
  } catch (error) {
    return { problem: `python3: ${error.code ?? 'it has no select.epoll'}` }
  }
}

async function measure(label, command, processes, prepare = () => {}) {
  const pairs = []
  for (let i = 0; i < processes; i++) {
    const [ours, beside] = [await startServer(GENPOLL), await startServer(command)]
    await prepare(ours)
    for (const server of [ours, beside]) await server.turn(WARM)
    const turns = await takeTurns(
      `HTTP beside ${label}, process ${i + 1} of ${processes}`,
      TURNS,
      () => ours.turn(REQUESTS),
      () => beside.turn(REQUESTS),
    )
    pairs.push(...turns)
    ours.stop()
    beside.stop()
  }
  return pairs
}

const partOf = (part, pairs) =>
  pairs.map(({ ours, beside }) => ({ ours: ours[part], beside: beside[part] }))

function figuresOf({ name, goals = {} }, pairs) {
  const figure = (work, compared, goal) => ({ work, besides: name, ...compared, unit: '', goal })
  const total = compare(partOf('total', pairs))
  const user = compareSums(partOf('user', pairs))
  return [
    figure('HTTP, 64 connections, a request', total, goals.total),
    figure('HTTP, a request, outside the kernel', user, goals.user),
  ]
}

/** Connections that say nothing. */
async function idle() {
  const addIdle = (server) => server.addIdle(LARGE)
  const pairs = await measure('itself, among idle ones', GENPOLL, IDLE_PROCESSES, addIdle)
  const work = `HTTP, a request, among ${LARGE.toLocaleString('en')} idle connections`
  const total = compare(partOf('total', pairs))
  return { work, besides: 'without them', ...total, unit: '', goal: 1.03 }
}

/** Bytes of JavaScript heap that a request allocates. */
async function heap() {
  progress('HTTP: heap')
  const young = ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512']
  const [file, script] = GENPOLL
  const server = await startServer([file, ...young, script])
  await server.turn(HEAP_REQUESTS)
  await server.ask('gc')
  const bytes = []
  for (let turn = 0; turn < HEAP_TURNS; turn++) {
    const [first, second] = [await server.ask('heap'), await server.ask('heap')]
    await server.turn(HEAP_REQUESTS)
    const asking = second - first
    bytes.push(((await server.ask('heap')) - second - asking) / HEAP_REQUESTS)
  }
  server.stop()
  // Once in a while it is something of V8's own, so a turn in the middle is what tells.
  const work = `heap allocated, of ${HEAP_REQUESTS.toLocaleString('en')} HTTP requests`
  return { work, ...summary(bytes), unit: 'B a request', goal: 0 }
}

/** Each server for itself, for table and plots; all are related to C by way of genpoll. */
function inSeries(peers) {
  const c = peers.find(({ name }) => name === 'C').pairs
  const relative = ({ ours, beside }) => beside.total / ours.total
  const toC = (pairs) => median(pairs.map(relative)) / median(c.map(relative))
  return [
    { name: 'C', relative: 1, ...described(c.map(({ beside }) => beside)) },
    {
      name: 'genpoll',
      relative: compare(partOf('total', c)).value,
      ...described(c.map(({ ours }) => ours)),
    },
    ...peers
      .filter(({ name }) => name !== 'C')
      .map(({ name, pairs }) => ({
        name,
        relative: toC(pairs),
        ...described(pairs.map(({ beside }) => beside)),
      })),
  ]
}

function described(turns) {
  const of = (part) => turns.map((turn) => turn[part])
  const total = median(of('total'))
  const mean = (numbers) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length
  const latencies = turns[0].latencies.map((_, i) => median(turns.map((turn) => turn.latencies[i])))
  return { total, user: mean(of('user')), perSecond: median(of('perSecond')), latencies }
}
