// What handlers do while a batch is being delivered: they throw, end, change and close themselves and
// others, and call the loop that calls them.

import {
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EventFd,
  Fd,
  Loop,
  type WatchSource,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { refused } from './fixtures/errno.js'
import { DEADLY, send } from './fixtures/signals.js'
import { thrownBy } from './fixtures/thrown.js'

const ignore = () => {}

/** A loop, two descriptors that are readable, and what the handlers have seen. */
class Scene {
  readonly loop = new Loop()
  readonly one = ready()
  readonly other = ready()
  readonly seen: string[] = []

  /** Watches both; the handler of the first goes on to `act`. */
  watch(act: (other: WatchSource, source: WatchSource) => void, events = EPOLLIN) {
    const { loop, one, other, seen } = this
    const first = loop.watch(one, events, (_events, source) => {
      seen.push('one')
      act(second, source)
    })
    const second = loop.watch(other, events, () => seen.push('other'))
    return { first, second }
  }

  [Symbol.dispose](): void {
    for (const object of [this.loop, this.one, this.other]) object.close()
  }
}

test('a handler is called with the mask that the kernel reported, and its source', (t) => {
  using loop = new Loop()
  const [reading, writing] = pipe()
  const calls: unknown[][] = []
  const source = loop.watch(reading, EPOLLIN | EPOLLET, (...args) => calls.push(args))
  t.equal(source.fd, reading.fd)
  writing.write(Buffer.from('x'))
  loop.runOnce()
  writing.close()
  loop.runOnce()
  t.equal(calls.length, 2)
  t.strictSame(
    calls.map(([events]) => events),
    [EPOLLIN, EPOLLIN | sys.EPOLLHUP],
  )
  for (const [, given] of calls) t.equal(given, source)
  reading.close()
})

test('a number, and anything that has one as fd, is watched', (t) => {
  using loop = new Loop()
  using one = ready()
  using other = ready()
  const seen: number[] = []
  for (const target of [one.fd, { fd: other.fd }]) {
    loop.watch(target, EPOLLIN, (_events, source) => {
      seen.push(source.fd)
      source.remove()
    })
  }
  loop.run()
  t.strictSame(seen, [one.fd, other.fd])
})

for (const [kind, mask] of Object.entries({ level: 0, edge: EPOLLET })) {
  test(`what a handler throws leaves run, and the batch goes on with the next (${kind})`, (t) => {
    for (const error of [new Error('mine'), 'text', undefined, null]) {
      using scene = new Scene()
      const { loop, one, other, seen } = scene
      scene.watch(() => {
        throw error
      }, EPOLLIN | mask)
      t.equal(
        thrownBy(() => loop.run()),
        error,
      )
      t.strictSame(seen, ['one'])
      for (const bell of [one, other]) bell.read()
      t.equal(loop.runOnce(), 1)
      t.strictSame(seen, ['one', 'other'])
      t.equal(loop.runOnce(0), 0)
    }
  })
}

test('several of a batch throw: each run throws one', (t) => {
  using loop = new Loop()
  const bells = Array.from({ length: 5 }, ready)
  bells.forEach((bell, i) => {
    loop.watch(bell, EPOLLIN | EPOLLET, () => {
      throw i
    })
  })
  for (const i of bells.keys())
    t.equal(
      thrownBy(() => loop.run()),
      i,
    )
  t.equal(loop.runOnce(0), 0)
  for (const bell of bells) bell.close()
})

test('what is closed between two runs gets nothing of the batch that was left', (t) => {
  using scene = new Scene()
  const { loop, other, seen } = scene
  scene.watch((_other, source) => {
    source.remove()
    throw new Error('mine')
  })
  t.throws(() => loop.run(), { message: 'mine' })
  other.close()
  using _another = ready()
  loop.run()
  t.strictSame(seen, ['one'])
})

test('run, runOnce and start in a handler throw, and harm nothing', (t) => {
  using loop = new Loop()
  using bell = ready()
  const seen: string[] = []
  const tryAll = (name: string) => {
    for (const call of [() => loop.run(), () => loop.runOnce(0), () => loop.start()]) {
      for (let i = 0; i < 2; i++) t.throws(call, { name: 'Error', code: 'ERR_LOOP_RUNNING' }, name)
    }
    seen.push(name)
  }
  const watched = loop.watch(bell, EPOLLIN, () => {
    tryAll('watch')
    watched.remove()
  })
  loop.after(1, () => tryAll('after'))
  loop.defer(() => tryAll('defer'))
  const signal = loop.signal([DEADLY], () => {
    tryAll('signal')
    signal.remove()
  })
  send(DEADLY)
  loop.run()
  t.strictSame(seen.sort(), ['after', 'defer', 'signal', 'watch'])
  t.equal(loop.runOnce(0), 0, 'outside of handlers it can be called')
})

test('that error leaves run as any other, if the handler lets it', (t) => {
  using scene = new Scene()
  const { loop, seen } = scene
  scene.watch(() => loop.run(), EPOLLIN | EPOLLET)
  t.throws(() => loop.run(), { code: 'ERR_LOOP_RUNNING' })
  t.equal(loop.runOnce(), 1)
  t.strictSame(seen, ['one', 'other'])
})

test('a handler removes another whose event is in the same batch', (t) => {
  using scene = new Scene()
  const { loop, seen } = scene
  scene.watch((other, source) => {
    t.equal(other.remove(), true)
    t.equal(other.active, false)
    source.remove()
  })
  loop.run()
  t.strictSame(seen, ['one'])
})

test('a handler changes what it and another wait for', (t) => {
  using scene = new Scene()
  const { loop, seen } = scene
  scene.watch((other, source) => {
    other.modify(0)
    if (seen.length === 1) source.modify(EPOLLIN | EPOLLONESHOT)
  })
  for (const calls of [1, 1, 0]) t.equal(loop.runOnce(0), calls)
  t.strictSame(seen, ['one', 'one'])
})

test('a handler that asks for other events isn’t called for those of the batch', (t) => {
  using scene = new Scene()
  const { loop, seen } = scene
  scene.watch((other, source) => {
    source.remove()
    other.modify(EPOLLOUT)
  })
  t.equal(loop.runOnce(), 1)
  t.strictSame(seen, ['one'])
  t.equal(loop.runOnce(), 1, 'but for those that it asked for')
})

for (const [how, close] of Object.entries({
  'the object': (bell: EventFd) => bell.close(),
  'its number': (bell: EventFd) => sys.close(bell.fd),
})) {
  test(`a handler closes another’s descriptor (${how}) in the same batch`, (t) => {
    using scene = new Scene()
    const { loop, one, other, seen } = scene
    const { first, second } = scene.watch(() => {
      close(other)
      close(one)
    })
    loop.run()
    t.strictSame(seen, ['one'])
    t.equal(first.active, false)
    t.equal(second.active, false)
  })
}

test('a handler puts another source in the place of its own and of others', (t) => {
  using scene = new Scene()
  const { loop, one, other, seen } = scene
  scene.watch((second, source) => {
    for (const [bell, old, name] of [
      [one, source, 'one’s'],
      [other, second, 'other’s'],
    ] as const) {
      old.remove()
      loop.watch(bell, EPOLLIN, (_events, successor) => {
        seen.push(name)
        successor.remove()
      })
    }
  })
  t.equal(loop.runOnce(), 1)
  loop.run()
  t.strictSame(seen, ['one', 'one’s', 'other’s'])
})

test('a number that a handler recycles: its new source alone is called', (t) => {
  using scene = new Scene()
  const { loop, other, seen } = scene
  let successor: Fd | undefined
  const { second } = scene.watch((_second, source) => {
    source.remove()
    const { fd } = other
    other.close()
    successor = Fd.adopt(sys.eventfd(1, sys.EFD_NONBLOCK))
    t.equal(successor.fd, fd)
    loop.watch(successor, EPOLLIN, (_events, made) => {
      seen.push('successor')
      made.remove()
    })
  })
  loop.run()
  t.strictSame(seen, ['one', 'successor'])
  t.equal(second.active, false)
  successor?.close()
})

test('a one-shot is called once each time it is armed', (t) => {
  using loop = new Loop()
  using bell = ready()
  let calls = 0
  const source = loop.watch(bell, EPOLLIN | EPOLLONESHOT, () => calls++)
  t.equal(loop.runOnce(), 1)
  t.equal(loop.runOnce(0), 0)
  t.equal(source.active, true)
  source.modify(EPOLLIN | EPOLLONESHOT)
  t.equal(loop.runOnce(), 1)
  t.equal(calls, 2)
})

test('what can’t be watched leaves nothing to wait for', (t) => {
  using loop = new Loop()
  using bell = new EventFd()
  using file = Fd.adopt(sys.dup(bell.fd))
  const source = loop.watch(bell, EPOLLIN, ignore)
  t.throws(() => loop.watch(bell, EPOLLIN, ignore), refused('EEXIST'))
  t.throws(() => loop.watch(loop.waker, EPOLLIN, ignore), refused('EEXIST'))
  t.equal(source.active, true)
  file.close()
  t.throws(() => loop.watch(file, EPOLLIN, ignore), { code: 'ERR_CLOSED' })
  t.throws(() => loop.signal('SIGKILL', ignore), { code: 'ERR_OUT_OF_RANGE' })
  source.remove()
  loop.run()
})

test('of two sources for one descriptor in two loops, each is called', (t) => {
  using one = new Loop()
  using other = new Loop()
  using bell = ready()
  const seen: string[] = []
  for (const [name, loop] of Object.entries({ one, other })) {
    loop.watch(bell, EPOLLIN, (_events, source) => {
      seen.push(name)
      source.remove()
    })
  }
  one.run()
  other.run()
  t.strictSame(seen, ['one', 'other'])
})
