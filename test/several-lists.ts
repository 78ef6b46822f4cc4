// One number in two interest lists: what one of them learns about it holds for the other too.

import { EPOLLIN, Epoll } from 'genpoll'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

function setUp() {
  const fds = new Descriptors()
  const [former, next] = [fds.eventfd(1), fds.eventfd(1)]
  const fd = fds.eventfd()
  host.dup2(former, fd)
  return { fds, former, next, fd, one: new Epoll<string>(), other: new Epoll<string>() }
}

test('whoever adds a replaced number ends what others have registered for the former file', (t) => {
  const { fds, next, fd, one, other } = setUp()
  using _ = fds
  using _one = one
  using _other = other
  const before = one.add(fd, EPOLLIN, 'former')
  host.dup2(next, fd)
  const after = other.add(fd, EPOLLIN, 'next')
  t.equal(before.state, 'stale')
  t.not(after.generation, before.generation)
  t.strictSame(delivered(one), [])
  t.strictSame(delivered(other), ['next'])
})

test('whoever adds a number again leaves those alone who have it for the same file', (t) => {
  const { fds, fd, one, other } = setUp()
  using _ = fds
  using _one = one
  using _other = other
  const made = [one.add(fd, EPOLLIN, 'one'), other.add(fd, EPOLLIN, 'other')]
  t.strictSame(
    made.map(({ state, generation }) => [state, generation]),
    [
      ['active', made[0]!.generation],
      ['active', made[0]!.generation],
    ],
  )
  t.strictSame([...delivered(one), ...delivered(other)], ['one', 'other'])
})

test('a number gone back to its former file: the dead entry there doesn’t vouch for the living', (t) => {
  const { fds, former, next, fd, one, other } = setUp()
  using _ = fds
  using _one = one
  using _other = other
  one.add(fd, EPOLLIN, 'former')
  host.dup2(next, fd)
  const haunted = one.add(fd, EPOLLIN, 'next')
  const found = other.add(fd, EPOLLIN, 'next')
  host.dup2(former, fd)
  t.equal(found.verify(), 'replaced')
  t.equal(haunted.state, 'stale')
  t.strictSame([...delivered(one), ...delivered(other)], [])
})

test('closed in one, a list says nothing to the other', (t) => {
  const { fds, next, fd, one, other } = setUp()
  using _ = fds
  using _other = other
  one.add(fd, EPOLLIN, 'former')
  one.close()
  host.dup2(next, fd)
  other.add(fd, EPOLLIN, 'next')
  t.strictSame(delivered(other), ['next'])
})
