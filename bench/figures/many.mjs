// As many registrations as a process may hold: what each costs, and that a wait doesn't see them.
import { compare, startNode, startTwin, summary, takeTurns } from '../measure.mjs'
import { extent, MANY } from '../settings.mjs'

const WARM = extent(10, 20, 20)
const TURNS = extent(7, 21, 35)
const WAIT_TURNS = extent(15, 21, 45)
const WAITS = extent(20_000, 50_000, 50_000)

const count = MANY.toLocaleString('en')

export async function many() {
  const c = startTwin('many')
  await c.run('setup', MANY)
  const figures = []
  for (const [kind, whose] of [
    ['owned', 'owned'],
    ['foreign', 'plain numbers'],
  ]) {
    const library = startNode('many')
    await library.run(kind, MANY)
    figures.push(...(await churn(library, c, whose)))
    if (kind === 'owned') figures.push(await wait(library))
    figures.push(await heap(library, whose))
    library.stop()
  }
  c.stop()
  return { figures }
}

/** Adding all and removing all, one by one and at once. */
async function churn(library, c, whose) {
  const turns = {}
  for (const name of ['churnEach', 'churnAll']) {
    await library.run(name, WARM) // compiled and warm
    turns[name] = await takeTurns(
      `${count} ${whose}, ${name}`,
      TURNS,
      () => library.run(name, 1),
      () => c.run('churn', 1),
    )
  }
  const figure = (what, pairs, part) => ({
    work: `${what} of ${count}, ${whose}, each`,
    besides: 'C',
    ...compare(pairs.map(({ ours, beside }) => ({ ours: ours[part], beside: beside[part] }))),
    unit: '',
    goal: 1.35,
  })
  return [
    figure('`add`', turns.churnEach, 0),
    figure('`addAll`', turns.churnAll, 0),
    figure('`remove`', [...turns.churnEach, ...turns.churnAll], 1),
  ]
}

async function wait(library) {
  await library.run('prepareWaits')
  for (const name of ['waitAmongFew', 'waitAmongMany']) await library.run(name, WAITS)
  const pairs = await takeTurns(
    `a wait among ${count}`,
    WAIT_TURNS,
    () => library.run('waitAmongMany', WAITS),
    () => library.run('waitAmongFew', WAITS),
  )
  const work = `eventfd ping-pong: one active among ${count}`
  return { work, besides: 'among 10', ...compare(pairs), unit: '', goal: 1.05 }
}

async function heap(library, whose) {
  const bytes = []
  for (let i = 0; i < 5; i++) bytes.push(await library.run('heap'))
  const work = `heap that a registration takes, ${whose}`
  return { work, ...summary(bytes), unit: 'B', goal: 128 }
}
