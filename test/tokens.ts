// Tokens that this process hasn't made: they are never current here.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { EventFd, type FdToken, fdTable } from 'genpoll'
import { test } from './fixtures/check.js'
import { NOT_OPEN } from './fixtures/errno.js'

const child = fileURLToPath(new URL('fixtures/children/tokens.mjs', import.meta.url))

function tokensOfAnother(): FdToken[] {
  return JSON.parse(execFileSync(process.execPath, [child], { encoding: 'utf8' }))
}

test('made up', (t) => {
  using bell = new EventFd()
  const { fd, generation } = fdTable.token(bell.fd)
  for (const wrong of [
    0,
    1,
    generation - 1,
    generation + 1,
    generation ^ 0x8000_0000,
    2 ** 32 - 1,
  ]) {
    t.equal(fdTable.isCurrent({ fd, generation: wrong >>> 0 }), false, `${wrong}`)
  }
  t.equal(fdTable.isCurrent({ fd: NOT_OPEN, generation }), false)
  t.equal(fdTable.isCurrent({ fd, generation }), true)
})

test('malformed', (t) => {
  using bell = new EventFd()
  const { fd, generation } = fdTable.token(bell.fd)
  const bad: [token: unknown, code: string][] = [
    [null, 'ERR_INVALID_ARG_TYPE'],
    [fd, 'ERR_INVALID_ARG_TYPE'],
    [{ fd }, 'ERR_INVALID_ARG_TYPE'],
    [{ generation }, 'ERR_INVALID_ARG_TYPE'],
    [{ fd: `${fd}`, generation }, 'ERR_INVALID_ARG_TYPE'],
    [{ fd, generation: BigInt(generation) }, 'ERR_INVALID_ARG_TYPE'],
    [{ fd, generation: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ fd, generation: 2 ** 32 }, 'ERR_OUT_OF_RANGE'],
    [{ fd, generation: generation + 0.5 }, 'ERR_OUT_OF_RANGE'],
    [{ fd: -1, generation }, 'ERR_OUT_OF_RANGE'],
    [{ fd: 2 ** 20, generation }, 'ERR_OUT_OF_RANGE'],
  ]
  for (const [token, code] of bad) {
    t.throws(() => fdTable.isCurrent(token as FdToken), { code })
  }
})

test('of another process', (t) => {
  using bell = new EventFd()
  const numbers = [0, 1, 2, bell.fd]
  for (const token of tokensOfAnother()) {
    fdTable.token(token.fd)
    t.equal(fdTable.isCurrent(token), false)
    for (const fd of numbers) {
      t.equal(fdTable.isCurrent({ ...token, fd }), false, 'not for another number either')
    }
  }
})

test('each process begins to count somewhere else', (t) => {
  const first = [tokensOfAnother(), tokensOfAnother(), tokensOfAnother()].map(([token]) => token!)
  t.strictSame(
    first.map(({ fd }) => fd),
    [0, 0, 0],
  )
  t.equal(new Set(first.map(({ generation }) => generation)).size, 3)
  t.ok(first.every(({ generation }) => generation > 0 && generation < 2 ** 31))
})
