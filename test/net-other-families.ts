// Sockets that are neither IP nor unix work as well; their addresses have no text here.

import { Datagram } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'
import { soon } from './fixtures/net.js'

const AF_NETLINK = 16
const FLAGS = sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK
/** A nlmsghdr: length, type, flags, sequence, port. */
const HEADER_BYTES = 16
const NLMSG_NOOP = 1
const NLMSG_ERROR = 2
const NLM_F_REQUEST_AND_ACK = 5
const SEQUENCE = 77

/** Asks the kernel, which only acknowledges. */
function ask(fd: number): void {
  const request = new DataView(new ArrayBuffer(HEADER_BYTES))
  request.setUint32(0, HEADER_BYTES, true)
  request.setUint16(4, NLMSG_NOOP, true)
  request.setUint16(6, NLM_F_REQUEST_AND_ACK, true)
  request.setUint32(8, SEQUENCE, true)
  sys.write(fd, request)
}

function netlink(): number {
  return sys.socket(AF_NETLINK, sys.SOCK_DGRAM | FLAGS, 0)
}

function whyNot(): string | false {
  try {
    sys.close(netlink())
    return false
  } catch (error) {
    return `no netlink here: ${(error as Error).message}`
  }
}

const skip = whyNot()

test(
  'sys.recvmsg: the message, and null for where it came from',
  (t) => {
    using fds = new Descriptors()
    const fd = fds.own(netlink())
    ask(fd)
    const answer = Buffer.alloc(256)
    const message = soon(fd, () => sys.recvmsg(fd, [answer], 0))
    t.match(message, { flags: 0, fds: [], others: 0, address: null })
    t.equal(message.bytes, answer.readUInt32LE(0))
    t.same([answer.readUInt16LE(4), answer.readUInt32LE(8)], [NLMSG_ERROR, SEQUENCE])
  },
  { skip },
)

test(
  'Datagram.recv: the same',
  (t) => {
    using socket = Datagram.adopt(netlink())
    ask(socket.fd)
    const received = soon(socket.fd, () => socket.recv(Buffer.alloc(256)))
    t.match(received, { isTruncated: false, address: null })
    t.ok(received.count > HEADER_BYTES)
  },
  { skip },
)

test(
  'the peer’s address can’t be told',
  (t) => {
    using fds = new Descriptors()
    const fd = fds.own(netlink())
    t.throws(() => sys.getpeername(fd), errno('EAFNOSUPPORT', 'getpeername'))
  },
  { skip },
)
