// A process forked off without exec has no loops: every use of them is refused there, and nothing that
// is tried reaches the parent's.

import { EPOLLIN, EventFd, isErrno, Loop, wake } from 'genpoll'
import { test } from './fixtures/alone.js'
import { openDescriptors } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { inFork } from './fixtures/native-host.js'
import { Seen, turns } from './fixtures/seen.js'
import { DEADLY, masks, send } from './fixtures/signals.js'

const ignore = () => {}

/** The error code of a call in a child of its own, or what it returned. */
function inChild(call: () => unknown): unknown {
  return inFork(() => {
    try {
      return call() ?? 'nothing'
    } catch (error) {
      return isErrno(error) ? error.code : String(error)
    }
  })
}

/** What needs a turn of the loop, or a descriptor. */
const CALLS: Record<string, (loop: Loop, bell: EventFd) => unknown> = {
  'new Loop': () => new Loop(),
  watch: (loop, bell) => loop.watch(bell, EPOLLIN, ignore),
  signal: (loop) => loop.signal([DEADLY], ignore),
  child: (loop) => loop.child(process.pid, ignore),
  run: (loop) => loop.run(),
  runOnce: (loop) => loop.runOnce(0),
  start: (loop) => loop.start(),
  wake: (loop) => loop.wake(),
  'wake(waker)': ({ waker }) => wake(waker),
  close: (loop) => loop.close(),
}

for (const [name, call] of Object.entries(CALLS)) {
  for (const isStarted of [false, true]) {
    const state = isStarted ? 'started' : 'not started'
    if (isStarted && ['run', 'runOnce', 'start'].includes(name)) continue
    test(`C465 C466 ${name} of a loop that was ${state} is ESTALE in a child`, async (t) => {
      using loop = new Loop()
      using bell = new EventFd()
      using other = ready()
      const seen = new Seen()
      loop.after(1, () => seen.add('after'))
      loop.watch(other, EPOLLIN, (_events, source) => {
        source.remove()
        seen.add('other')
      })
      if (isStarted) loop.start()
      t.equal(
        inChild(() => call(loop, bell)),
        'ESTALE',
      )
      const before = openDescriptors()
      t.strictSame(seen.all, [])
      loop.start()
      t.strictSame((await seen.first(2)).sort(), ['after', 'other'])
      t.strictSame(openDescriptors(), before)
    })
  }
}

test('C467 a source that is made before the fork is the parent’s alone', async (t) => {
  using loop = new Loop()
  using bell = ready()
  const seen = new Seen()
  const source = loop.watch(bell, EPOLLIN, () => seen.add('bell'))
  t.equal(
    inChild(() => source.modify(EPOLLIN)),
    'ESTALE',
  )
  t.equal(
    inChild(() => source.remove()),
    'ESTALE',
  )
  t.equal(source.active, true)
  loop.start()
  t.strictSame(await seen.first(1), ['bell'])
})

test('C468 signals of the parent are the parent’s', async (t) => {
  const before = masks()
  using loop = new Loop()
  const seen = new Seen<number>()
  const source = loop.signal([DEADLY], ({ pid }) => seen.add(pid))
  loop.start()
  t.equal(
    inChild(() => source.remove()),
    'ESTALE',
  )
  const pid = send(DEADLY)
  t.strictSame(await seen.first(1), [pid])
  source.remove()
  t.strictSame(masks(), before)
})

test('the end of a child leaves a started loop alone', async (t) => {
  using loop = new Loop()
  using bell = new EventFd()
  const seen = new Seen<number>()
  loop.watch(bell, EPOLLIN, () => seen.add(bell.read()!))
  loop.start()
  for (let i = 1; i <= 3; i++) {
    t.equal(
      inFork(() => i),
      i,
    )
    await turns()
    bell.write(i)
    t.equal((await seen.first(i)).at(-1), i)
  }
})
