// Hammers genpoll with random descriptors from two threads (test/fixtures/soak/soak.mjs says what is
// checked): `npm run soak -- --seconds 600 --seed 1`. Both variants run at the same time.
import { execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    variant: { type: 'string', multiple: true, default: ['foreign', 'always'] },
  },
})
const { seconds, seed, variant: variants } = values
const fixtures = fileURLToPath(new URL('../test/fixtures/', import.meta.url))

async function run(variant, host) {
  const args = [join(fixtures, 'soak', 'main.mjs'), variant, seed, seconds, host]
  const child = spawn(process.execPath, ['--expose-gc', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return { output, end: signal ?? code }
}

function showProgress() {
  const start = performance.now()
  return setInterval(() => {
    process.stderr.write(`\r${((performance.now() - start) / 1000).toFixed(0)} of ${seconds} s `)
  }, 1000)
}

const folder = mkdtempSync(join(tmpdir(), 'genpoll-host-'))
const host = join(folder, 'native-host.node')
const compile = ['-shared', '-fPIC', '-O1', '-o', host, join(fixtures, 'native-host.c')]
execFileSync(process.env.CC ?? 'cc', compile, { stdio: 'inherit' })

console.log(`${variants.join(' and ')}, seed ${seed}, ${seconds} s`)
const progress = process.stderr.isTTY ? showProgress() : undefined
for (const { output, end } of await Promise.all(variants.map((variant) => run(variant, host)))) {
  process.stdout.write(output)
  if (end !== 0) process.exitCode = 1
}
clearInterval(progress)
rmSync(folder, { recursive: true })
