// Makes and drops connections in all ways between two threads, and gives some away in the midst:
// `node scripts/soak-net.mjs --connections 1000000 --seconds 600 --seed 1`. test/fixtures/soak-net says
// what is checked. Prints what was done as JSON, and ends with 0 if nothing went astray or was left.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Listener, Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { Shared } from '../test/fixtures/soak-net/shared.mjs'

const HELP = `Usage: node scripts/soak-net.mjs [options]

  --connections N  how many to make, 1,000,000 unless told
  --seconds S      how long at most, 600 unless told
  --seed X         repeats a run, as far as two threads can be repeated
`
const WORKER = new URL('../test/fixtures/soak-net/worker.mjs', import.meta.url)

function openDescriptors() {
  const found = []
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      found.push(`${fd} → ${readlinkSync(`/proc/self/fd/${fd}`)}`)
    } catch {
      // The one by which the directory was read.
    }
  }
  return found
}

/** What is open that wasn't. What Node closes a little later is given time. */
async function leakedSince(before) {
  for (let tries = 0; ; tries++) {
    const leaked = openDescriptors().filter((each) => !before.includes(each))
    if (leaked.length === 0 || tries === 100) return leaked
    await sleep(20)
  }
}

/** Two workers that listen and are joined by a pair of unix sockets. */
function startWorkers(buffer, seed, silentPort) {
  const listeners = [Listener.tcp({ backlog: 4096 }), Listener.tcp({ backlog: 4096 })]
  const ports = listeners.map((listener) => listener.address().port)
  const channels = Socket.pair().map((channel) => channel.release())
  return listeners.map((listener, thread) => {
    const numbers = { listener: listener.release(), channel: channels[thread] }
    const workerData = {
      buffer,
      seed,
      thread,
      silentPort,
      otherPort: ports[1 - thread],
      ...numbers,
    }
    return new Worker(WORKER, { workerData })
  })
}

/** All workers are told to go on; what each says then. */
function next(workers) {
  for (const worker of workers) worker.postMessage('go on')
  return said(workers)
}

function said(workers) {
  return Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))
}

function sum(objects) {
  const total = {}
  for (const object of objects) {
    for (const [key, value] of Object.entries(object)) total[key] = (total[key] ?? 0) + value
  }
  return total
}

function showProgress(shared, connections) {
  return setInterval(() => {
    const percent = Math.floor((100 * shared.begun) / connections)
    process.stderr.write(`\r${shared.begun} of ${connections} connections, ${percent} % `)
  }, 500)
}

async function soak({ connections, seconds, seed }) {
  // Node opens what its streams need when they are first asked for.
  const [isShown] = [process.stderr.isTTY, process.stdout.isTTY]
  const buffer = Shared.buffer(connections)
  const shared = new Shared(buffer)
  const atFirst = openDescriptors()
  // Bound, so that nobody else gets it, and not listening: who connects is refused.
  const silent = sys.socket(sys.AF_INET, sys.SOCK_STREAM | sys.SOCK_CLOEXEC, 0)
  sys.bind(silent, { address: '127.0.0.1', port: 0 })
  const workers = startWorkers(buffer, seed, sys.getsockname(silent).port)
  const ends = workers.map((worker) => once(worker, 'exit'))
  await said(workers)

  const atRest = openDescriptors()
  const start = performance.now()
  const timer = setTimeout(() => shared.stop(), seconds * 1000)
  const progress = isShown ? showProgress(shared, connections) : undefined
  const results = await next(workers)
  const elapsed = (performance.now() - start) / 1000
  clearTimeout(timer)
  clearInterval(progress)
  if (isShown) process.stderr.write('\n')

  // A worker that ends closes what it owns: looked at before.
  const failures = results.flatMap(({ failure }) => failure ?? [])
  const leaked = failures.length === 0 ? await leakedSince(atRest) : []
  for (const worker of workers) worker.postMessage('end')
  await Promise.all(ends)
  sys.close(silent)
  if (failures.length === 0) leaked.push(...(await leakedSince(atFirst)))
  const unfinished = failures.length === 0 ? shared.unfinished() : []
  return {
    seed,
    connections: shared.begun,
    seconds: Number(elapsed.toFixed(2)),
    perSecond: Math.round(shared.begun / elapsed),
    isClean: failures.length + leaked.length + unfinished.length === 0,
    failures,
    leaked,
    unfinished: unfinished.slice(0, 20),
    counts: sum(results.map(({ counts }) => counts ?? {})),
  }
}

/** A whole number from the command line. */
function number(values, name, most) {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= 0 && value <= most) return value
  process.stderr.write(`--${name} takes a whole number up to ${most}, not ${values[name]}\n${HELP}`)
  process.exit(2)
}

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(randomInt(2 ** 30)) },
    help: { type: 'boolean' },
  },
})
if (values.help) {
  process.stdout.write(HELP)
} else {
  const result = await soak({
    connections: number(values, 'connections', 100_000_000),
    seconds: number(values, 'seconds', 86_400),
    seed: number(values, 'seed', 2 ** 30),
  })
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  if (!result.isClean) process.exitCode = 1
}
