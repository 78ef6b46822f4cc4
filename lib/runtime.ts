/** Whether there is libuv beneath: Bun has the calls of Node-API, and panics at most of libuv's. */
export const hasLibuv = !('bun' in process.versions)
