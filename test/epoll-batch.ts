// What a handler does to the other descriptors of its batch takes effect inside the batch. Each case
// runs level-triggered and edge-triggered: an edge that is dropped too much never comes back.

import {
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  Epoll,
  type EventFd,
  type Registration,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'

type Entry = { registration: Registration<EventFd>; bell: EventFd }

interface Batch {
  epoll: Epoll<EventFd>
  mask: number
  /** What `wait(0)` delivers. */
  next(): Registration<EventFd>[]
}

/**
 * A wait whose batch holds two readable eventfds. `act` runs in the handler of whichever comes
 * first; `check` after the wait, with what that delivered.
 */
function inBatch(
  extra: number,
  act: (first: Entry, second: Entry, batch: Batch) => void,
  check: (delivered: Registration<EventFd>[], first: Entry, second: Entry, batch: Batch) => void,
): void {
  for (const trigger of [0, EPOLLET]) {
    using epoll = new Epoll<EventFd>()
    using one = ready()
    using two = ready()
    const mask = EPOLLIN | trigger | extra
    const entries = [one, two].map((bell) => {
      return { bell, registration: epoll.add(bell, mask, bell) }
    }) as [Entry, Entry]
    const next = (): Registration<EventFd>[] => {
      const seen: Registration<EventFd>[] = []
      epoll.wait(0, (registration) => seen.push(registration))
      return seen
    }
    const batch = { epoll, mask, next }
    const delivered: Registration<EventFd>[] = []
    const inOrder = (): [Entry, Entry] => {
      const [a, b] = entries
      return delivered[0] === a.registration ? [a, b] : [b, a]
    }
    epoll.wait(-1, (registration) => {
      if (delivered.push(registration) === 1) act(...inOrder(), batch)
    })
    check(delivered, ...inOrder(), batch)
  }
}

test('a handler that does nothing to it lets the second be delivered', (t) => {
  inBatch(
    0,
    () => {},
    (delivered, first, second) => {
      t.strictSame(new Set(delivered), new Set([first.registration, second.registration]))
    },
  )
})

test('a descriptor that a handler closes is not delivered', (t) => {
  const closings: ((bell: EventFd) => void)[] = [(bell) => bell.close(), ({ fd }) => sys.close(fd)]
  for (const close of closings) {
    inBatch(
      0,
      (_, second) => close(second.bell),
      (delivered, first, second, { epoll, next }) => {
        t.strictSame(delivered, [first.registration])
        t.equal(second.registration.state, 'stale')
        t.strictSame(epoll.stats, { waits: 1, delivered: 1, stale: 1, rebuilds: 0 })
        next()
        t.equal(epoll.stats.stale, 1, 'it left the kernel’s list as well')
      },
    )
  }
})

test('a number that a handler recycles is not delivered', (t) => {
  inBatch(
    0,
    (_, second) => {
      using other = ready()
      sys.dup3(other.fd, second.bell.fd, 0)
    },
    (delivered, first, second, { epoll }) => {
      t.strictSame(delivered, [first.registration])
      t.equal(second.registration.state, 'stale')
      t.equal(second.bell.closed, true)
      t.equal(epoll.stats.stale, 1)
      sys.close(second.registration.fd)
    },
  )
})

test('a newcomer under a recycled number doesn’t get the event of the former', (t) => {
  let newcomer: Registration<EventFd>
  inBatch(
    0,
    (first, second, { epoll, mask }) => {
      const { fd } = second.bell
      second.bell.close()
      sys.dup3(first.bell.fd, fd, 0)
      first.bell.read()
      newcomer = epoll.add(fd, mask, first.bell)
    },
    (delivered, first, second, { epoll, next }) => {
      t.strictSame(delivered, [first.registration])
      t.equal(newcomer.fd, second.registration.fd)
      t.not(newcomer.generation, second.registration.generation)
      t.equal(epoll.stats.stale, 1)
      t.strictSame(next(), [], 'it has no event of its own')
      first.bell.write()
      t.strictSame(new Set(next()), new Set([newcomer, first.registration]))
      sys.close(newcomer.fd)
    },
  )
})

test('a newcomer’s own event comes with the next wait', (t) => {
  let newcomer: Registration<EventFd>
  inBatch(
    0,
    (first, second, { epoll, mask }) => {
      sys.dup3(first.bell.fd, second.bell.fd, 0)
      newcomer = epoll.add(second.registration.fd, mask, first.bell)
    },
    (delivered, first, _, { next }) => {
      t.strictSame(delivered, [first.registration])
      t.ok(next().includes(newcomer))
      sys.close(newcomer.fd)
    },
  )
})

test('a registration that a handler removes is not delivered', (t) => {
  inBatch(
    0,
    (_, second) => t.equal(second.registration.remove(), true),
    (delivered, first, second, { next }) => {
      t.strictSame(delivered, [first.registration])
      t.equal(second.registration.state, 'removed')
      t.notOk(next().includes(second.registration))
    },
  )
})

test('one that is removed and added again reports what still holds with the next wait', (t) => {
  let again: Registration<EventFd>
  inBatch(
    0,
    (_, second, { epoll, mask }) => {
      second.registration.remove()
      again = epoll.add(second.bell, mask, second.bell)
    },
    (delivered, first, _, { next }) => {
      t.strictSame(delivered, [first.registration])
      t.equal(again.state, 'active')
      t.ok(next().includes(again))
    },
  )
})

test('a modified one reports what still holds with the next wait', (t) => {
  inBatch(
    0,
    (_, second, { mask }) => second.registration.modify(mask),
    (delivered, first, second, { next }) => {
      t.strictSame(delivered, [first.registration])
      t.equal(second.registration.state, 'active')
      t.ok(next().includes(second.registration))
    },
  )
})

test('one that is modified to other events gets those only', (t) => {
  inBatch(
    0,
    (_, second) => second.registration.modify(EPOLLOUT | EPOLLET),
    (delivered, first, second, { epoll }) => {
      t.strictSame(delivered, [first.registration])
      const seen: number[] = []
      epoll.wait(0, (registration, events) => {
        if (registration === second.registration) seen.push(events)
      })
      t.strictSame(seen, [EPOLLOUT])
    },
  )
})

test('what a handler makes unready but leaves alone is delivered', (t) => {
  inBatch(
    0,
    (_, second) => t.equal(second.bell.read(), 1),
    (delivered, _, second) => t.equal(delivered[1], second.registration),
  )
})

test('a one-shot is disarmed once delivered, and armed again by modify', (t) => {
  inBatch(
    EPOLLONESHOT,
    (first, second) => {
      t.equal(first.registration.state, 'disarmed')
      t.equal(second.registration.state, 'active')
    },
    (delivered, first, second, { mask, next }) => {
      t.equal(delivered.length, 2)
      t.equal(second.registration.state, 'disarmed')
      t.strictSame(next(), [])
      second.registration.modify(mask)
      t.equal(second.registration.state, 'active')
      t.strictSame(next(), [second.registration])
      t.equal(first.registration.state, 'disarmed')
    },
  )
})

test('a one-shot is armed again by its own handler', (t) => {
  inBatch(
    EPOLLONESHOT,
    (first, _, { mask }) => {
      first.registration.modify(mask)
      t.equal(first.registration.state, 'active')
    },
    (delivered, first, _, { next }) => {
      t.equal(delivered.length, 2)
      t.strictSame(next(), [first.registration])
      t.strictSame(next(), [])
    },
  )
})

test('a one-shot that another handler of the batch arms again comes with the next wait', (t) => {
  inBatch(
    EPOLLONESHOT,
    (_, second, { mask }) => second.registration.modify(mask),
    (delivered, first, second, { next }) => {
      t.strictSame(delivered, [first.registration])
      t.equal(second.registration.state, 'active')
      t.strictSame(next(), [second.registration])
      t.strictSame(next(), [])
    },
  )
})

test('a handler may close its own descriptor', (t) => {
  inBatch(
    0,
    (first) => first.bell.close(),
    (delivered, first, second, { epoll }) => {
      t.strictSame(delivered, [first.registration, second.registration])
      t.equal(epoll.stats.stale, 0)
      t.equal(epoll.size, 1)
    },
  )
})

test('a handler that closes the Epoll ends the batch', (t) => {
  inBatch(
    0,
    (_, __, { epoll }) => epoll.close(),
    (delivered, first, second, { epoll }) => {
      t.strictSame(delivered, [first.registration])
      t.equal(second.registration.state, 'removed')
      t.throws(() => epoll.wait(0, () => {}), { code: 'ERR_CLOSED' })
      t.strictSame(epoll.stats, { waits: 1, delivered: 1, stale: 0, rebuilds: 0 })
    },
  )
})

test('wait inside a handler delivers the rest of the batch first', (t) => {
  const inner: Registration<EventFd>[] = []
  inBatch(
    0,
    (_, __, { next }) => {
      inner.splice(0, Infinity, ...next())
    },
    (delivered, first, second, { epoll, next }) => {
      t.strictSame(delivered, [first.registration])
      t.strictSame(inner, [second.registration])
      t.strictSame(epoll.stats, { waits: 1, delivered: 2, stale: 0, rebuilds: 0 })
      t.strictSame(
        new Set(next()),
        new Set(first.registration.events === EPOLLIN ? delivered.concat(inner) : []),
      )
    },
  )
})

test('wait inside a handler asks the kernel once the batch is done', (t) => {
  const inner: Registration<EventFd>[] = []
  inBatch(
    0,
    (first, second, { mask, next }) => {
      first.registration.modify(mask)
      second.registration.modify(mask)
      inner.splice(0, Infinity, ...next())
    },
    (delivered, first, second, { epoll }) => {
      t.strictSame(delivered, [first.registration], 'the outer one has nothing left')
      t.strictSame(new Set(inner), new Set([first.registration, second.registration]))
      t.strictSame(epoll.stats, { waits: 2, delivered: 3, stale: 0, rebuilds: 0 })
    },
  )
})

test('wait inside a handler of another Epoll doesn’t disturb the batch', (t) => {
  using other = new Epoll()
  using bell = ready()
  other.add(bell, EPOLLIN, undefined)
  inBatch(
    0,
    () => {
      const count = other.wait(0, () => {})
      t.equal(count, 1)
    },
    (delivered, first, second) => {
      t.strictSame(delivered, [first.registration, second.registration])
    },
  )
})
