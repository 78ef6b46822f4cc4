// Loop.child: how a process has ended, without reaping it.

import { once } from 'node:events'
import { Loop, type ProcessExit } from 'genpoll'
import { openDescriptors, test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { Shell } from './fixtures/shell.js'

type Exit = ProcessExit | null

test('a child’s exit code, and Node’s own event comes afterwards', async (t) => {
  await using shell = new Shell('read _ <&3; exit 7')
  using loop = new Loop()
  const calls: unknown[][] = []
  const source = loop.child(shell.pid, (...args) => {
    calls.push(args)
    t.equal(source.active, false)
    t.equal(source.remove(), false)
  })
  t.equal(loop.runOnce(0), 0)
  t.equal(source.active, true)
  shell.letGo()
  runToEnd(t, loop)
  t.equal(calls.length, 1)
  t.strictSame(calls[0]?.[0], { code: 7, signal: null })
  t.equal(calls[0]?.[1], source)
  t.equal(shell.child.exitCode, null, 'Node hasn’t had its turn')
  t.strictSame(await shell.exit, [7, null])
})

test('the signal that ended a child, and Node’s own event comes afterwards', async (t) => {
  await using shell = new Shell('read _ <&3')
  using loop = new Loop()
  const exits: Exit[] = []
  loop.child(shell.pid, (exit) => exits.push(exit))
  process.kill(shell.pid, 'SIGTERM')
  runToEnd(t, loop)
  t.strictSame(exits, [{ code: null, signal: 'SIGTERM' }])
  t.strictSame(await shell.exit, [null, 'SIGTERM'])
})

test('of several children each is told once, and each ‘exit’ comes', async (t) => {
  using loop = new Loop()
  const codes = [0, 1, 2, 255]
  const shells = codes.map((code) => new Shell(`read _ <&3; exit ${code}`))
  const exits: unknown[] = []
  for (const [i, shell] of shells.entries()) {
    loop.child(shell.pid, (exit) => exits.push([i, exit?.code]))
  }
  for (const shell of shells.toReversed()) shell.letGo()
  runToEnd(t, loop)
  t.strictSame(
    exits.sort(),
    codes.map((code, i) => [i, code]),
  )
  for (const [i, shell] of shells.entries()) t.strictSame(await shell.exit, [codes[i], null])
})

test('a child that has ended before, and isn’t reaped yet', async (t) => {
  await using shell = new Shell('exit 3')
  using loop = new Loop()
  const exits: Exit[] = []
  loop.child(shell.pid, (exit) => exits.push(exit))
  runToEnd(t, loop)
  loop.child(shell.pid, (exit) => exits.push(exit))
  t.equal(loop.runOnce(), 1)
  t.strictSame(exits, [
    { code: 3, signal: null },
    { code: 3, signal: null },
  ])
  t.strictSame(await shell.exit, [3, null])
})

test('several sources for one process are called each', async (t) => {
  await using shell = new Shell('read _ <&3; exit 4')
  using loop = new Loop()
  using other = new Loop()
  const exits: Exit[] = []
  for (const one of [loop, loop, other]) one.child(shell.pid, (exit) => exits.push(exit))
  shell.letGo()
  runToEnd(t, loop)
  runToEnd(t, other)
  t.strictSame(exits, new Array(3).fill({ code: 4, signal: null }))
})

test('a handler starts the next child', async (t) => {
  using loop = new Loop()
  const shells: Shell[] = []
  const codes: unknown[] = []
  const start = (code: number) => {
    const shell = new Shell(`exit ${code}`)
    shell.letGo()
    shells.push(shell)
    loop.child(shell.pid, (exit) => {
      codes.push(exit?.code)
      if (code < 3) start(code + 1)
    })
  }
  start(0)
  runToEnd(t, loop)
  t.strictSame(codes, [0, 1, 2, 3])
  for (const [code, shell] of shells.entries()) t.strictSame(await shell.exit, [code, null])
})

test('the end of a process that isn’t our child: how, only where the kernel tells', async (t) => {
  for (const [ending, expected] of [
    ['exit 9', { code: 9, signal: null }],
    ['kill -KILL $$', { code: null, signal: 'SIGKILL' }],
  ] as const) {
    await using shell = new Shell(`sh -c 'echo $$; read _ <&3; ${ending}' & wait`)
    const [line] = await once(shell.child.stdout!, 'data')
    using loop = new Loop()
    const exits: Exit[] = []
    loop.child(Number(line), (exit) => exits.push(exit))
    shell.letGo()
    runToEnd(t, loop)
    t.equal(exits.length, 1)
    if (exits[0] !== null) t.strictSame(exits[0], expected)
  }
})

test('a source that is removed isn’t called, and its descriptor is closed', async (t) => {
  await using shell = new Shell('read _ <&3')
  using loop = new Loop()
  const before = [...openDescriptors()]
  const source = loop.child(shell.pid, () => t.fail('called'))
  t.equal([...openDescriptors()].length, before.length + 1)
  t.equal(source.remove(), true)
  t.strictSame([...openDescriptors()], before)
  shell.letGo()
  runToEnd(t, loop)
  t.strictSame(await shell.exit, [1, null])
})

test('a process that is gone is ESRCH, and nothing to wait for', async (t) => {
  await using shell = new Shell('exit 0')
  await shell.exit
  using loop = new Loop()
  const before = [...openDescriptors()]
  t.throws(() => loop.child(shell.pid, () => {}), errno('ESRCH', 'pidfd_open'))
  t.strictSame([...openDescriptors()], before)
  runToEnd(t, loop)
})

test('what a handler throws leaves run, and is told once', async (t) => {
  await using shell = new Shell('exit 0')
  using loop = new Loop()
  const source = loop.child(shell.pid, () => {
    throw new Error('mine')
  })
  t.throws(() => loop.run(), { message: 'mine' })
  t.equal(source.active, false)
  runToEnd(t, loop)
  t.strictSame(await shell.exit, [0, null])
})

test('its descriptor is closed when its handler runs', async (t) => {
  await using shell = new Shell('exit 0')
  using loop = new Loop()
  const before = [...openDescriptors()]
  loop.child(shell.pid, () => t.strictSame([...openDescriptors()], before))
  runToEnd(t, loop)
})
