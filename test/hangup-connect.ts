import { constants } from 'node:os'
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { Descriptors, wait } from './fixtures/kernel.js'
import { PATIENCE_MS } from './fixtures/poll.js'

const FLAGS = sys.SOCK_STREAM | sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK

test('C244 a connection that is refused: writable, in error and hung up; SO_ERROR tells why, once', (t) => {
  using fds = new Descriptors()
  const [silent, client] = [1, 2].map(() => fds.own(sys.socket(sys.AF_INET, FLAGS, 0)))
  // Bound and not listening, so that nobody else can get the port.
  sys.bind(silent!, { address: '127.0.0.1', port: 0 })
  t.equal(
    sys.connect(client!, sys.getsockname(silent!) as { address: string; port: number }),
    false,
  )
  const epfd = fds.epoll([client!, EPOLLIN | EPOLLOUT | EPOLLRDHUP])
  const all = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP
  t.same(wait(epfd, PATIENCE_MS), [[all, client]])
  const error = () => sys.getsockopt(client!, sys.SOL_SOCKET, sys.SO_ERROR)
  t.equal(error(), constants.errno.ECONNREFUSED)
  t.equal(error(), 0)
  t.same(wait(epfd), [[EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP, client]])
})
