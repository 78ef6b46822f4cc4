import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { test } from './fixtures/check.js'

const ADDON = new URL('../build/Release/genpoll.node', import.meta.url)
const CONTRACT = fileURLToPath(new URL('../types/binding.d.ts', import.meta.url))

/** The members of `Binding`, with `'function'` or the name of the class or type that they are of. */
function contract(): Record<string, string> {
  const program = ts.createProgram([CONTRACT], { types: ['node'], skipLibCheck: true })
  const checker = program.getTypeChecker()
  const declaration = program
    .getSourceFile(CONTRACT)!
    .statements.filter(ts.isInterfaceDeclaration)
    .find(({ name }) => name.text === 'Binding')!
  const members = checker.getTypeAtLocation(declaration).getProperties()
  return Object.fromEntries(
    members.map((member) => {
      const type = checker.getTypeOfSymbolAtLocation(member, declaration)
      const isFunction = type.getCallSignatures().length > 0
      return [member.name, isFunction ? 'function' : checker.typeToString(type).replace(/<.*/, '')]
    }),
  )
}

function kindOf(value: unknown): string {
  return typeof value === 'object' ? value!.constructor.name : typeof value
}

test('the addon exports what types/binding.d.ts says, and nothing else', (t) => {
  const addon = createRequire(import.meta.url)(fileURLToPath(ADDON)) as Record<string, unknown>
  const exported = Object.entries(addon).map(([name, value]) => [name, kindOf(value)] as const)
  t.ok(exported.length > 40)
  t.strictSame(
    Object.fromEntries(exported.sort()),
    Object.fromEntries(Object.entries(contract()).sort()),
  )
})
