// What happens where the addon can't be used.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const children = new URL('fixtures/children/', import.meta.url)

function node(args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  return spawnSync(process.execPath, args, { encoding: 'utf8', ...options })
}

/** A copy of the package without binaries, for as long as `use` runs. */
function withoutBinaries(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'genpoll-load-'))
  try {
    for (const name of ['dist', 'package.json']) {
      cpSync(join(root, name), join(folder, name), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('on another platform import works, and the first call says what is wrong', (t) => {
  const preload = new URL('sunos.mjs', children).href
  const script = fileURLToPath(new URL('first-calls.mjs', children))
  const { stdout, stderr, status } = node(['--import', preload, script])
  t.equal(status, 0, stderr)
  const { outcomes, missing } = JSON.parse(stdout)
  t.strictSame(missing, [], 'every function of sys is tried')
  for (const [name, outcome] of Object.entries(outcomes)) {
    const expected = { kind: 'UnsupportedError', code: 'ERR_UNSUPPORTED', isUnsupported: true }
    t.match(outcome, { ...expected, message: /sunos/ }, name)
  }
})

test('bad arguments are refused there all the same', (t) => {
  const preload = new URL('sunos.mjs', children).href
  const code = "import { eventfd } from 'genpoll/sys'; eventfd('1', 0)"
  const { stderr, status } = node(['--import', preload, '--input-type=module', '-e', code], {
    cwd: root,
  })
  t.equal(status, 1)
  t.match(stderr, 'ERR_INVALID_ARG_TYPE')
})

const IMPORT = ['--input-type=module', '-e', "import 'genpoll'"]

test('without a binary that loads, the error says how to get one', (t) => {
  withoutBinaries((folder) => {
    const { stderr, status, signal } = node(IMPORT, { cwd: folder })
    t.strictSame([status, signal], [1, null])
    t.match(stderr, `linux-${process.arch}`)
    t.match(stderr, 'npm rebuild genpoll')
    t.match(stderr, /\[cause\]/)
  })
})

test('so it does if there are binaries, and none can be loaded', (t) => {
  const preload = new URL('no-dlopen.mjs', children).href
  const { stderr, status } = node(['--import', preload, ...IMPORT], { cwd: root })
  t.equal(status, 1)
  t.match(stderr, 'npm rebuild genpoll')
})

test('a binary that doesn’t load is passed over', (t) => {
  withoutBinaries((folder) => {
    const prebuilds = join(folder, 'prebuilds', `linux-${process.arch}`)
    mkdirSync(join(folder, 'build', 'Release'), { recursive: true })
    mkdirSync(prebuilds, { recursive: true })
    writeFileSync(join(folder, 'build', 'Release', 'genpoll.node'), 'no ELF file')
    const prebuilt = join(prebuilds, 'genpoll.glibc.node')
    cpSync(join(root, 'build', 'Release', 'genpoll.node'), prebuilt)
    t.equal(node(IMPORT, { cwd: folder }).status, 0, 'the prebuilt one is found')

    const env = { ...process.env, PREBUILDS_ONLY: '1' }
    t.equal(node(IMPORT, { cwd: folder, env }).status, 0)
    writeFileSync(prebuilt, 'no ELF file either')
    const { stderr, status } = node(IMPORT, { cwd: folder })
    t.equal(status, 1)
    t.match(stderr, 'npm rebuild genpoll')
  })
})

test('node-gyp-build finds a prebuilt binary of another name', (t) => {
  withoutBinaries((folder) => {
    const prebuilds = join(folder, 'prebuilds', `linux-${process.arch}`)
    mkdirSync(prebuilds, { recursive: true })
    cpSync(join(root, 'build', 'Release', 'genpoll.node'), join(prebuilds, 'genpoll.node'))
    t.equal(node(IMPORT, { cwd: folder }).status, 0)
  })
})
