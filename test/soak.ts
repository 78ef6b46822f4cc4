// A short run of `npm run soak`. GENPOLL_SEED repeats it, as far as two threads can be repeated.

import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import tap from 'tap'
import { test } from './fixtures/check.js'
import { hostAddon } from './fixtures/native-host.js'

const MAIN = fileURLToPath(new URL('fixtures/soak/main.mjs', import.meta.url))
const SECONDS = 20
const seed = Number(process.env.GENPOLL_SEED ?? randomInt(2 ** 31))

/** What every run comes to do. */
const DONE: Record<string, string[]> = {
  foreign: ['closed', 'adopted'],
  always: [],
  both: [
    ...['eventfd', 'timerfd', 'pipe', 'socket', 'fifo'].map((kind) => `opened ${kind}`),
    ...['closed behind', 'duplicated', 'replaced', 'replaced behind', 'moved', 'hung up'],
    ...['released', 'retired', 'wrote', 'added own', 'added the other’s', 'modified', 'removed'],
    ...['verified', 'rebuilt', 'audited', 'repaired', 'delivered', 'read', 'threw', 'round'],
  ],
}

tap.setTimeout(180_000)

async function soak(variant: string) {
  const args = [MAIN, variant, String(seed), String(SECONDS), hostAddon]
  const child = spawn(process.execPath, ['--expose-gc', ...args])
  const [output, errors, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { variant, output, errors, code, signal }
}

test(`${SECONDS} s of the soak (GENPOLL_SEED=${seed})`, async (t) => {
  // Both at once: threads that are interrupted anywhere make for more of the orders that there are.
  for (const run of await Promise.all(['foreign', 'always'].map(soak))) {
    t.equal(run.signal, null, 'no crash')
    t.equal(run.code, 0, run.errors)
    if (run.code !== 0) continue
    const { counts } = JSON.parse(run.output)
    for (const what of [...DONE[run.variant]!, ...DONE.both!]) {
      t.ok(counts[what] > 0, `${run.variant}: ${what}`)
    }
  }
})
