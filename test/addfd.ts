// A seccomp supervisor that answers connect(2) by putting another socket under the number, which is
// watched already (SECCOMP_IOCTL_NOTIF_ADDFD with SETFD).

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'
import { hostAddon } from './fixtures/native-host.js'

const FORBIDDEN = 77
const child = fileURLToPath(new URL('fixtures/children/addfd.mjs', import.meta.url))

function underSupervisor(...command: string[]) {
  return spawnSync(compile('addfd'), command, { encoding: 'utf8' })
}

const { status, stderr: reason } = underSupervisor('true')
const options = {
  skip: status === FORBIDDEN && `no supervisor can be had here: ${reason}`,
} as const

function connect(scenario: { onReplaced: 'stale' | 'follow'; isOldKept: boolean }) {
  const command = [process.execPath, child, hostAddon, JSON.stringify(scenario)]
  const { status, stdout, stderr } = underSupervisor(...command)
  if (status !== 0) throw new Error(`the child ended with ${status}: ${stderr}`)
  return JSON.parse(stdout)
}

const silent = { connected: 0, afterConnect: [], afterOldData: [] }
const gone = { live: 0, zombie: 0, lost: 0, replaced: 0 }
const followed = {
  atLast: [['socket', 'replaced']],
  state: 'active',
  isNewGeneration: true,
  counts: { ...gone, live: 1 },
}

test(
  'stale: neither socket is heard, and the old one’s data ends the registration',
  (t) => {
    t.strictSame(connect({ onReplaced: 'stale', isOldKept: true }), {
      ...silent,
      found: null,
      atLast: [],
      state: 'stale',
      isNewGeneration: false,
      reports: ['replaced'],
      counts: gone,
    })
  },
  options,
)

test(
  'stale, and the old socket gone: silence, until somebody asks',
  (t) => {
    t.strictSame(connect({ onReplaced: 'stale', isOldKept: false }), {
      ...silent,
      found: null,
      atLast: [],
      state: 'active',
      isNewGeneration: false,
      reports: [],
      counts: { ...gone, lost: 1 },
    })
  },
  options,
)

test(
  'follow: the old socket’s data tells, and the new one’s are delivered',
  (t) => {
    t.strictSame(connect({ onReplaced: 'follow', isOldKept: true }), {
      ...silent,
      ...followed,
      found: null,
      reports: ['replaced'],
    })
  },
  options,
)

test(
  'follow, and the old socket gone: verify tells',
  (t) => {
    t.strictSame(connect({ onReplaced: 'follow', isOldKept: false }), {
      ...silent,
      ...followed,
      found: 'replaced',
      reports: [],
    })
  },
  options,
)
