// npm run bench: genpoll against its C twins. Both run in the same minute on the same processor,
// turn by turn, and only the ratio of neighbouring turns counts: machines are noisy, and what slows
// one slows the other. `npm run bench -- --quick` for a look.
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const ROUNDS = values.quick ? 9 : 45
const TURNS_PER_PROCESS = values.quick ? 3 : 9
const TURN_NS = values.quick ? 5e7 : 1.2e8

// One processor for all of them, the last: interrupts favour the first.
const CPU = String(cpus().length - 1)

const FIGURES = [
  {
    work: 'eventfd ping-pong, level, read each time: `sys`',
    ours: 'sys',
    twin: 'level',
    goal: 1.25,
  },
  { work: 'the same: `Epoll`', ours: 'level', twin: 'level', goal: 1.3 },
  {
    work: 'edge-triggered wake-ups, no read: `Epoll` / level C loop',
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

/** A process that runs a case on demand and answers with nanoseconds per iteration. */
function start(command, args) {
  const child = spawn('taskset', ['-c', CPU, command, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const answers = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]()
  return {
    async run(name, iterations) {
      child.stdin.write(`${name} ${iterations}\n`)
      const { value, done } = await answers.next()
      if (done) throw new Error(`${command} ended in the middle of "${name}"`)
      return Number(value)
    },
    stop: () => child.stdin.end(),
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]
const quartiles = (numbers) => {
  const sorted = numbers.toSorted((a, b) => a - b)
  return [sorted[sorted.length >> 2], sorted[(3 * sorted.length) >> 2]]
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

async function compare({ work, ours, twin, goal }) {
  const pairs = []
  for (let round = 0; round < ROUNDS; ) {
    // Anew every few turns: how V8 and the memory come out differs from process to process.
    const c = start(TWIN, [])
    const library = start(process.execPath, [here('loop.mjs')])
    await library.run(ours, 300_000) // compiled and warm
    const perTurn = Math.ceil(TURN_NS / (await c.run(twin, 100_000)) / 256) * 256
    for (const end = Math.min(round + TURNS_PER_PROCESS, ROUNDS); round < end; round++) {
      progress(`${work}: ${round + 1} of ${ROUNDS}`)
      // The order alternates, so that a drift of the machine favours neither.
      const turns = [() => c.run(twin, perTurn), () => library.run(ours, perTurn)]
      const isTwinFirst = round % 2 === 0
      const first = await turns[isTwinFirst ? 0 : 1]()
      const second = await turns[isTwinFirst ? 1 : 0]()
      pairs.push(isTwinFirst ? { c: first, ours: second } : { c: second, ours: first })
    }
    c.stop()
    library.stop()
  }
  const ratios = pairs.map((pair) => pair.ours / pair.c)
  return {
    work,
    goal,
    ratio: median(ratios),
    quartiles: quartiles(ratios),
    ns: median(pairs.map((pair) => pair.ours)),
    twinNs: median(pairs.map((pair) => pair.c)),
  }
}

/** How much longer a script takes that imports the package, in milliseconds. */
function importCost() {
  const timed = (file) => {
    const start = process.hrtime.bigint()
    execFileSync('taskset', ['-c', CPU, process.execPath, file])
    return Number(process.hrtime.bigint() - start) / 1e6
  }
  const differences = []
  for (let round = 0; round < ROUNDS; round++) {
    progress(`import: ${round + 1} of ${ROUNDS}`)
    const empty = timed(here('scripts/empty.mjs'))
    differences.push(timed(here('scripts/import.mjs')) - empty)
  }
  return { ms: median(differences), quartiles: quartiles(differences) }
}

/** Bytes of JavaScript heap that ten million delivered events allocate. */
function heapOfEvents() {
  progress('heap: ten million events')
  const young = ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512']
  return JSON.parse(
    execFileSync(process.execPath, [...young, here('scripts/heap.mjs')], { encoding: 'utf8' }),
  )
}

function table(results, imported, heap) {
  const row = ({ work, ratio, quartiles: [low, high], goal, ns, twinNs }) =>
    `| ${work} | ${twinNs.toFixed(0)} ns | ${ns.toFixed(0)} ns | **${ratio.toFixed(2)}** (${low.toFixed(2)} to ${high.toFixed(2)}) | ≤ ${goal.toFixed(2)} |`
  return [
    '| work | C twin | genpoll | ratio (quartiles) | goal |',
    '| --- | --- | --- | --- | --- |',
    ...results.map(row),
    `| \`import 'genpoll'\`, beyond an empty script | | | **${imported.ms.toFixed(1)} ms** (${imported.quartiles.map((q) => q.toFixed(1)).join(' to ')}) | ≤ 7 ms |`,
    `| heap allocated by ${heap.events / 1e6} million events | | | **${(heap.bytes / heap.events).toFixed(3)} B an event** | 0 |`,
    '',
    `${cpus()[0].model}, Linux ${release()}, Node ${process.version}; medians of ${ROUNDS} paired turns.`,
  ].join('\n')
}

const TWIN = here('.build/loop')
mkdirSync(here('.build'), { recursive: true })
mkdirSync(here('results'), { recursive: true })
execFileSync(process.env.CC ?? 'cc', [
  '-O2',
  '-Wall',
  '-o',
  here('.build/loop'),
  here('twins/loop.c'),
])
const results = []
for (const figure of FIGURES) results.push(await compare(figure))
const imported = importCost()
const heap = heapOfEvents()
progress('')
const text = table(results, imported, heap)
writeFileSync(here('results/latest.md'), `${text}\n`)
writeFileSync(
  here('results/latest.json'),
  `${JSON.stringify({ results, imported, heap }, null, 2)}\n`,
)
console.log(text)
