// Puts the modules that tsc has made of lib/ (in .build/) together in dist/: a file costs half a
// millisecond to import, and what modules share is a constant to V8 only inside one file.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

const isOfCommand = (id) => id.includes('/.build/cli/')
/** Beside what most programs import, which is one file. */
const isApart = (id) => isOfCommand(id) || id.includes('/.build/net/')

/** What `genpoll` itself does without, and `genpoll/sys` and `genpoll/net` share. */
const isOfSockets = (id) => /\/\.build\/(address|sys\/sockets)\.js$/.test(id)

/** A module with the source map that tsc made for it, so that stacks and coverage show lib/. */
const withSourceMap = {
  name: 'source-map',
  load: (id) => ({
    code: readFileSync(id, 'utf8'),
    map: readFileSync(`${id}.map`, 'utf8'),
  }),
}

export default {
  input: {
    index: '.build/index.js',
    'sys/index': '.build/sys/index.js',
    'net/index': '.build/net/index.js',
    'cli/main': '.build/cli/main.js',
    'cli/ringer': '.build/cli/ringer.js',
  },
  external: (id) => id.startsWith('node:') || id === 'flatqueue',
  plugins: [withSourceMap],
  output: {
    dir: 'dist',
    sourcemap: true,
    manualChunks(id) {
      if (isApart(id) || basename(id) === 'index.js') return undefined
      return isOfSockets(id) ? 'sockets' : 'core'
    },
    chunkFileNames: ({ moduleIds }) =>
      isOfCommand(moduleIds.at(-1)) ? 'cli/[name].js' : '[name].js',
  },
}
