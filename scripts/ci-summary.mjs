// Prints `N passed, N failed` for the TAP in a file, and exits with 1 if a test failed or none ran.
// What is counted is the named tests in the test files: TAP's first level is the files, the second
// their tests.
import { readFileSync } from 'node:fs'

const [, , report] = process.argv
const counts = { passed: 0, failed: 0, skipped: 0 }
let failedInFile = 0

for (const line of readFileSync(report, 'utf8').split('\n')) {
  const point = /^( {4})?(not )?ok\b(.*)$/.exec(line)
  if (!point) continue
  const [, nested, not, description] = point
  const skipped = /\s# SKIP\b/i.test(description)
  const failed = not !== undefined && !/\s# TODO\b/i.test(description)
  if (nested) {
    counts[skipped ? 'skipped' : failed ? 'failed' : 'passed']++
    if (failed) failedInFile++
  } else {
    // A file that crashed or hung can fail without any of its tests having done so.
    if (failed && failedInFile === 0) counts.failed++
    failedInFile = 0
  }
}

const { passed, failed, skipped } = counts
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
