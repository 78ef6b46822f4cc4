// Servers: each with a client of its own on another processor, measured from outside. The client is
// the first to be busy, so what counts is the processor time that a server takes for a request.
import { readdirSync, readFileSync } from 'node:fs'
import { start } from './measure.mjs'
import { CLIENT_CPU, here } from './settings.mjs'

const BEGIN_MS = 30_000
const MS_PER_TICK = 10

/**
 * @param client The program in twins/ that is its client.
 * @returns What takes turns: each is so many requests.
 */
export async function startServer([command, ...args], client = 'load') {
  const server = start(command, args)
  const overdue = setTimeout(server.kill, BEGIN_MS)
  const port = await server.line()
  clearTimeout(overdue)
  const load = start(here(`.build/${client}`), [], CLIENT_CPU)
  await load.run('connect', port)
  return {
    ask: server.run,
    addIdle: (count) => load.run('idle', count),
    /** Nanoseconds a request, by the processor: all, and outside the kernel. And latencies. */
    async turn(requests) {
      const before = processorTime(server.pid)
      const { ns, latencies } = await load.run('run', requests)
      const after = processorTime(server.pid)
      const total = (after.total - before.total) / requests
      const user = (after.user - before.user) / requests
      return { total, user, perSecond: (1e9 * requests) / ns, latencies }
    },
    stop() {
      load.stop()
      server.stop()
    },
  }
}

/**
 * Nanoseconds that a process has used. How much of it was outside the kernel is known in hundredths of
 * a second only, and from samples.
 */
function processorTime(pid) {
  const threads = readdirSync(`/proc/${pid}/task`)
  const used = threads.map((thread) => read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0])
  const afterName = read(`/proc/${pid}/stat`).split(') ')[1].split(' ')
  const utime = Number(afterName[11])
  return {
    total: used.reduce((sum, ns) => sum + Number(ns), 0),
    user: utime * MS_PER_TICK * 1e6,
  }
}

const read = (file) => readFileSync(file, 'utf8')
