// Failures of accept4(2) that the loopback doesn't bring about: a supervisor answers with them.

import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'

/** Node doesn't know all of them. */
const NUMBERS = { ...constants.errno, ENONET: 64, EHOSTDOWN: 112 }
type Code = keyof typeof NUMBERS
const FORBIDDEN = 77
const child = fileURLToPath(new URL('fixtures/children/net-accept.mjs', import.meta.url))

function refusing(codes: Code[], ...command: string[]) {
  const numbers = codes.map((code) => `${NUMBERS[code]}`)
  return spawnSync(compile('refuse'), [...numbers, '--', ...command], { encoding: 'utf8' })
}

const { status, stderr: reason } = refusing([], 'true')
const options = {
  skip: status === FORBIDDEN && `no supervisor can be had here: ${reason}`,
} as const

/** How the calls of `accept` end, to the first connection, if the first calls of the kernel fail so. */
function outcomes(...codes: Code[]) {
  const { status, stdout, stderr } = refusing(codes, process.execPath, child)
  if (status !== 0) throw new Error(`the child ended with ${status}: ${stderr}`)
  return JSON.parse(stdout)
}

const ACCEPTED = { accepted: true, exhaustion: null }

test(
  'a connection that was lost on its way is left out',
  (t) => {
    t.same(outcomes('ECONNABORTED', 'EPROTO', 'ENOPROTOOPT', 'EINTR'), [ACCEPTED])
    const network = outcomes('ENETDOWN', 'EHOSTDOWN', 'ENONET', 'EHOSTUNREACH', 'ENETUNREACH')
    t.same(network, [ACCEPTED])
  },
  options,
)

test(
  'what is exhausted is told until a connection comes',
  (t) => {
    t.same(outcomes('EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'), [
      { exhaustion: 'EMFILE' },
      { exhaustion: 'ENFILE' },
      { exhaustion: 'ENOBUFS' },
      { exhaustion: 'ENOMEM' },
      ACCEPTED,
    ])
  },
  options,
)

test(
  'would block is no exhaustion, and ends one',
  (t) => {
    t.same(outcomes('ENFILE', 'EAGAIN'), [{ exhaustion: 'ENFILE' }, { exhaustion: null }, ACCEPTED])
  },
  options,
)

test(
  'any other failure is thrown, and ends exhaustion',
  (t) => {
    t.same(outcomes('EMFILE', 'EPERM'), [
      { exhaustion: 'EMFILE' },
      { thrown: 'EPERM', syscall: 'accept4' },
      ACCEPTED,
    ])
  },
  options,
)
