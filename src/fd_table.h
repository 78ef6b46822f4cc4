#ifndef GENPOLL_FD_TABLE_H_
#define GENPOLL_FD_TABLE_H_

#include <cstdint>

// Generations of descriptor numbers: one table for the whole process, because descriptor numbers
// are the process's. A generation changes whenever genpoll learns that a number means something
// else than before. 0 means "never seen" and is never a valid generation.

namespace genpoll::fd_table {

// The kernel's default ceiling (fs.nr_open). Numbers at or above it can be used through `sys`, but
// have no slot, so they can't be owned or registered.
constexpr int kSlots = 1 << 20;

// Maps the table on first use; false when there is no memory for it.
bool Init();

// kSlots words that live as long as the process. Written with atomics, read by JavaScript as plain
// aligned loads.
uint32_t* Generations();

// The number means something new from now on, and nobody owns it. Returns the new generation, or 0
// for a number without a slot.
uint32_t Bump(int fd);

// The result of a system call that makes a descriptor: a number that the kernel has just handed out
// means something new. Returns it as it is, -errno included.
int32_t Opened(int32_t rc);

// Marks the number as owned by an environment. 0, -EEXIST (owned already) or -EBADF (no slot).
int Own(int fd, uint32_t owner);
uint32_t Owner(int fd);

// Holds a slot's lock: whoever bumps the slot waits, so that a descriptor found current while it
// is held can't be closed by genpoll, nor its number recycled, until it is let go.
class Lock {
 public:
  explicit Lock(int fd);
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  bool IsCurrent(uint32_t generation) const;
  void Bump();

 private:
  int fd_;
};

}  // namespace genpoll::fd_table

#endif  // GENPOLL_FD_TABLE_H_
