// The few results of native calls that are more than an error to throw.

export const EPERM = -1
export const ENOENT = -2
export const EBADF = -9
export const EAGAIN = -11
export const ENOMEM = -12
export const EEXIST = -17
export const EINVAL = -22
export const ENFILE = -23
export const EMFILE = -24
export const ENOSYS = -38
export const ELOOP = -40
export const EPROTO = -71
export const ENONET = -64
export const EMSGSIZE = -90
export const EPROTOTYPE = -91
export const ENOPROTOOPT = -92
export const EOPNOTSUPP = -95
export const EAFNOSUPPORT = -97
export const ENETDOWN = -100
export const ENETUNREACH = -101
export const ECONNABORTED = -103
export const ENOBUFS = -105
export const EHOSTDOWN = -112
export const EHOSTUNREACH = -113
export const EINPROGRESS = -115
