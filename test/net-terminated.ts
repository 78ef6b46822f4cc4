// worker.terminate() in the midst of a call that takes many buffers: it is done with all of them, or not
// at all, and never with others.

import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { Descriptors } from './fixtures/kernel.js'
import { Kept } from './fixtures/net.js'
import { randomFrom, seed } from './fixtures/random.js'

const WORKERS = 30
/** IOV_MAX: the longer a call looks at its buffers, the likelier it is ended there. */
const MOST = 1024
const script = new URL('fixtures/children/sends-numbers.mjs', import.meta.url)

/** The first number that isn't one more than the one before; -1 if there is none. */
function firstWrong(bytes: Buffer, start = 0): number {
  const numbers = new Uint32Array(new Uint8Array(bytes).buffer)
  return numbers.findIndex((number, i) => number !== start + i)
}

test(`writev, sendmsg and recvmsg (GENPOLL_SEED=${seed})`, async (t) => {
  const random = randomFrom(seed)
  using kept = new Kept()
  const folder = kept.folder()
  let rounds = 0
  for (let i = 0; i < WORKERS; i++) {
    using fds = new Descriptors()
    const packets = fds.pair(sys.SOCK_SEQPACKET)
    const paths = [`${folder}/${i}`, `${folder}/${i}-wrong`] as const
    const [file, wrong] = paths.map((path) => openSync(path, 'a')) as [number, number]
    const workerData = { file, wrong, packets, most: MOST }
    const worker = new Worker(script, { workerData, execArgv: [] })
    await once(worker, 'message')
    await sleep(random() * 10)
    t.equal(await worker.terminate(), 1)
    for (const fd of [file, wrong]) closeSync(fd)
    t.equal(readFileSync(paths[1], 'utf8'), '', 'no call has failed')
    const written = readFileSync(paths[0])
    t.equal(written.length % (4 * MOST), 0, 'whole rounds')
    t.equal(firstWrong(written), -1, 'of the right numbers')
    rounds += written.length / (4 * MOST)
    // A packet that was sent, and not received any more.
    const packet = Buffer.alloc(4 * MOST + 1)
    const count = sys.read(packets[1], packet)
    if (count === null) continue
    t.equal(count, 4 * MOST)
    t.equal(firstWrong(packet.subarray(0, count), packet.readUInt32LE(0)), -1)
  }
  t.ok(rounds > 0, `${rounds} rounds`)
})
