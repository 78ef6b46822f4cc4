#include "owned.h"

#include "../../src/interest_list.h"
#include "../../src/syscall.h"

using namespace genpoll;
using fd_table::Lock;

Owned Own(int fd) {
  CHECK(fd >= 0 && fd < kNumbers, fd);
  Lock lock(fd);
  CHECK(lock.slot().owner == 0, fd);
  lock.slot().owner = 1;
  lock.slot().since = lock.generation();
  return {fd, lock.generation()};
}

uint32_t GenerationOf(Owned owned) {
  Lock lock(owned.fd);
  return IsOwned(lock, owned) ? lock.generation() : 0;
}

// In the order of src/fd.cc.
void Close(Owned owned) {
  {
    Lock lock(owned.fd);
    CHECK(IsOwned(lock, owned), owned.fd);
    const uint32_t generation = lock.generation();
    CHECK(interest::Leave(lock, owned.fd) == 0, owned.fd, generation);
    lock.Renew();
    CHECK(!lock.IsCurrent(generation), owned.fd, generation);
  }
  CHECK(Syscall(SYS_close, owned.fd) == 0, owned.fd);
  did.closed++;
}

void CloseBehind(Owned owned) {
  behind[owned.fd] = GenerationOf(owned);
  CHECK(Syscall(SYS_close, owned.fd) == 0, owned.fd);
  did.behind++;
}
