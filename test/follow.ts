// Another file under a watched number, by a dup2(2) behind genpoll's back: `onReplaced` says what
// becomes of the registration.

import { openSync } from 'node:fs'
import { EPOLLET, EPOLLIN, EPOLLONESHOT, Epoll, fdTable, type StaleReport } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { pipe } from './fixtures/descriptors.js'
import { Descriptors, read, write } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'
import { PATIENCE_MS } from './fixtures/poll.js'
import { withReplaced } from './fixtures/replaced.js'

const TRIGGERS = { 'level-triggered': EPOLLIN, 'edge-triggered': EPOLLIN | EPOLLET }

for (const [name, mask] of Object.entries(TRIGGERS)) {
  test(`stale, ${name}: neither file is heard, and the old one’s event ends it`, (t) => {
    const reports: StaleReport[] = []
    const onStale = (report: StaleReport) => reports.push(report)
    withReplaced({ mask, onStale }, ({ epoll, fd, registration, former, old, fresh }) => {
      write(fresh, 'new')
      t.strictSame(delivered(epoll), [])
      t.equal(registration.state, 'active', 'nothing has told of it yet')
      write(old, 'old')
      t.strictSame(delivered(epoll), [])
      t.equal(registration.state, 'stale')
      t.equal(epoll.stats.stale, 1)
      t.match(reports, [
        { fd, generation: former, events: ['EPOLLIN'], cause: 'replaced', action: 'deleted' },
      ])
      t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'replaced' })
      write(fresh, 'more')
      t.strictSame(delivered(epoll), [])
      t.equal(read(fd), 'newmore')
      t.equal(epoll.size, 0)
      t.strictSame(epoll.audit().entries, [])
    })
  })

  test(`follow, ${name}: the old file’s event is dropped, the new one’s delivered`, (t) => {
    const options = { mask, onReplaced: 'follow' } as const
    withReplaced(options, ({ epoll, fd, registration, former, old, fresh }) => {
      write(old, 'old')
      t.strictSame(delivered(epoll), [], 'the new file isn’t ready')
      t.equal(epoll.stats.stale, 1)
      t.equal(registration.state, 'active')
      t.not(registration.generation, former)
      t.equal(registration.generation, fdTable.generation(fd))
      write(fresh, 'new')
      t.strictSame(delivered(epoll), ['data'])
      t.equal(read(fd), 'new')
      write(old, 'more')
      t.strictSame(delivered(epoll), [])
      t.strictSame(epoll.audit().counts, { live: 1, zombie: 0, lost: 0, replaced: 0 })
      t.equal(epoll.stats.stale, 1, 'the old entry is gone')
    })
  })

  test(`follow, ${name}: what the new file had before is delivered`, (t) => {
    withReplaced({ mask, onReplaced: 'follow' }, ({ epoll, fd, old, fresh }) => {
      write(fresh, 'new')
      write(old, 'old')
      t.strictSame(delivered(epoll, PATIENCE_MS), ['data'])
      t.equal(read(fd), 'new')
    })
  })
}

test('a handler that replaces the number of another event: the new file is delivered instead', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<number>()
  const numbers = [fds.eventfd(1), fds.eventfd(1)]
  for (const fd of numbers) {
    epoll.add(fd, EPOLLIN | EPOLLET, fd, { onReplaced: 'follow' })
    fds.own(sys.dup(fd))
  }
  const replacement = fds.eventfd(5)
  const seen: number[] = []
  epoll.wait(0, ({ fd }) => {
    if (seen.push(fd) === 1) host.dup2(replacement, numbers.find((number) => number !== fd)!)
  })
  t.equal(seen.length, 1)
  const other = numbers.find((fd) => fd !== seen[0])!
  t.strictSame(delivered(epoll), [other])
  t.equal(sys.eventfd_read(other), 5n)
})

test('the old file gone altogether: the kernel says nothing, verify finds it', (t) => {
  const options = { onReplaced: 'follow', isOldKept: false } as const
  withReplaced(options, ({ epoll, fd, registration, former, fresh }) => {
    write(fresh, 'new')
    t.strictSame(delivered(epoll), [])
    t.equal(registration.verify(), 'replaced')
    t.equal(registration.state, 'active')
    t.not(registration.generation, former)
    t.strictSame(delivered(epoll), ['data'])
    t.equal(read(fd), 'new')
    t.equal(registration.verify(), 'current')
  })
})

test('the old file gone altogether: a repairing audit finds it, another one only tells', (t) => {
  const options = { onReplaced: 'follow', isOldKept: false } as const
  withReplaced(options, ({ epoll, fd, registration, former, fresh }) => {
    write(fresh, 'new')
    const found = {
      entries: [{ fd, generation: former, events: EPOLLIN, status: 'lost' }],
      counts: { live: 0, zombie: 0, lost: 1, replaced: 0 },
    }
    t.strictSame(epoll.audit(), found)
    t.strictSame(delivered(epoll), [])
    t.strictSame(epoll.audit({ repair: true }), found)
    t.equal(registration.state, 'active')
    t.strictSame(delivered(epoll), ['data'])
    t.equal(read(fd), 'new')
    t.strictSame(epoll.audit().counts, { live: 1, zombie: 0, lost: 0, replaced: 0 })
  })
})

test('the old file gone altogether, without follow: verify and audit end the registration', (t) => {
  for (const find of ['verify', 'audit'] as const) {
    withReplaced({ isOldKept: false }, ({ epoll, registration, fresh }) => {
      write(fresh, 'new')
      if (find === 'verify') t.equal(registration.verify(), 'replaced')
      else t.equal(epoll.audit({ repair: true }).counts.lost, 1)
      t.equal(registration.state, 'stale')
      t.strictSame(delivered(epoll), [])
      t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'replaced' })
    })
  }
})

test('modify finds out too, and is for the new file', (t) => {
  withReplaced({ onReplaced: 'follow', mask: 0 }, ({ epoll, fd, registration, fresh }) => {
    write(fresh, 'new')
    registration.modify(EPOLLIN)
    t.strictSame(delivered(epoll), ['data'])
    t.equal(read(fd), 'new')
  })
})

test('a disarmed one-shot stays disarmed under the new file', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = fds.eventfd(1)
  const mask = EPOLLIN | EPOLLONESHOT
  const registration = epoll.add(fd, mask, 'data', { onReplaced: 'follow' })
  t.strictSame(delivered(epoll), ['data'])
  host.dup2(fds.eventfd(2), fd)
  t.equal(registration.verify(), 'replaced')
  t.equal(registration.state, 'disarmed')
  t.strictSame(delivered(epoll), [])
  registration.modify(mask)
  t.strictSame(delivered(epoll), ['data'])
  t.equal(sys.eventfd_read(fd), 2n)
})

for (const how of ['event', 'verify'] as const) {
  test(`two Epolls that follow one number find out by ${how}`, (t) => {
    using fds = new Descriptors()
    using first = new Epoll<string>()
    using second = new Epoll<string>()
    const [fd, old] = fds.pipe()
    const [reading, fresh] = fds.pipe()
    fds.own(sys.dup(fd))
    const registrations = [first, second].map((epoll, i) =>
      epoll.add(fd, EPOLLIN, `data ${i}`, { onReplaced: 'follow' }),
    )
    host.dup2(reading, fd)
    if (how === 'event') {
      write(old, 'old')
      t.strictSame([...delivered(first), ...delivered(second)], [])
    } else {
      for (const registration of registrations) registration.verify()
    }
    write(fresh, 'new')
    t.strictSame([...delivered(first), ...delivered(second)], ['data 0', 'data 1'])
    t.equal(read(fd), 'new')
    for (const { state, generation } of registrations) {
      t.equal(state, 'active')
      t.equal(generation, fdTable.generation(fd))
    }
  })
}

test('of two Epolls with one number, only that goes on which follows', (t) => {
  for (const order of [0, 1]) {
    using fds = new Descriptors()
    using stale = new Epoll<string>()
    using following = new Epoll<string>()
    const [fd, old] = fds.pipe()
    const [reading, fresh] = fds.pipe()
    fds.own(sys.dup(fd))
    const ended = stale.add(fd, EPOLLIN, 'stale')
    const registration = following.add(fd, EPOLLIN, 'following', { onReplaced: 'follow' })
    host.dup2(reading, fd)
    write(old, 'old')
    const epolls = order === 0 ? [stale, following] : [following, stale]
    t.strictSame(
      epolls.flatMap((epoll) => delivered(epoll)),
      [],
    )
    write(fresh, 'new')
    t.strictSame(
      epolls.flatMap((epoll) => delivered(epoll)),
      ['following'],
    )
    t.equal(ended.state, 'stale')
    t.equal(registration.state, 'active')
  }
})

test('a new file that can’t be polled ends it', (t) => {
  for (const how of ['verify', 'event'] as const) {
    withReplaced({ onReplaced: 'follow' }, ({ epoll, fds, fd, registration, old }) => {
      host.dup2(fds.own(openSync(process.execPath, 'r')), fd)
      if (how === 'verify') t.equal(registration.verify(), 'replaced')
      else {
        write(old, 'old')
        t.strictSame(delivered(epoll), [])
      }
      t.equal(registration.state, 'stale')
      t.equal(epoll.size, 0)
      t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'replaced' })
    })
  }
})

test('a number that is closed ends it', (t) => {
  for (const how of ['verify', 'event'] as const) {
    using fds = new Descriptors()
    using epoll = new Epoll<string>()
    const [keep, writing] = fds.pipe()
    const fd = sys.dup(keep)
    const registration = epoll.add(fd, EPOLLIN, 'data', { onReplaced: 'follow' })
    host.close(fd)
    if (how === 'verify') t.equal(registration.verify(), 'closed')
    else {
      write(writing, 'x')
      t.strictSame(delivered(epoll), [])
    }
    t.equal(registration.state, 'stale')
    t.equal(epoll.size, 0)
    t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'closed' })
    t.equal(registration.remove(), false)
  }
})

test('an Fd whose number follows is open, and reads the new file', (t) => {
  const [number, oldWriting] = pipe()
  const [reading, writing] = pipe()
  using kept = number.dup()
  using epoll = new Epoll<string>()
  epoll.add(number, EPOLLIN, 'data', { onReplaced: 'follow' })
  host.dup2(reading.fd, number.fd)
  oldWriting.write(Buffer.from('old'))
  writing.write(Buffer.from('new'))
  t.strictSame(delivered(epoll, PATIENCE_MS), ['data'])
  t.equal(number.closed, false)
  const buffer = Buffer.alloc(8)
  t.equal(number.read(buffer), 3)
  t.equal(buffer.toString('latin1', 0, 3), 'new')
  t.equal(kept.read(buffer), 3)
  const { fd } = number
  number.close()
  t.throws(() => sys.fcntl_getfd(fd), { code: 'EBADF' })
  for (const end of [oldWriting, reading, writing]) end.close()
})

test('one that went with a dup3 of genpoll’s, and was retired before anybody looked, goes on', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const [fd, next] = [fds.eventfd(), fds.eventfd(1)]
  const registration = epoll.add(fd, EPOLLIN, 'data', { onReplaced: 'follow' })
  sys.dup3(next, fd, sys.O_CLOEXEC)
  fdTable.retire(fd)
  t.equal(registration.state, 'active')
  t.equal(registration.generation, fdTable.generation(fd))
  t.strictSame(delivered(epoll), ['data'])
})
