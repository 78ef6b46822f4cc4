// npm run bench: what genpoll costs, beside its C twins and beside itself. `npm run bench -- --quick`
// for a look, `-- --full` for narrower quartiles, `-- foreign rebuild` for some of the groups.
import { mkdirSync, writeFileSync } from 'node:fs'
import { compile } from './compile.mjs'
import { epollPackage } from './figures/epoll-package.mjs'
import { evict } from './figures/evict.mjs'
import { footprint } from './figures/footprint.mjs'
import { foreign } from './figures/foreign.mjs'
import { http } from './figures/http.mjs'
import { loops } from './figures/loops.mjs'
import { many } from './figures/many.mjs'
import { modes } from './figures/modes.mjs'
import { rebuild } from './figures/rebuild.mjs'
import { repair } from './figures/repair.mjs'
import { timers } from './figures/timers.mjs'
import { udp } from './figures/udp.mjs'
import { wakeups } from './figures/wakeups.mjs'
import { zombies } from './figures/zombies.mjs'
import { progress, showDone } from './measure.mjs'
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
  http,
  udp,
}
/** The programs of twins/. */
const TWINS = ['http', 'load', 'load-udp', 'loop', 'many', 'probe', 'repair', 'udp', 'wakeups']

mkdirSync(here('.build'), { recursive: true })
mkdirSync(here('results'), { recursive: true })
for (const twin of TWINS) compile(twin)
const results = { figures: [] }
const names = chosen.length > 0 ? chosen : Object.keys(GROUPS)
for (const [i, name] of names.entries()) {
  showDone(i, names.length)
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
