import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'

const { EINVAL, ENOSYS, EPERM } = constants.errno
const SYS_epoll_pwait2 = 441
const script = fileURLToPath(new URL('./fixtures/children/short-waits.mjs', import.meta.url))

/** Runs waits of less than a millisecond's grain where a seccomp filter denies epoll_pwait2. */
function waitWithout(answer: number | 'kill'): Record<string, unknown> {
  const args = [SYS_epoll_pwait2, answer, process.execPath, script].map(String)
  const { stdout, stderr, status, signal } = spawnSync(compile('deny'), args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`it ended with ${status ?? signal}: ${stderr}`)
  return JSON.parse(stdout)
}

const names = ['sys.epoll_pwait2', 'sys.epoll_pwait2 with a mask', 'sys.epoll_pwait', 'Epoll.wait']

function each(result: unknown): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, result]))
}

for (const [what, answer] of [
  ['is answered with ENOSYS', ENOSYS],
  ['is answered with EPERM', EPERM],
  ['kills the process', 'kill'],
] as const) {
  test(`waits with fractions work, and not early, where epoll_pwait2 ${what}`, (t) => {
    t.same(waitWithout(answer), each({ idle: 0, isEarly: false, busy: 1 }))
  })
}

test('where it fails otherwise, that is the error', (t) => {
  // EINVAL is what the call itself would say of such arguments, so it passes for being there.
  t.same(waitWithout(EINVAL), each('EINVAL'))
})
