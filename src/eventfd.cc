
#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

// Reading and writing the counter: ReadU64 and WriteU64.
int32_t Eventfd(State&, int32_t initval, int32_t flags) {
  return fd_table::Opened(Syscall(SYS_eventfd2, static_cast<unsigned>(initval), flags));
}

}  // namespace

const Export kEventfdExports[] = {
    {"eventfd", Call<Eventfd>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
