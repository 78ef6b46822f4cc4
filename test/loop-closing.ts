// Watched descriptors that are closed or replaced end their sources, in whichever thread that
// happens, and with the last one run() ends.

import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { EPOLLIN, EventFd, Fd, Loop, type WatchSource } from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { alias } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { pipe, ready, recycle } from './fixtures/descriptors.js'
import { Descriptors, write } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'
import { Partner, type Step } from './fixtures/partner.js'
import { runToEnd } from './fixtures/run-to-end.js'

const ignore = () => {}

/** What to watch, as `[target, number]`; whoever closes it closes the number. */
const TARGETS: Record<string, () => [target: EventFd | Fd | number, fd: number]> = {
  'an EventFd': () => {
    const bell = new EventFd()
    return [bell, bell.fd]
  },
  'an Fd': () => {
    const owned = Fd.adopt(sys.eventfd(0, 0))
    return [owned, owned.fd]
  },
  'a number': () => {
    const fd = sys.eventfd(0, 0)
    return [fd, fd]
  },
}

function assertEnded(t: Test, source: WatchSource): void {
  t.equal(source.active, false)
  t.equal(source.remove(), false)
  t.throws(() => source.modify(EPOLLIN), { name: 'StaleRegistrationError', reason: 'closed' })
}

for (const [what, make] of Object.entries(TARGETS)) {
  test(`${what} that is closed ends its source at once, and run`, (t) => {
    using loop = new Loop()
    const [target, fd] = make()
    const source = loop.watch(target, EPOLLIN, () => t.fail('called'))
    sys.close(fd)
    t.equal(source.active, false)
    runToEnd(t, loop)
    assertEnded(t, source)
  })

  test(`${what} that a handler closes ends run`, (t) => {
    using loop = new Loop()
    const [target, fd] = make()
    const source = loop.watch(target, EPOLLIN, () => t.fail('called'))
    loop.after(1, () => {
      sys.close(fd)
      t.equal(source.active, false)
    })
    runToEnd(t, loop)
    assertEnded(t, source)
  })

  for (const [how, stepsFor] of Object.entries({
    closes: (fd: number): Step[] => [['close', fd]],
    'replaces by dup3': (fd: number, other: number): Step[] => [['dup3', other, fd, 0]],
  })) {
    test(`${what} that another thread ${how} ends run`, async (t) => {
      await using partner = await Partner.start()
      using loop = new Loop()
      using other = ready()
      const [target, fd] = make()
      const keeper = alias(fd)
      const source = loop.watch(target, EPOLLIN, () => t.fail('called'))
      partner.begin(['untilWaiting'], ...stepsFor(fd, other.fd))
      runToEnd(t, loop)
      partner.finish()
      assertEnded(t, source)
      closeSync(keeper)
      if (how !== 'closes') sys.close(fd)
    })

    test(`${what} that another thread ${how} isn’t active from then on`, async (t) => {
      await using partner = await Partner.start()
      using loop = new Loop()
      using other = ready()
      const [target, fd] = make()
      const source = loop.watch(target, EPOLLIN, () => t.fail('called'))
      partner.make(...stepsFor(fd, other.fd))
      t.equal(source.active, false)
      runToEnd(t, loop)
      if (how !== 'closes') sys.close(fd)
    })
  }
}

test('an EventFd that is disposed of takes its source along', (t) => {
  using loop = new Loop()
  let source: WatchSource
  {
    using bell = new EventFd()
    source = loop.watch(bell, EPOLLIN, ignore)
  }
  runToEnd(t, loop)
  assertEnded(t, source)
})

test('so does one that is given out of hand', (t) => {
  using loop = new Loop()
  const bell = new EventFd()
  const source = loop.watch(bell, EPOLLIN, ignore)
  const fd = bell.release()
  runToEnd(t, loop)
  t.equal(source.active, false)
  sys.close(fd)
})

test('many that another thread closes at once end one and all', async (t) => {
  await using partner = await Partner.start()
  using loop = new Loop()
  const fds = Array.from({ length: 500 }, () => sys.eventfd(0, 0))
  const sources = fds.map((fd) => loop.watch(fd, EPOLLIN, () => t.fail('called')))
  partner.begin(['untilWaiting'], ...fds.map((fd): Step => ['close', fd]))
  runToEnd(t, loop)
  partner.finish()
  t.equal(
    sources.findIndex(({ active }) => active),
    -1,
  )
})

test('again and again: no closing is missed', async (t) => {
  await using partner = await Partner.start()
  using loop = new Loop()
  for (let round = 0; round < 300; round++) {
    const fd = sys.eventfd(0, 0)
    const source = loop.watch(fd, EPOLLIN, () => t.fail('called'))
    partner.begin(['untilWaiting'], ['close', fd])
    runToEnd(t, loop)
    partner.finish()
    if (!t.equal(source.active, false, `in round ${round}`)) return
  }
})

test('what a worker has open ends with it', async (t) => {
  using loop = new Loop()
  const script = new URL('./fixtures/children/worker-tour.mjs', import.meta.url)
  const worker = new Worker(script, { execArgv: [] })
  const [{ fds }] = await once(worker, 'message')
  const bell = fds[1]
  const source = loop.watch(bell, 0, () => t.fail('called'))
  const ended = worker.terminate()
  runToEnd(t, loop)
  assertEnded(t, source)
  await ended
})

test('a number that is recycled through genpoll: the new source lives, the old one is dead', (t) => {
  using loop = new Loop()
  const fd = sys.eventfd(1, 0)
  const old = loop.watch(fd, EPOLLIN, () => t.fail('called'))
  sys.close(fd)
  using successor = ready()
  t.equal(successor.fd, fd)
  const seen: (number | null)[] = []
  const source = loop.watch(successor, EPOLLIN, () => {
    seen.push(successor.read())
    source.remove()
  })
  t.equal(old.active, false)
  t.equal(source.active, true)
  runToEnd(t, loop)
  t.strictSame(seen, [1])
})

test('the old source, if it is removed late, leaves the new one alone', (t) => {
  using loop = new Loop()
  const fd = sys.eventfd(1, 0)
  const old = loop.watch(fd, EPOLLIN, () => t.fail('called'))
  sys.close(fd)
  using successor = ready()
  let calls = 0
  const source = loop.watch(successor, EPOLLIN, () => {
    calls++
    source.remove()
  })
  t.equal(old.remove(), false)
  old.unref().ref()
  t.equal(source.active, true)
  runToEnd(t, loop)
  t.equal(calls, 1)
})

test('one that follows its number goes over to the new file', (t) => {
  using loop = new Loop()
  using fds = new Descriptors()
  const [fd] = fds.pipe()
  const [reading, writing] = fds.pipe()
  const source = loop.watch(
    fd,
    EPOLLIN,
    () => {
      t.equal(sys.read(fd, Buffer.alloc(1)), 1)
      source.remove()
    },
    { onReplaced: 'follow' },
  )
  loop.after(1, () => {
    sys.dup3(reading, fd, 0)
    t.equal(source.active, true)
    write(writing, 'x')
  })
  runToEnd(t, loop)
  t.equal(source.active, false)
})

/** What other code may do to a number behind genpoll's back, so that the kernel has nothing to say. */
const BEHIND: Record<string, (fd: number) => void> = {
  closed: closeSync,
  recycled: recycle,
  'replaced by dup2': (fd) => {
    const bell = sys.eventfd(0, 0)
    host.dup2(bell, fd)
    sys.close(bell)
  },
}

for (const [what, change] of Object.entries(BEHIND)) {
  test(`a foreign number ${what} behind genpoll’s back is found by auditMs`, (t) => {
    using loop = new Loop({ auditMs: 2 })
    const fd = sys.eventfd(0, 0)
    const source = loop.watch(fd, EPOLLIN, () => t.fail('called'))
    loop.after(1, () => change(fd))
    runToEnd(t, loop)
    t.equal(source.active, false)
    if (what !== 'closed') closeSync(fd)
  })
}

test('and followed, where that was asked for', (t) => {
  using loop = new Loop({ auditMs: 2 })
  const fd = sys.eventfd(0, 0)
  let calls = 0
  const source = loop.watch(
    fd,
    EPOLLIN,
    () => {
      calls++
      source.remove()
    },
    { onReplaced: 'follow' },
  )
  loop.after(1, () => recycle(fd))
  runToEnd(t, loop)
  t.equal(calls, 1)
  closeSync(fd)
})

test('an audit alone neither keeps run going nor is anybody’s handler', (t) => {
  using loop = new Loop({ auditMs: 0.5 })
  loop.run()
  t.equal(loop.runOnce(5), 0)
})

for (const [how, change] of Object.entries({ closed: closeSync, recycled: recycle })) {
  test(`a foreign number ${how} behind genpoll’s back is found when its old file has events`, (t) => {
    const reports: number[] = []
    using loop = new Loop({ onStale: ({ fd }) => reports.push(fd) })
    const [reading, writing] = pipe()
    const fd = sys.dup(reading.fd)
    const source = loop.watch(fd, EPOLLIN, () => t.fail('called'))
    loop.after(1, () => {
      change(fd)
      writing.write(Buffer.from('x'))
    })
    runToEnd(t, loop)
    t.equal(source.active, false)
    t.strictSame([...new Set(reports)], [fd])
    for (const end of [reading, writing]) end.close()
    if (how === 'recycled') closeSync(fd)
  })
}

/** What onStale may ask of its loop, so that run ends. */
const ANSWERS: Record<string, (loop: Loop) => void> = {
  stops: (loop) => loop.stop(),
  unrefs: (loop) => void loop.unref(),
  'defers a stop of': (loop) => void loop.defer(() => loop.stop()),
  'sets a timer of': (loop) => void loop.after(1, () => loop.stop()),
  wakes: (loop) => {
    loop.defer(() => loop.stop())
    loop.wake()
  },
}

for (const [how, answer] of Object.entries(ANSWERS)) {
  test(`an onStale that ${how} its loop is heard while that waits`, (t) => {
    const onStale = () => answer(loop)
    using loop: Loop = new Loop({ onStale })
    using bell = new EventFd()
    const [reading, writing] = pipe()
    const fd = sys.dup(reading.fd)
    loop.watch(fd, EPOLLIN, () => t.fail('called'))
    loop.watch(bell, EPOLLIN, () => t.fail('called'))
    loop.after(1, () => {
      closeSync(fd)
      writing.write(Buffer.from('x'))
    })
    runToEnd(t, loop)
    for (const end of [reading, writing]) end.close()
  })
}

test('remove tells whether a source was active, whatever the kernel still holds of it', (t) => {
  using loop = new Loop()
  const fd = sys.eventfd(0, 0)
  const source = loop.watch(fd, EPOLLIN, () => t.fail('called'))
  closeSync(fd)
  t.equal(source.active, true, 'nobody has told genpoll')
  t.equal(source.remove(), true)
  t.equal(source.active, false)
  loop.run()
})
