import { constants } from 'node:os'
import { test } from './fixtures/check.js'
import { runWithout } from './fixtures/deny.js'

const { EINVAL, ENOSYS, EPERM } = constants.errno

/** Runs waits of less than a millisecond's grain where a seccomp filter denies epoll_pwait2. */
function waitWithout(answer: number | 'kill'): unknown {
  return runWithout([{ syscall: 'epoll_pwait2', answer }], 'short-waits.mjs')
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
