#include "witness.h"

#include <algorithm>

#include "interest_list.h"

namespace genpoll::interest {

namespace {

void Close(Witness* witness) {
  if (witness->epfd >= 0) Syscall(SYS_close, witness->epfd);
  witness->epfd = -1;
}

}  // namespace

int Attest(Entry* entry, int fd) {
  List* list = entry->list;
  internal::Hold hold(list);
  if (list->epfd < 0) return 0;
  auto& witnesses = list->witnesses;
  const auto found = std::find_if(witnesses.begin(), witnesses.end(), [&](const Witness* witness) {
    return witness->begun == list->begun && witness->numbers.count(fd) == 0;
  });
  Witness* witness = found == witnesses.end() ? nullptr : *found;
  if (witness == nullptr) {
    const int epfd = Syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
    if (epfd < 0) return epfd;
    witness = new Witness{epfd, list->begun, 0, {}};
    witnesses.push_back(witness);
  }
  const int rc = ControlEpoll(witness->epfd, EPOLL_CTL_ADD, fd, 0, 0);
  witness->numbers.insert(fd);
  witness->size++;
  entry->witness = witness;
  // Any other error: the number was closed or recycled in between, and will be found so.
  return rc == -ENOMEM || rc == -ENOSPC ? rc : 0;
}

void Dismiss(Entry* entry, int fd) {
  Witness* witness = entry->witness;
  if (witness == nullptr) return;
  entry->witness = nullptr;
  List* list = entry->list;
  internal::Hold hold(list);
  if (--witness->size > 0) {
    const bool is_open = witness->epfd >= 0;
    // Else it stays there, under a number that names another file now.
    if (is_open && ControlEpoll(witness->epfd, EPOLL_CTL_DEL, fd, 0, 0) == 0 &&
        !entry->is_several) {
      witness->numbers.erase(fd);
    }
    return;
  }
  Close(witness);
  auto& witnesses = list->witnesses;
  witnesses.erase(std::remove(witnesses.begin(), witnesses.end(), witness), witnesses.end());
  delete witness;
}

void Retire(List* list, int begun) {
  auto& witnesses = list->witnesses;
  const auto kept =
      std::partition(witnesses.begin(), witnesses.end(),
                     [begun](const Witness* witness) { return witness->begun >= begun; });
  std::for_each(kept, witnesses.end(), Close);
  witnesses.erase(kept, witnesses.end());
}

}  // namespace genpoll::interest
