// The few results of native calls that are more than an error to throw.

export const EPERM = -1
export const ENOENT = -2
export const EBADF = -9
export const EAGAIN = -11
export const EEXIST = -17
export const EINVAL = -22
export const ENFILE = -23
export const EMFILE = -24
export const ENOSYS = -38
export const ELOOP = -40
export const EOPNOTSUPP = -95
