import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'

const CASES = 477
const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(root + path, 'utf8')

/** The rows of the table: a case, the test file or a dash, and what it is about. */
const rows = [...read('docs/conformance.md').matchAll(/^\| (C\d{3}) \| (\S+) \| (.+) \|$/gm)].map(
  ([, id, file, about]) => ({ id: id!, file: file!, about: about! }),
)

/** Which file has a test named after which case. */
const tested = readdirSync(`${root}test`)
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) =>
    [...read(`test/${name}`).matchAll(/\btest\(\s*(['"`])((?:C\d{3} )+)/g)].flatMap(([, , ids]) =>
      ids!
        .trim()
        .split(' ')
        .map((id) => `${id} test/${name}`),
    ),
  )

test('the table has every case once, in order', (t) => {
  const expected = Array.from({ length: CASES }, (_, i) => `C${String(i + 1).padStart(3, '0')}`)
  t.same(
    rows.map(({ id }) => id),
    expected,
  )
})

test('each case that the table calls tested has its test there', (t) => {
  const claimed = rows.filter(({ file }) => file !== '–').map(({ id, file }) => `${id} ${file}`)
  t.same(
    claimed.filter((claim) => !tested.includes(claim)),
    [],
  )
})

test('each test that is named after a case is in the table', (t) => {
  const untold = tested.filter((name) => !rows.some(({ id, file }) => `${id} ${file}` === name))
  const elsewhere = untold.filter(
    (name) => !rows.some(({ id, file }) => file !== '–' && name.startsWith(id)),
  )
  t.same(elsewhere, [])
})
