// Brings node_modules, the addon and dist up to date, so that `npm test` and `npm start` work on a
// fresh clone. Silent when there is nothing to do. Node's own modules only: nothing may be installed
// yet.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Run a command with its output on stderr: stdout is left to the command that comes after us. */
function run(name, hint, file, args) {
  const { status, signal, error } = spawnSync(file, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  const reason = error?.message ?? signal ?? `exit code ${status}`
  console.error(`\n\`${name}\` failed (${reason}). ${hint}`)
  process.exit(1)
}

/**
 * The newest modification time under a path, 0 if there is none. Folders count too: their time
 * changes when a file in them is added, renamed or removed.
 */
function newest(path) {
  const stats = statSync(join(root, path), { throwIfNoEntry: false })
  if (!stats) return 0
  if (!stats.isDirectory()) return stats.mtimeMs
  return Math.max(
    stats.mtimeMs,
    ...readdirSync(join(root, path)).map((name) => newest(join(path, name))),
  )
}

/** Whether `output` is missing or older than any of `inputs`. */
function isStale(output, ...inputs) {
  return newest(output) <= Math.max(...inputs.map(newest))
}

function installTools() {
  const lock = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')))
  const wanted = `${lock.digest('hex')} ${process.version}\n`
  const stamp = join(root, 'node_modules', '.genpoll-stamp')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return

  console.error('Installing the development tools (about a minute, once)…')
  // No install scripts: ours would build the addon, which is done below, where failing is explained.
  const args = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-progress']
  const hint = 'It needs a network connection to the npm registry, once.'
  // Under `npm test` the npm that runs us; a bare `node scripts/prepare.mjs` finds it in the PATH.
  const npm = process.env.npm_execpath
  if (npm?.endsWith('npm-cli.js')) run('npm ci', hint, process.execPath, [npm, ...args])
  else run('npm ci', hint, 'npm', args)
  writeFileSync(stamp, wanted)
}

function buildAddon() {
  if (process.platform !== 'linux') return
  const addon = join('build', 'Release', 'genpoll.node')
  if (!isStale(addon, 'src', 'binding.gyp')) return

  console.error('Building the native addon (about a minute)…')
  const hint =
    'It needs a C++17 compiler, make and python3 (on Debian: apt-get install g++ make python3) ' +
    "and Node's headers, which node-gyp downloads where Node came without them."
  const args = [join('scripts', 'node-gyp.mjs'), 'rebuild', '--loglevel=warn']
  run('node-gyp rebuild', hint, process.execPath, args)
}

function compile() {
  const inputs = ['lib', 'types', 'tsconfig.json', 'rollup.config.mjs']
  if (!isStale(join('dist', 'index.js'), ...inputs)) return

  console.error('Compiling lib/ to dist/…')
  const build = join('scripts', 'build.mjs')
  run('npm run build', 'The messages above say where.', process.execPath, [build])
}

installTools()
buildAddon()
compile()
