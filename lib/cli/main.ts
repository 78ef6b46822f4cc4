#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Failure, UsageError } from './failure.js'
import { help } from './help.js'

// Loaded when they are called for, as the errors are: help and the version need no native code.
const commands = {
  demo: async () => (await import('./demo.js')).demo,
  watch: async () => (await import('./watch.js')).watch,
}

async function run(name: string, args: string[]): Promise<void> {
  if (name === '-v' || name === '--version') return print(`${version()}\n`)
  if (['', '-h', '--help', 'help'].includes(name)) return print(help[''])
  if (!isCommand(name)) throw new UsageError(`no command ${name}; there are demo and watch`)
  if (args.includes('-h') || args.includes('--help')) return print(help[name])
  const command = await commands[name]()
  command(args)
}

function isCommand(name: string): name is keyof typeof commands {
  return Object.hasOwn(commands, name)
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

function print(text: string): void {
  // A reader that has gone away is no error.
  process.stdout.on('error', () => {}).write(text)
}

const [name = '', ...args] = process.argv.slice(2)
run(name, args).catch(async (error) => {
  const { ErrnoError, UnsupportedError } = await import('../errors.js')
  const isExpected = [Failure, ErrnoError, UnsupportedError].some((kind) => error instanceof kind)
  if (!isExpected) throw error
  const command = isCommand(name) ? `genpoll ${name}` : 'genpoll'
  const hint = error instanceof UsageError ? ` (see ${command} --help)` : ''
  console.error(`${command}: ${error.message}${hint}`)
  process.exitCode = error instanceof Failure ? error.status : 1
})
