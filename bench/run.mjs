// npm run bench: what genpoll costs, beside its C twins and beside itself. `npm run bench -- --quick`
// for a look, `npm run bench -- foreign rebuild` for some of the groups.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { epollPackage } from './figures/epoll-package.mjs'
import { evict } from './figures/evict.mjs'
import { footprint } from './figures/footprint.mjs'
import { foreign } from './figures/foreign.mjs'
import { loops } from './figures/loops.mjs'
import { many } from './figures/many.mjs'
import { modes } from './figures/modes.mjs'
import { rebuild } from './figures/rebuild.mjs'
import { repair } from './figures/repair.mjs'
import { timers } from './figures/timers.mjs'
import { wakeups } from './figures/wakeups.mjs'
import { zombies } from './figures/zombies.mjs'
import { progress } from './measure.mjs'
import { plots } from './plots.mjs'
import { report } from './report.mjs'
import { chosen, here } from './settings.mjs'

/** Each returns figures for the table, and what else it has measured. */
const GROUPS = {
  loops,
  foreign,
  many,
  repair,
  evict,
  rebuild,
  zombies,
  footprint,
  wakeups,
  modes,
  epollPackage,
  timers,
}

mkdirSync(here('.build'), { recursive: true })
mkdirSync(here('results'), { recursive: true })
for (const twin of ['loop', 'many', 'probe', 'repair', 'wakeups']) {
  const files = ['-o', here(`.build/${twin}`), here(`twins/${twin}.c`), here('twins/serve.c')]
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-Wall', '-pthread', ...files])
}
const results = { figures: [] }
for (const name of chosen.length > 0 ? chosen : Object.keys(GROUPS)) {
  const { figures, ...series } = await GROUPS[name]()
  results.figures.push(...figures)
  Object.assign(results, series)
}
progress('')
const text = report(results)
writeFileSync(here('results/latest.md'), `${text}\n`)
writeFileSync(here('results/latest.json'), `${JSON.stringify(results, null, 2)}\n`)
for (const [name, svg] of plots(results)) writeFileSync(here(`results/${name}.svg`), svg)
console.log(text)
