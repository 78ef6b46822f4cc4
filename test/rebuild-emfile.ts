// A rebuild needs a descriptor for the new epoll. Where none is left, all stays as it was. In a child
// with few descriptors: there one can use them up.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { hostAddon } from './fixtures/native-host.js'

const child = fileURLToPath(new URL('fixtures/children/rebuild-emfile.mjs', import.meta.url))
const script = 'ulimit -n 64; exec "$0" "$@"'
const output = execFileSync('sh', ['-c', script, process.execPath, child, hostAddon])
const { before, refused, isAsBefore, known, failing, later } = JSON.parse(String(output))

test('rebuild is EMFILE, with nothing changed', (t) => {
  t.strictSame(refused, { code: 'EMFILE', errno: -24, syscall: 'epoll_create1' })
  t.equal(isAsBefore, true)
})

test('a zombie whose dup genpoll knows is deleted all the same', (t) => {
  t.strictSame(known, [{ action: 'deleted', fdinfo: null }], 'there is no descriptor to read it by')
})

test('a rebuild that is due and fails is deferred, and events are delivered meanwhile', (t) => {
  t.strictSame(failing, {
    seen: ['bell'],
    rebuilds: 0,
    reports: [{ action: 'deferred', fdinfo: null }],
  })
})

test('it succeeds as soon as there is a descriptor again', (t) => {
  t.strictSame(later, {
    rebuilds: 1,
    reports: [{ action: 'rebuilt', fdinfo: null }],
    entries: before,
  })
})
