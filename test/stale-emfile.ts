// Telling a number from what it named before may need a descriptor. Where none is left, the number
// can't be added, and nothing is changed. In a child with few descriptors: there one can use them up.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { hostAddon } from './fixtures/native-host.js'

const child = fileURLToPath(new URL('fixtures/children/stale-emfile.mjs', import.meta.url))
const script = 'ulimit -n 64; exec "$0" "$@"'
const output = execFileSync('sh', ['-c', script, process.execPath, child, hostAddon])
const outcomes = JSON.parse(String(output))

for (const how of ['add', 'addAll, after another', 'addAll, before another']) {
  test(`${how}, is EMFILE, and leaves nothing behind`, (t) => {
    t.strictSame(outcomes[how], {
      refused: { code: 'EMFILE', errno: -24, syscall: 'epoll_create1' },
      size: 0,
      held: 0,
      entries: 1,
      seen: ['later', 'later'],
      stale: 0,
    })
  })
}
