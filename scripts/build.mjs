// lib/ → dist/: tsc checks it and writes modules (to .build/) and declarations, rollup puts the modules
// together.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

function run(script, ...args) {
  const node = spawnSync(process.execPath, [join(root, 'node_modules', script), ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  if (node.status !== 0) process.exit(node.status ?? 1)
}

for (const folder of ['.build', 'dist'])
  rmSync(join(root, folder), { recursive: true, force: true })
run('typescript/bin/tsc')
run('@rollup/wasm-node/dist/bin/rollup', '--config', '--silent')
