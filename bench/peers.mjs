// What others have made, to compare with: installed into peers/ when it is first asked for.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { progress } from './measure.mjs'
import { here } from './settings.mjs'

const stamp = here('peers/node_modules/.stamp')
const wanted = `${process.version}\n${readFileSync(here('peers/package-lock.json'), 'utf8')}`

/** Returns why they can't be had, if they can't. */
export function installPeers() {
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return undefined
  try {
    // The scripts of a package would build it with whatever they find; it is built as ours is.
    const install = ['ci', '--prefix', here('peers'), '--ignore-scripts', '--no-progress']
    step('installing the package `epoll` and Bun', 'npm', install)
    const addon = ['rebuild', '--directory', here('peers/node_modules/epoll')]
    step('building `epoll`', process.execPath, [here('../scripts/node-gyp.mjs'), ...addon])
    writeFileSync(stamp, wanted)
    return undefined
  } catch (error) {
    return error.message
  }
}

/** Bun, or why there is none. */
export function findBun() {
  const problem = installPeers()
  const file = here(`peers/node_modules/@oven/bun-linux-${process.arch}/bin/bun`)
  if (existsSync(file)) return { file }
  return { problem: problem ?? `no Bun for linux-${process.arch} among the peers` }
}

function step(what, file, args) {
  progress(`${what}…`)
  try {
    execFileSync(file, args, { stdio: 'pipe' })
  } catch (error) {
    const said = `${error.stderr ?? ''}`.split('\n').find((line) => /\berr/i.test(line))
    throw new Error(`${what} failed: ${said ?? error.message}`)
  }
}
