#ifndef GENPOLL_FD_TABLE_H_
#define GENPOLL_FD_TABLE_H_

#include <atomic>
#include <cstdint>

// What descriptor numbers mean: one table for the whole process, because the numbers are the
// process's. Each number has a slot with a generation, which changes whenever genpoll learns that
// the number means something else than before. 0 means "never seen" and is never a valid
// generation.

namespace genpoll {

namespace interest {
struct Entry;
struct List;
}  // namespace interest

namespace fd_table {

// The kernel's default ceiling (fs.nr_open). Numbers at or above it can be used through `sys`, but
// have no slot, so they can't be owned or registered.
constexpr int kSlots = 1 << 20;
inline bool HasSlot(int fd) { return fd >= 0 && fd < kSlots; }

// Read and written under the slot's lock, but for `file`.
struct Slot {
  uint32_t owner;  // the environment that closes it, 0: none
  uint32_t since;  // the generation at which it was taken over; the owner knows itself by that
  // A counter that has run full begins again, and what it says can't be trusted without asking the
  // kernel: the number goes on counting here, and as "never seen" in the table.
  bool is_worn;
  uint32_t worn_generation;
  std::atomic<uint64_t> file;  // names the open file; a dup has the same
  interest::Entry* entries;    // the interest lists that the number is in
  interest::List* list;        // what the number is, if it is one itself
  interest::List* bell;        // which one is rung by it, if it is an eventfd for that
};

// Maps the table on first use; false when there is no memory for it.
bool Init();

// A process that was forked off without exec shares its parent's epolls: whatever it did to them
// would hit the parent. Nothing works there any more.
extern bool is_forked;

// kSlots words that live as long as the process. Written with atomics, read by JavaScript as plain
// aligned loads.
uint32_t* Generations();

// Holds a slot, which must exist: while a descriptor is found current under it, genpoll can neither
// close it nor let its number be recycled.
class Lock {
 public:
  explicit Lock(int fd);
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  Slot& slot() const;
  uint32_t generation() const;
  bool IsCurrent(uint32_t generation) const;
  // The number means something new from now on. Nobody owns it, unless its owner means it to.
  void Renew(bool keeps_owner = false);

 private:
  int fd_;
};

// As `Lock::Renew`; does nothing for a number without a slot.
void Renew(int fd);

// The result of a system call that makes a descriptor: a number that the kernel has just handed out
// means something new. Returns it as it is, -errno included.
int32_t Opened(int32_t rc);
// The same for a call that makes another number for the file of `original`.
int32_t Duplicated(int32_t rc, int original);

// Which open file a number names, as far as genpoll knows.
uint64_t FileOf(int fd);
// The number names a file that another one names too.
void SetFile(const Lock& lock, uint64_t file);
// The lowest number >= `from` that names an open file, as far as genpoll knows, or -1.
int NextOf(uint64_t file, int from);

}  // namespace fd_table

}  // namespace genpoll

#endif  // GENPOLL_FD_TABLE_H_
