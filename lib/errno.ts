// The few results of native calls that are more than an error to throw.

export const ENOENT = -2
export const EBADF = -9
export const EAGAIN = -11
export const EEXIST = -17
