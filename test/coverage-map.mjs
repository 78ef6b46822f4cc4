// What is measured: lib/, whichever test runs it; not the examples and scripts that some of them run.
import { readdirSync } from 'node:fs'

const files = readdirSync('lib', { recursive: true })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `lib/${name}`)

export default () => files
