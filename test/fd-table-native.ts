// The descriptor table and the interest lists without Node, in several threads at once, as the
// sanitizers see them. GENPOLL_SEED repeats a run.

import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import tap from 'tap'
import { test } from './fixtures/check.js'

const SECONDS = 3
const seed = Number(process.env.GENPOLL_SEED ?? randomInt(2 ** 31))
const native = fileURLToPath(new URL('native/', import.meta.url))
const src = fileURLToPath(new URL('../src/', import.meta.url))
const SOURCES = [
  ...readdirSync(native)
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join(native, name)),
  ...['evict', 'fd_table', 'interest_entry', 'interest_list', 'interest_replace', 'witness'].map(
    (name) => `${src}${name}.cc`,
  ),
]
// Only what a compiler needs: a sanitizer that was preloaded for Node would be the wrong one here.
const env = { PATH: process.env.PATH }

const folder = mkdtempSync(join(tmpdir(), 'genpoll-native-'))
tap.teardown(() => rmSync(folder, { recursive: true }))
tap.setTimeout(180_000)

function run(file: string, args: string[]): SpawnSyncReturns<string> {
  return spawnSync(file, args, { env, encoding: 'utf8' })
}

/** Compiles C++ and returns the executable with what the compiler said, if that failed. */
function compile(sanitizers: string, sources: string[]): [executable: string, error: string] {
  const executable = join(folder, sanitizers)
  const flags = ['-std=c++17', '-O1', '-g', '-pthread', '-fno-sanitize-recover=all']
  const command = [...flags, `-fsanitize=${sanitizers}`, '-o', executable, ...sources]
  const { error, stderr, status } = run(process.env.CXX ?? 'g++', command)
  return [executable, status === 0 ? '' : (error?.message ?? stderr)]
}

/** Why nothing can be run under these sanitizers here; `false` if it can. */
function lacks(sanitizers: string): string | false {
  const source = join(folder, 'empty.cc')
  writeFileSync(source, 'int main() {}\n')
  const [executable, error] = compile(sanitizers, [source])
  if (error !== '') return error.split('\n')[0]!
  const { status, stderr } = run(executable, [])
  return status === 0 ? false : stderr.split('\n')[0]!
}

for (const sanitizers of ['thread', 'address,undefined']) {
  const name = `threads share the table under -fsanitize=${sanitizers} (GENPOLL_SEED=${seed})`
  const skip = lacks(sanitizers)
  test(
    name,
    (t) => {
      const [executable, error] = compile(sanitizers, SOURCES)
      t.equal(error, '')
      const { stdout, stderr, status, signal } = run(executable, [String(seed), String(SECONDS)])
      t.equal(stderr, '')
      t.equal(status, 0, `ended by ${signal}`)
      const counts = stdout.matchAll(/^(\w+) (\d+)$/gm)
      // An entry that only a rebuild can delete is rare.
      for (const [, what, count] of counts) if (what !== 'stuck') t.not(count, '0', what!)
    },
    { skip },
  )
}
