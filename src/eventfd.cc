#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "fd_table.h"
#include "syscalls.h"

namespace genpoll {

// Reading and writing the counter: ReadU64 and WriteU64.
int32_t Eventfd(State&, int32_t initval, int32_t flags) {
  return fd_table::Opened(syscall(SYS_eventfd2, static_cast<unsigned>(initval), flags));
}

}  // namespace genpoll
