import { constants } from 'node:os'
import { test } from './fixtures/check.js'
import { runWithout } from './fixtures/deny.js'

const { EMFILE, ENOSYS, EPERM } = constants.errno

for (const [what, answer] of [
  ['is answered with ENOSYS', ENOSYS],
  ['is answered with EPERM', EPERM],
  ['kills the process', 'kill'],
] as const) {
  test(`a PidFd is unsupported where pidfd_open ${what}`, (t) => {
    const result = runWithout([{ syscall: 'pidfd_open', answer }], 'denied.mjs', 'PidFd')
    t.same(result, { code: 'ERR_UNSUPPORTED', isAsBefore: true })
  })
}

test('a SignalFd that can’t be made leaves the masks as they were', (t) => {
  const result = runWithout([{ syscall: 'signalfd4', answer: EMFILE }], 'denied.mjs', 'SignalFd')
  t.same(result, { code: 'EMFILE', isAsBefore: true })
})
