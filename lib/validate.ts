/** What is wrong with an argument: `TypeError` with Node's code. */
export function invalidType(name: string, expected: string, received: unknown): TypeError {
  return withCode(
    new TypeError(`The "${name}" argument must be ${expected}. Received ${show(received)}`),
    'ERR_INVALID_ARG_TYPE',
  )
}

/** An argument of the right type and a wrong value: `RangeError` with Node's code. */
export function outOfRange(name: string, expected: string, received: unknown): RangeError {
  return withCode(
    new RangeError(
      `The value of "${name}" is out of range. It must be ${expected}. Received ${show(received)}`,
    ),
    'ERR_OUT_OF_RANGE',
  )
}

/** An argument of the right type that is none of the values it can be: `TypeError` with Node's code. */
export function invalidValue(name: string, expected: string, received: unknown): TypeError {
  return withCode(
    new TypeError(`The "${name}" argument must be ${expected}. Received ${show(received)}`),
    'ERR_INVALID_ARG_VALUE',
  )
}

export function withCode<E extends Error>(error: E, code: string): E {
  return Object.assign(error, { code })
}

function show(value: unknown): string {
  try {
    const { inspect } = process.getBuiltinModule('node:util')
    return inspect(value, {
      depth: 0,
      maxArrayLength: 3,
      maxStringLength: 60,
      breakLength: Infinity,
    })
  } catch {
    // A view whose memory was taken away, an object whose getters throw.
    return Object.prototype.toString.call(value)
  }
}

/** An integer of 32 bits with sign: descriptors, flags, operations of `sys`. */
export function int32(value: number, name: string): number {
  if (typeof value === 'number' && (value | 0) === value) return value
  throw notInteger(value, name, '>= -2147483648 && <= 2147483647')
}

/** An integer within bounds. */
export function integer(value: number, name: string, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw notInteger(value, name, `>= ${min} && <= ${max}`)
}

/** A mask of 32 bits, as JavaScript makes them: `EPOLLIN | EPOLLET` is negative. Returned as int32. */
export function mask32(value: number, name: string): number {
  if (typeof value === 'number' && (value | 0) === value) return value
  if (typeof value === 'number' && value >>> 0 === value) return value | 0
  throw notInteger(value, name, 'a mask of 32 bits (>= -2147483648 && <= 4294967295)')
}

/** Kept apart from the checks above, which are small enough to be inlined. */
function notInteger(value: unknown, name: string, range: string): Error {
  if (typeof value !== 'number') return invalidType(name, 'of type number', value)
  return outOfRange(name, Number.isInteger(value) ? range : `an integer, ${range}`, value)
}

const MAX_NS = 2n ** 63n - 1n

/** Nanoseconds: a bigint from `min` to 2^63 - 1. */
export function nanoseconds(value: bigint, name: string, min = 0n): bigint {
  if (typeof value !== 'bigint') throw invalidType(name, 'of type bigint', value)
  if (value < min || value > MAX_NS) throw outOfRange(name, `>= ${min}n && <= ${MAX_NS}n`, value)
  return value
}

/** The longest time in milliseconds that fits the kernel's 2^31 - 1 seconds: 68 years. */
const MAX_MS = (2 ** 31 - 1) * 1000

/** Milliseconds, fractions allowed. `min` -Infinity allows any negative number. */
export function milliseconds(value: number, name: string, min = 0, max = MAX_MS): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value)
  if (value >= min && value <= max && value !== -Infinity) return value
  throw outOfRange(name, min === 0 ? `>= 0 && <= ${max}` : `a finite number <= ${max}`, value)
}

/** An object of options or parameters. */
export function object<O extends object>(value: O, name = 'options'): O {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw invalidType(name, 'of type object', value)
}

/** A boolean option with a default. */
export function boolean(value: boolean | undefined, name: string, otherwise: boolean): boolean {
  if (value === undefined) return otherwise
  if (typeof value !== 'boolean') throw invalidType(name, 'of type boolean', value)
  return value
}

/** An option that is one of a few words. The first is the default. */
export function oneOf<Word extends string>(
  value: Word | undefined,
  name: string,
  words: readonly [Word, ...Word[]],
): Word {
  if (value === undefined) return words[0]
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value)
  if (!words.includes(value)) throw outOfRange(name, `one of '${words.join("', '")}'`, value)
  return value
}
