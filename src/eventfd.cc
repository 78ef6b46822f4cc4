
#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

// Reading and writing the counter: ReadU64 and WriteU64.
int32_t Eventfd(State& state, int32_t initval, int32_t flags) {
  return Keep(state,
              fd_table::Opened(Syscall(SYS_eventfd2, static_cast<unsigned>(initval), flags)));
}

// Rings the bell of a list, in whichever thread: 1 if the number isn't one, or doesn't mean any
// more what it did at a generation. It can't be closed and recycled between the check and the
// writing.
int32_t EventfdWake(State&, int32_t fd, int32_t generation) {
  if (generation == 0 || !fd_table::HasSlot(fd)) return 1;
  fd_table::Lock lock(fd);
  if (lock.slot().bell == nullptr || !lock.IsCurrent(static_cast<uint32_t>(generation))) return 1;
  const uint64_t one = 1;
  const int32_t rc = Syscall(SYS_write, fd, &one, sizeof one);
  // A counter that is full has been rung.
  return rc < 0 && rc != -EAGAIN ? rc : 0;
}

}  // namespace

const Export kEventfdExports[] = {
    {"eventfd", Call<Eventfd>::ByArguments},
    {"eventfd_wake", Call<EventfdWake>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
