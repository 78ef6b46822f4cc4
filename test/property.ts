// Random argument lists for every function of genpoll/sys, in child processes: what they may break is
// theirs. GENPOLL_SEED repeats a run. 100,000 lists in all, and in CI for each function.

import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import * as sys from 'genpoll/sys'
import tap from 'tap'
import { test } from './fixtures/check.js'

const CHILD = fileURLToPath(new URL('fixtures/children/property.mjs', import.meta.url))
const seed = Number(process.env.GENPOLL_SEED ?? randomInt(2 ** 31))
const CHILDREN = 2
const functions = Object.entries(sys).filter(([, value]) => typeof value === 'function')
const total = 100_000 * (process.env.CI === undefined ? 1 : functions.length)
const RUNS = total / CHILDREN

async function run(seed: number) {
  const child = spawn(process.execPath, [CHILD, String(seed), String(RUNS)])
  const [output, errors, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { output, errors, code, signal }
}

tap.setTimeout(600_000)

test(`${total.toLocaleString('en')} random calls do no harm (GENPOLL_SEED=${seed})`, async (t) => {
  const results = await Promise.all(Array.from({ length: CHILDREN }, (_, i) => run(seed + i)))
  for (const { output, errors, code, signal } of results) {
    t.equal(signal, null, 'no crash')
    t.equal(code, 0, errors)
    if (code !== 0) continue
    const { runs, counts } = JSON.parse(output)
    t.equal(runs, RUNS)
    t.strictSame(Object.keys(counts).sort(), functions.map(([name]) => name).sort())
    for (const [name, [returned, threw]] of Object.entries<[number, number]>(counts)) {
      t.ok(returned > 0 && threw > 0, `${name} returned ${returned} times and threw ${threw}`)
    }
  }
})
