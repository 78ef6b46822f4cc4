import { binding } from './binding.js'

/** The system calls that an older kernel or a sandbox may lack, by their numbers everywhere. */
const OPTIONAL = { epoll_pwait2: 441, pidfd_open: 434 } as const

const known = new Map<number, boolean>()

/** Whether an optional system call can be used here. Asked once, when it is first wanted. */
export function isAvailable(call: keyof typeof OPTIONAL): boolean {
  const number = OPTIONAL[call]
  let available = known.get(number)
  if (available === undefined) {
    available = binding.probe(number) === 1
    known.set(number, available)
  }
  return available
}
