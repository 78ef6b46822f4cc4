import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as genpoll from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'

/** The constants of a module: everything that is spelt as the kernel does it. */
function constantsOf(module: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(module).filter(([name]) => /^[A-Z][A-Z0-9_]+$/.test(name)),
  )
}

const constants = constantsOf(sys)
const names = Object.keys(constants)

// PIDFD_NONBLOCK comes from <linux/pidfd.h>, which is younger than the rest and clashes with
// <fcntl.h> in some releases; the kernel defines it as O_NONBLOCK.
const HEADERS = ['sys/epoll.h', 'sys/eventfd.h', 'sys/timerfd.h', 'sys/signalfd.h', 'sys/socket.h']
  .concat(['netinet/in.h', 'netinet/tcp.h', 'fcntl.h', 'signal.h', 'time.h'])
  .concat(['linux/kcmp.h', 'stdio.h'])
  .map((header) => `#include <${header}>`)

const ENUMERATED = /^(EPOLL|EFD|TFD|SFD|SOCK|KCMP|MSG|SHUT|IPPROTO)_?/

/** The values in the system's headers; a macro that they are too old for is left out. */
function valuesInHeaders(): Record<string, number> {
  const prints = names.map((name) => {
    const print = `printf("%s %d\\n", "${name}", (int)${name});`
    return ENUMERATED.test(name) ? print : `#ifdef ${name}\n${print}\n#endif`
  })
  const folder = mkdtempSync(join(tmpdir(), 'genpoll-constants-'))
  try {
    const source = join(folder, 'constants.c')
    const lines = ['#define _GNU_SOURCE', ...HEADERS, '#ifndef PIDFD_NONBLOCK']
    lines.push('#define PIDFD_NONBLOCK O_NONBLOCK', '#endif', 'int main(void) {')
    writeFileSync(source, [...lines, ...prints, 'return 0; }', ''].join('\n'))
    execFileSync(process.env.CC ?? 'cc', ['-o', join(folder, 'constants'), source])
    const output = execFileSync(join(folder, 'constants'), { encoding: 'utf8' })
    const pairs = output
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string])
    return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('every constant has the value of the system headers', (t) => {
  const expected = valuesInHeaders()
  for (const [name, value] of Object.entries(expected)) t.equal(constants[name], value, name)
  const missing = names.filter((name) => !(name in expected))
  t.comment(`not in these headers: ${missing.join(', ') || 'none'}`)
  t.ok(missing.length <= 3, 'the headers know nearly all of them')
})

test('the names of sockets are among them', (t) => {
  for (const prefix of ['AF', 'IP', 'IPPROTO', 'IPV6', 'MSG', 'SHUT', 'SO', 'SOCK', 'TCP']) {
    t.ok(
      names.some((name) => name.startsWith(`${prefix}_`)),
      prefix,
    )
  }
})

test('genpoll and genpoll/sys export the same constants', (t) => {
  t.ok(names.length > 50)
  t.same(constantsOf(genpoll), constants)
})
