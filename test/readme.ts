import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(`${root}README.md`, 'utf8')

test('the first example of the README is complete by line 30 and does what it says', (t) => {
  const [, code] = /^```js\n([\s\S]*?)^```$/m.exec(readme)!
  const end = readme.slice(0, readme.indexOf(code!) + code!.length).split('\n').length
  t.ok(end <= 30, `ends in line ${end}`)

  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', code!], {
    cwd: root,
    encoding: 'utf8',
  })
  t.equal(output, 'the timer fired 1 time\nthe bell was rung 3 times\n')
})
