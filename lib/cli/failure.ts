/** What ends the command with one line on stderr, and with a status. */
export class Failure extends Error {
  readonly status: number

  constructor(message: string, status = 1) {
    super(message)
    this.status = status
  }
}

/** The command line is at fault: status 2. */
export class UsageError extends Failure {
  constructor(message: string) {
    super(message, 2)
  }
}

/** The command was told to end, or nobody reads what it prints any more. Not an error. */
export class Stopped extends Error {}

/** Throws an error on, unless it is one that is taken care of. */
export function rethrowUnless(isExpected: boolean, error: unknown): void {
  if (!isExpected) throw error
}
