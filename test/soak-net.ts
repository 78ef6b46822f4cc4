// A short run of scripts/soak-net.mjs. GENPOLL_SEED repeats it, as far as two threads can be repeated.

import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { run } from './fixtures/cli.js'
import { seed } from './fixtures/random.js'

const SCRIPT = fileURLToPath(new URL('../scripts/soak-net.mjs', import.meta.url))
const SECONDS = 5

/** What every run comes to do. */
const DONE = [
  ...['closed by the connector', 'closed by the acceptor', 'refused', 'dropped while connecting'],
  ...['half-closed by the connector', 'half-closed by the acceptor', 'killed'],
  ...['reset by the connector', 'reset by the acceptor', 'ended without a word'],
  ...['closed by the connector, data unread', 'closed by the acceptor, data unread'],
  ...['taken up again', 'handed over', 'sent', 'taken over', 'accepted', 'events', 'messages'],
]

const soak = (...args: string[]) => run(process.execPath, [SCRIPT, ...args])

test(`${SECONDS} s of connections that end in all ways (GENPOLL_SEED=${seed})`, async (t) => {
  const args = ['--seconds', `${SECONDS}`, '--seed', `${seed >>> 1}`]
  const { status, stdout, stderr } = await soak(...args)
  t.equal(stderr, '')
  t.equal(status, 0, stdout)
  const { isClean, connections, counts } = JSON.parse(stdout)
  t.equal(isClean, true)
  t.ok(connections >= 1000, `${connections} connections`)
  for (const what of DONE) t.ok(counts[what] > 0, what)
})

test('the soak of connections ends when there were enough', async (t) => {
  const { status, stdout } = await soak('--connections', '500')
  t.equal(status, 0, stdout)
  t.match(JSON.parse(stdout), { connections: 500, isClean: true, leaked: [], unfinished: [] })
})

test('the soak of connections explains itself', async (t) => {
  const { status, stdout } = await soak('--help')
  t.equal(status, 0)
  for (const option of ['--connections', '--seconds', '--seed']) t.match(stdout, option)
  const refused = await soak('--seconds', 'soon')
  t.equal(refused.status, 2)
  t.match(refused.stderr, /--seconds/)
})
