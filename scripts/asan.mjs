// Runs the tests against an addon built with AddressSanitizer and UndefinedBehaviorSanitizer, in a
// copy of the package, so that the normal build stays as it is however this ends. Arguments are
// given to tap: `npm run test:asan -- test/epoll.ts`.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
// A hidden folder: tap finds no tests in it when it runs in the package itself.
const copy = join(root, '.asan')

/** Where the compiler keeps a library. */
function library(name) {
  const args = [`-print-file-name=${name}`]
  return execFileSync(process.env.CXX ?? 'g++', args, { encoding: 'utf8' }).trim()
}

rmSync(copy, { recursive: true, force: true })
mkdirSync(copy)
for (const name of readdirSync(root)) {
  // The prebuilt addons aren't sanitized: they mustn't be found.
  if (/^(build|node_modules|prebuilds|\.git|\.tap|\.asan)$/.test(name)) continue
  cpSync(join(root, name), join(copy, name), { recursive: true })
}
symlinkSync(join('..', 'node_modules'), join(copy, 'node_modules'))

const nodeGyp = [join('scripts', 'node-gyp.mjs'), 'rebuild', '--loglevel=warn']
execFileSync(process.execPath, [...nodeGyp, '--sanitize=address,undefined'], {
  cwd: copy,
  stdio: 'inherit',
})

// Coverage is the plain run's business.
const tap = join('node_modules', '.bin', 'tap')
const { status } = spawnSync(tap, ['--disable-coverage', ...process.argv.slice(2)], {
  cwd: copy,
  stdio: 'inherit',
  env: {
    ...process.env,
    // Node itself isn't linked with the sanitizers, so their libraries must be there first.
    LD_PRELOAD: `${library('libasan.so')}:${library('libubsan.so')}`,
    // V8 frees nothing at exit: leaks can't be told from that.
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  },
})
process.exitCode = status ?? 1
