// What a run of the benchmarks is told, and what the machine allows.
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

/** How much of something there is, by how long the run may take. */
export const extent = (quick, usual, full) => (values.quick ? quick : values.full ? full : usual)
/** The names of the groups to run; none: all. */
export const chosen = positionals

/** One processor for everything that is measured, the last: interrupts favour the first. */
export const CPU = String(cpus().length - 1)
/** And where there are two, another one for the clients of what is measured. */
export const CLIENT_CPU = '0'

/** A path below bench/. */
export const here = (path) => fileURLToPath(new URL(path, import.meta.url))

/** How many descriptors a process may have open; Node and the twins raise their limit to it. */
export const LIMIT = hardLimit()
/** How many are registered where it is "as many as may be". */
export const MANY = Math.min(100_000, LIMIT - 500)
/** And where it is 10,000, if so many may be. */
export const LARGE = Math.min(10_000, MANY)

function hardLimit() {
  const [, hard] = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  return Number(hard)
}
