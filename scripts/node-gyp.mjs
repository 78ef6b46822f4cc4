// node-gyp with the headers that this Node came with, where it came with any: nothing has to be
// downloaded then, so that building works offline.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const nodeGyp = fileURLToPath(import.meta.resolve('node-gyp/bin/node-gyp.js'))
const prefix = dirname(dirname(process.execPath))
const env = { ...process.env }
if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) env.npm_config_nodedir ??= prefix

const args = [nodeGyp, ...process.argv.slice(2)]
process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit', env }).status ?? 1
