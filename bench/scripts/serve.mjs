import { createInterface } from 'node:readline'

/** For each line "case number…" on stdin, a line with what the case returns, as JSON. */
export async function serve(cases) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...numbers] = line.split(' ')
    console.log(JSON.stringify((await cases[name](...numbers.map(Number))) ?? null))
  }
}

/** Nanoseconds of processor time, of all threads, that `work` takes. */
export function timed(work) {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return 1000 * (user + system)
}

/** The same of work that goes on until it calls `end`. */
export async function timedUntil(work) {
  const start = process.cpuUsage()
  await new Promise((end) => work(end))
  const { user, system } = process.cpuUsage(start)
  return 1000 * (user + system)
}
