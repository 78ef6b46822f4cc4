// A handler that throws: the error leaves wait, and the rest of the batch is the next wait's.

import { EPOLLET, EPOLLIN, EPOLLONESHOT, Epoll, EventFd, type Registration } from 'genpoll'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'

const MASKS = { level: EPOLLIN, edge: EPOLLIN | EPOLLET, 'one-shot': EPOLLIN | EPOLLONESHOT }

/**
 * An Epoll with three readable descriptors whose first handler has thrown.
 *
 * @param check With the registrations in the order of the batch: the first has been delivered.
 */
function afterThrow(
  mask: number,
  check: (epoll: Epoll<EventFd>, batch: Registration<EventFd>[]) => void,
): void {
  using epoll = new Epoll<EventFd>()
  using one = ready()
  using two = ready()
  using three = ready()
  const registrations = epoll.addAll([one, two, three].map((bell) => [bell, mask, bell]))
  const failure = new Error('thrown by a handler')
  let first: Registration<EventFd> | undefined
  try {
    epoll.wait(-1, (registration) => {
      first = registration
      throw failure
    })
  } catch (error) {
    if (error !== failure) throw error
  }
  // The kernel reports them in the order in which they were added, being ready then.
  if (first !== registrations[0]) throw new Error('the batch came in another order')
  check(epoll, registrations)
}

function deliveredBy(epoll: Epoll<EventFd>): Registration<EventFd>[] {
  const seen: Registration<EventFd>[] = []
  epoll.wait(0, (registration) => seen.push(registration))
  return seen
}

for (const [kind, mask] of Object.entries(MASKS)) {
  test(`${kind}: the next wait delivers the rest, without asking the kernel`, (t) => {
    afterThrow(mask, (epoll, batch) => {
      t.strictSame(epoll.stats, { waits: 1, delivered: 1, stale: 0, rebuilds: 0 })
      t.strictSame(deliveredBy(epoll), batch.slice(1))
      t.strictSame(epoll.stats, { waits: 1, delivered: 3, stale: 0, rebuilds: 0 })
      t.strictSame(deliveredBy(epoll), mask === EPOLLIN ? batch : [])
    })
  })

  test(`${kind}: every handler may throw in turn`, (t) => {
    afterThrow(mask, (epoll, batch) => {
      for (const expected of batch.slice(1)) {
        t.throws(
          () =>
            epoll.wait(0, (registration) => {
              t.equal(registration, expected)
              throw new Error('again')
            }),
          { message: 'again' },
        )
      }
      t.equal(epoll.stats.waits, 1)
    })
  })

  test(`${kind}: what is closed or removed before the next wait is not delivered`, (t) => {
    afterThrow(mask, (epoll, [_, second, third]) => {
      second!.data.close()
      t.strictSame(deliveredBy(epoll), [third])
      t.equal(epoll.stats.stale, 1)
    })
    afterThrow(mask, (epoll, [_, second, third]) => {
      second!.remove()
      t.strictSame(deliveredBy(epoll), [third])
    })
  })

  test(`${kind}: what is modified or added before the next wait is the kernel’s to report`, (t) => {
    afterThrow(mask, (epoll, [first, second, third]) => {
      for (const registration of [second!, third!]) registration.modify(mask)
      using newcomer = ready()
      const added = epoll.add(newcomer, mask, newcomer)
      const expected = mask === EPOLLIN ? [first, second, third, added] : [second, third, added]
      t.strictSame(new Set(deliveredBy(epoll)), new Set(expected))
      t.equal(epoll.stats.waits, 2)
    })
  })
}

test('the rest is delivered before a timeout is looked at', (t) => {
  afterThrow(EPOLLIN | EPOLLET, (epoll, batch) => {
    const seen: Registration<EventFd>[] = []
    t.equal(
      epoll.wait(-1, (registration) => seen.push(registration)),
      2,
    )
    t.strictSame(seen, batch.slice(1))
  })
})

test('an Epoll with a rest can be closed', (t) => {
  afterThrow(EPOLLIN, (epoll) => {
    epoll.close()
    t.throws(() => epoll.wait(0, () => {}), { code: 'ERR_CLOSED' })
  })
})

test('what is thrown needn’t be an Error', (t) => {
  using epoll = new Epoll()
  using bell = new EventFd({ initial: 1 })
  epoll.add(bell, EPOLLIN, undefined)
  for (const thrown of [undefined, null, 7, 'text', Symbol('s')]) {
    let caught: unknown = 'nothing'
    try {
      epoll.wait(0, () => {
        throw thrown
      })
    } catch (error) {
      caught = error
    }
    t.equal(caught, thrown)
  }
})
