// Addresses, from text to the kernel's form and back.

import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { Address, AddressLike } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'
import { abstractName, Kept, noIPv6, soon } from './fixtures/net.js'

const FLAGS = sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK
const AF_NETLINK = 16

/** The address that a socket has which is bound to this one. */
function bound(address: AddressLike, domain: number, type = sys.SOCK_STREAM): Address {
  using fds = new Descriptors()
  const fd = fds.own(sys.socket(domain, type | FLAGS, 0))
  sys.bind(fd, address)
  return sys.getsockname(fd)
}

test('IPv4', (t) => {
  for (const address of ['127.0.0.1', '127.255.255.254', '0.0.0.0']) {
    t.match(bound({ address, port: 0 }, sys.AF_INET), { family: 'IPv4', address, port: Number })
  }
})

test(
  'IPv6, in whichever spelling',
  (t) => {
    for (const [text, address] of [
      ['::1', '::1'],
      ['0:0:0:0:0:0:0:1', '::1'],
      ['::0001', '::1'],
      ['::', '::'],
      ['::ffff:127.0.0.1', '::ffff:127.0.0.1'],
      ['::ffff:7f00:1', '::ffff:127.0.0.1'],
    ] as const) {
      t.match(bound({ address: text, port: 0 }, sys.AF_INET6), { family: 'IPv6', address })
    }
  },
  { skip: noIPv6 },
)

test('a port is the one that was asked for, to the last', (t) => {
  using fds = new Descriptors()
  const fd = fds.own(sys.socket(sys.AF_INET, sys.SOCK_DGRAM | FLAGS, 0))
  for (const port of [1, 80, 256, 32768, 65535]) {
    sys.connect(fd, { address: '127.0.0.1', port })
    t.same(sys.getpeername(fd), { family: 'IPv4', address: '127.0.0.1', port })
  }
})

test(
  'a scope by the name of its interface, or by its number',
  (t) => {
    const expected = { family: 'IPv6', address: 'ff02::1%lo' }
    for (const address of ['ff02::1%lo', 'ff02::1%1', 'ff02::1%01']) {
      t.match(bound({ address, port: 0 }, sys.AF_INET6, sys.SOCK_DGRAM), expected)
    }
  },
  { skip: noIPv6 },
)

const linkLocal = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
  (addresses ?? [])
    .filter(({ address }) => address.startsWith('fe80:'))
    .map(({ address }) => `${address}%${name}`),
)[0]

test(
  'a link-local address of an interface',
  (t) => {
    const address = linkLocal!
    t.match(bound({ address, port: 0 }, sys.AF_INET6), { family: 'IPv6', address })
    t.throws(
      () => bound({ address: address.replace(/%.*/, ''), port: 0 }, sys.AF_INET6),
      errno('EINVAL', 'bind'),
    )
  },
  { skip: linkLocal === undefined && 'no interface has one' },
)

test('a scope that there is not', (t) => {
  const scopes = ['none', '0', '-1', '4294967296', '4294967297', '1x', 'x'.repeat(15), '1.0']
  for (const scope of scopes) {
    const address = { address: `ff02::1%${scope}`, port: 0 }
    const bind = () => bound(address, sys.AF_INET6, sys.SOCK_DGRAM)
    t.throws(bind, errno('ENODEV', 'bind'), scope)
  }
  const address = { address: `ff02::1%${'x'.repeat(500)}`, port: 0 }
  t.throws(() => bound(address, sys.AF_INET6), errno('ENAMETOOLONG', 'bind'))
})

test('what is no address', (t) => {
  const hosts = ['', 'localhost', '127.0.0', '127.0.0.256', '127.1', '0x7f000001', '127.0.0.01']
  hosts.push('127.0.0.1 ', '127.0.0.1\0', ':::', '1::2::3', '[::1]', '::1%', '127.0.0.1%lo', '/')
  const expected = { name: 'TypeError', code: 'ERR_INVALID_IP_ADDRESS' }
  for (const address of hosts) {
    t.throws(() => bound({ address, port: 0 }, sys.AF_INET), expected, address)
  }
})

test('a unix path', (t) => {
  using kept = new Kept()
  const folder = kept.folder()
  for (const name of ['socket', 'with space', 'λ → 漢字', "quote'"]) {
    const path = `${folder}/${name}`
    t.same(bound({ path }, sys.AF_UNIX), { path })
    t.ok(existsSync(path))
    t.throws(() => bound({ path }, sys.AF_UNIX), errno('EADDRINUSE', 'bind'), 'its file stays')
  }
})

test('a path has at most 108 bytes', (t) => {
  using kept = new Kept()
  const folder = kept.folder()
  const longest = `${folder}/`.padEnd(108, 'x')
  t.same(bound({ path: longest }, sys.AF_UNIX), { path: longest })
  for (const length of [109, 127, 128, 129, 4096]) {
    const path = longest.padEnd(length, 'x')
    t.throws(() => bound({ path }, sys.AF_UNIX), errno('ENAMETOOLONG', 'bind'), `${length}`)
  }
  const wide = `${folder}/`.padEnd(108, 'ä')
  t.throws(() => bound({ path: wide }, sys.AF_UNIX), errno('ENAMETOOLONG', 'bind'), 'bytes count')
})

test('a path with a NUL in it would name another file', (t) => {
  using kept = new Kept()
  const path = `${kept.folder()}/a`
  const expected = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }
  t.throws(() => bound({ path: `${path}\0b` }, sys.AF_UNIX), expected)
  t.notOk(existsSync(path))
})

test('an abstract name ends where it is told', (t) => {
  for (const path of [
    abstractName(),
    `${abstractName()} `,
    `${abstractName()}/λ`,
    '\0'.padEnd(108, 'x'),
  ]) {
    t.same(bound({ path }, sys.AF_UNIX), { path })
  }
  const tooLong = { path: '\0'.padEnd(109, 'x') }
  t.throws(() => bound(tooLong, sys.AF_UNIX), errno('ENAMETOOLONG', 'bind'))
})

test('the empty path lets the kernel find an abstract name', (t) => {
  const { path } = bound({ path: '' }, sys.AF_UNIX) as { path: string }
  t.match(path, /^\0[0-9a-f]{5}$/)
})

test('a unix socket without a name', (t) => {
  using fds = new Descriptors()
  const [a, b] = fds.pair()
  for (const fd of [a, b]) {
    t.same(sys.getsockname(fd), { path: '' })
    t.same(sys.getpeername(fd), { path: '' })
  }
})

test('the peers of a unix connection: the listener’s name, and none', (t) => {
  using fds = new Descriptors()
  const address = { path: abstractName() }
  const listener = fds.own(sys.socket(sys.AF_UNIX, sys.SOCK_STREAM | FLAGS, 0))
  sys.bind(listener, address)
  sys.listen(listener, 1)
  const client = fds.own(sys.socket(sys.AF_UNIX, sys.SOCK_STREAM | FLAGS, 0))
  sys.connect(client, address)
  const server = fds.own(soon(listener, () => sys.accept4(listener, FLAGS)))
  t.same(sys.getpeername(client), address)
  t.same(sys.getsockname(server), address)
  t.same(sys.getpeername(server), { path: '' })
})

test(
  'an address does not hold what a longer one has left',
  (t) => {
    using fds = new Descriptors()
    bound({ path: '\0'.padEnd(108, 'x') }, sys.AF_UNIX)
    t.match(bound({ address: '::1', port: 0 }, sys.AF_INET6), { address: '::1' })
    t.match(bound({ address: '127.0.0.1', port: 0 }, sys.AF_INET), { address: '127.0.0.1' })
    const [unnamed] = fds.pair()
    t.same(sys.getsockname(unnamed), { path: '' })
  },
  { skip: noIPv6 },
)

test('an address of another family is not taken for one of these', (t) => {
  using fds = new Descriptors()
  const fd = fds.own(sys.socket(AF_NETLINK, sys.SOCK_DGRAM | FLAGS, 0))
  t.throws(() => sys.getsockname(fd), errno('EAFNOSUPPORT', 'getsockname'))
})
