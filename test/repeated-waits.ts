// What a second wait reports when nobody has read what the first one reported: of the bare call, and
// of an Epoll.

import { EPOLLET, EPOLLIN, Epoll } from 'genpoll'
import { test } from './fixtures/check.js'
import { byNumber, Descriptors, type Ready, read, wait, write } from './fixtures/kernel.js'
import { poll } from './fixtures/poll.js'

/** So many sockets that are readable. */
function readable(fds: Descriptors, count: number): number[] {
  return Array.from({ length: count }, () => {
    const [socket, peer] = fds.pair()
    write(peer, 'w')
    return socket
  })
}

/**
 * Watches descriptors, by an epoll and then by an Epoll.
 *
 * @param check Gets its number, and a wait for as many events as there are entries.
 */
function eachWay(
  fds: Descriptors,
  entries: [fd: number, events: number][],
  check: (next: () => Ready[], epfd: number) => void,
): void {
  const epfd = fds.epoll(...entries)
  check(() => byNumber(wait(epfd, 0, entries.length)), epfd)
  using epoll = new Epoll({ maxEvents: entries.length })
  for (const [fd, events] of entries) epoll.add(fd, events, undefined)
  const next = () => {
    const seen: Ready[] = []
    epoll.wait(0, ({ fd }, events) => seen.push([events, fd]))
    return byNumber(seen)
  }
  check(next, epoll.fd)
}

test('C170 C172 a level is reported as long as it lasts', (t) => {
  for (const count of [1, 2]) {
    using fds = new Descriptors()
    const entries = readable(fds, count).map((fd): [number, number] => [fd, EPOLLIN])
    const all = entries.map(([fd]): Ready => [EPOLLIN, fd])
    eachWay(fds, entries, (next) => {
      t.strictSame(next(), all)
      t.strictSame(next(), all)
    })
  }
})

test('C171 C173 an edge is reported once', (t) => {
  for (const count of [1, 2]) {
    using fds = new Descriptors()
    const entries = readable(fds, count).map((fd): [number, number] => [fd, EPOLLIN | EPOLLET])
    const all = entries.map(([fd]): Ready => [EPOLLIN, fd])
    eachWay(fds, entries, (next) => {
      t.strictSame(next(), all)
      t.strictSame(next(), [])
    })
  }
})

test('C175 C176 an epoll is itself readable as long as a level lasts', (t) => {
  for (const count of [1, 2]) {
    using fds = new Descriptors()
    const entries = readable(fds, count).map((fd): [number, number] => [fd, EPOLLIN])
    const all = entries.map(([fd]): Ready => [EPOLLIN, fd])
    eachWay(fds, entries, (next, epfd) => {
      for (let i = 0; i < 2; i++) {
        t.equal(poll(epfd), EPOLLIN)
        t.strictSame(next(), all)
      }
    })
  }
})

test('C177 a level is reported by both epolls that watch it, until it is read', (t) => {
  using fds = new Descriptors()
  const [socket, peer] = fds.pair()
  const ready: Ready[] = [[EPOLLIN, socket]]
  eachWay(fds, [[socket, EPOLLIN]], (first) => {
    eachWay(fds, [[socket, EPOLLIN]], (second) => {
      write(peer, 'first')
      t.strictSame(first(), ready)
      write(peer, 'second')
      t.strictSame(second(), ready)
      t.equal(read(socket), 'firstsecond')
      t.strictSame(first(), [])
      t.strictSame(second(), [])
    })
  })
})
