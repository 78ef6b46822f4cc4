// The programs in C.
import { execFileSync } from 'node:child_process'
import { here } from './settings.mjs'

/** Makes .build/NAME of twins/NAME.c. */
export function compile(twin, ...libraries) {
  const files = ['-o', here(`.build/${twin}`), here(`twins/${twin}.c`), here('twins/serve.c')]
  const options = ['-O2', '-Wall', '-pthread']
  execFileSync(process.env.CC ?? 'cc', [...options, ...files, ...libraries], { stdio: 'pipe' })
}
