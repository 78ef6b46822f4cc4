#ifndef GENPOLL_ADDON_H_
#define GENPOLL_ADDON_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "interest_list.h"
#include "napi.h"

namespace genpoll {

// The register file that JavaScript and C++ share (types/binding.d.ts): 32-bit words 0 to 7, then
// 64-bit words 0 to 3 in the same memory.
constexpr size_t kRegisters = 8;
constexpr size_t kWideRegisters = 4;
constexpr size_t kRegisterBytes = kRegisters * sizeof(int32_t) + kWideRegisters * sizeof(uint64_t);
// Behind them, bytes for a socket's address: as text, or as the kernel's `sockaddr`.
constexpr size_t kAddressBytes = 128;
constexpr int kSignals = 64;

// Memory of a typed array that lib/binding.ts keeps alive and re-announces when it changes.
struct Pinned {
  uint8_t* data = nullptr;
  size_t length = 0;
};

// Everything that one environment (the main thread or a worker) owns. There is one for each load of
// the addon; the descriptor table and the signal counts are the only things the process shares.
struct State {
  explicit State(napi_env env);

  napi_env env;
  uint32_t id;                   // names this environment as an owner in the descriptor table
  int32_t* registers = nullptr;  // backing store of `binding.registers`
  uint64_t* wide = nullptr;      // of `binding.wideRegisters`
  uint8_t* address = nullptr;    // and of `binding.address`
  Pinned events;                 // where waits put their triples
  Pinned buffer;                 // where reads put their bytes
  Pinned source;                 // where writes find theirs
  Pinned unpacked;               // scratch where epoll_event is not 12 bytes; data is malloc'ed
  bool owns_next = false;        // what is opened next is owned at once
  int owned_limit = 0;           // one more than the highest descriptor ever owned here
  std::vector<interest::List*> lists;        // by the number of the epoll that was opened here
  uint32_t signal_users[kSignals + 1] = {};  // SignalFds of this environment, by signal
  bool is_main_thread;
};

// Where a typed array or a DataView has its bytes; nowhere for anything else.
Pinned MemoryOf(napi_env env, napi_value view);

// The descriptor of the environment's Node loop, or -1.
int BackendFd(const State& state);

// The result of a system call that makes a descriptor, which the table knows: owned if it is to be.
int32_t Keep(State& state, int32_t rc);
// Makes an environment the owner of a number; false if all its generations have been used.
bool Own(State& state, const fd_table::Lock& lock, int fd);

// Closes a descriptor that was taken over at generation `since`, out of every interest list first.
// 0 or -errno: -EBADF also if the number turns out to name another file, which is left open; 1 if
// it is closed already.
int32_t CloseOwned(int32_t fd, uint32_t since);

}  // namespace genpoll

#endif  // GENPOLL_ADDON_H_
