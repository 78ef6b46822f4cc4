// A datagram from port 0, which anybody may send who may make datagrams by hand: nothing can be sent there.

import { Datagram, DatagramBatch } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'
import { Kept, soon } from './fixtures/net.js'

const SOCK_RAW = 3
const IPPROTO_UDP = 17
const HEADER_BYTES = 8

/** Why no datagram can be made by hand. */
function noRawSockets(): string | false {
  try {
    sys.close(sys.socket(sys.AF_INET, SOCK_RAW | sys.SOCK_CLOEXEC, IPPROTO_UDP))
    return false
  } catch (error) {
    return `no raw socket can be had: ${(error as Error).message}`
  }
}

const skip = noRawSockets()

/** Sends a datagram with port 0 as where it comes from. */
function sendFromNowhere(to: Datagram, text: string): void {
  using fds = new Descriptors()
  const raw = fds.own(sys.socket(sys.AF_INET, SOCK_RAW | sys.SOCK_CLOEXEC, IPPROTO_UDP))
  const { address, port } = to.address() as { address: string; port: number }
  const header = new DataView(new ArrayBuffer(HEADER_BYTES))
  header.setUint16(2, port)
  header.setUint16(4, HEADER_BYTES + text.length)
  sys.sendmsg(raw, { buffers: [header, Buffer.from(text)], address: { address, port: 0 } }, 0)
}

/** A batch of three that came to a socket, of which the second can't be answered. */
function scene(kept: Kept) {
  const server = kept.one(Datagram.udp())
  const client = kept.one(Datagram.udp())
  client.send(Buffer.from('first'), server.address())
  sendFromNowhere(server, 'second')
  client.send(Buffer.from('third'), server.address())
  const batch = new DatagramBatch()
  const count = soon(server.fd, () => server.recvBatch(batch))
  return { server, client, batch, count }
}

test(
  'it comes as any other, from port 0',
  (t) => {
    using kept = new Kept()
    const { batch, count } = scene(kept)
    t.equal(count, 3)
    t.equal(`${batch.message(1)}`, 'second')
    t.same(batch.address(1), { family: 'IPv4', address: '127.0.0.1', port: 0 })
  },
  { skip },
)

test(
  'it can’t be answered, and after it the rest is',
  (t) => {
    using kept = new Kept()
    const { server, client, batch } = scene(kept)
    t.equal(server.sendBatch(batch), 1)
    t.throws(() => server.sendBatch(batch, 1), { ...errno('EINVAL', 'sendmmsg'), fd: server.fd })
    t.equal(server.sendBatch(batch, 2), 1)
    const answers = new DatagramBatch()
    t.equal(
      soon(client.fd, () => client.recvBatch(answers)),
      2,
    )
    t.same(
      [0, 1].map((i) => `${answers.message(i)}`),
      ['first', 'third'],
    )
  },
  { skip },
)

test(
  'send says the same',
  (t) => {
    using kept = new Kept()
    const { server, batch } = scene(kept)
    const answer = () => server.send(batch.message(1), batch.address(1))
    t.throws(answer, errno('EINVAL', 'sendmsg'))
  },
  { skip },
)
