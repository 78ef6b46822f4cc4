// Where the calls by which a zombie is deleted by a dup are missing or forbidden, a rebuild does it.

import { constants } from 'node:os'
import { test } from './fixtures/check.js'
import { runWithout } from './fixtures/deny.js'

const { ENOSYS, EPERM } = constants.errno

test('with all of them, it is deleted by the dup', (t) => {
  const another = { syscall: 'signalfd4', answer: ENOSYS } as const
  t.same(runWithout([another], 'zombie.mjs'), { actions: ['deleted'], zombies: 0 })
})

for (const syscall of ['close_range', 'pidfd_open', 'pidfd_getfd'] as const) {
  for (const answer of [ENOSYS, EPERM, 'kill'] as const) {
    test(`without ${syscall} (${answer}), a rebuild removes it`, (t) => {
      const expected = { actions: ['deferred', 'rebuilt'], zombies: 0 }
      t.same(runWithout([{ syscall, answer }], 'zombie.mjs'), expected)
    })
  }
}
