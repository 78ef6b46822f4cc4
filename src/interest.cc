// Interest lists for JavaScript: each is known by the number of its epoll.

#include "call.h"
#include "interest_list.h"

namespace genpoll {

namespace {

constexpr size_t kTriple = 3;

interest::List* ListOf(const State& state, int32_t epfd) {
  const auto index = static_cast<size_t>(epfd);
  return index < state.lists.size() ? state.lists[index] : nullptr;
}

// `call(list)` on an epoll that this environment has opened; lib/ names no other.
template <typename Operation>
int32_t On(const State& state, int32_t epfd, Operation operation) {
  interest::List* list = ListOf(state, epfd);
  return list == nullptr ? -EBADF : operation(list);
}

// The pinned buffer, if it has as many triples as were announced.
bool FindTriples(const State& state, int32_t count, int32_t** triples) {
  const size_t capacity = state.buffer.length / (kTriple * sizeof(int32_t));
  *triples = reinterpret_cast<int32_t*>(state.buffer.data);
  return count >= 0 && static_cast<size_t>(count) <= capacity;
}

int32_t InterestOpen(State& state, int32_t epfd, int32_t is_shared) {
  if (!fd_table::HasSlot(epfd)) return -EBADF;
  const auto index = static_cast<size_t>(epfd);
  if (index >= state.lists.size()) state.lists.resize(index + 1);
  // One that was closed since, by its number or by the collector.
  if (state.lists[index] != nullptr) interest::Release(state.lists[index]);
  state.lists[index] = interest::Open(epfd, is_shared != 0);
  return 0;
}

int32_t InterestAdd(State& state, int32_t epfd, int32_t fd, int32_t events, int32_t generation,
                    int32_t follows) {
  return On(state, epfd, [&](interest::List* list) {
    auto token = static_cast<uint32_t>(generation);
    uint32_t findings;
    const int rc = interest::Add(list, fd, events, follows != 0, &token, &findings);
    state.registers[1] = static_cast<int32_t>(token);
    state.registers[2] = static_cast<int32_t>(findings);
    return rc;
  });
}

int32_t InterestAddAll(State& state, int32_t epfd, int32_t count, int32_t follows) {
  int32_t* triples;
  if (!FindTriples(state, count, &triples)) return -EINVAL;
  return On(state, epfd, [&](interest::List* list) {
    int32_t added = 0;
    int rc = 0;
    uint32_t findings = 0;
    for (; added < count; added++) {
      int32_t* triple = triples + kTriple * added;
      auto token = static_cast<uint32_t>(triple[2]);
      rc = interest::Add(list, triple[1], triple[0], follows != 0, &token, &findings);
      if (rc != 0) break;
      triple[0] = static_cast<int32_t>(findings);
      triple[2] = static_cast<int32_t>(token);
    }
    state.registers[1] = added;
    state.registers[2] = static_cast<int32_t>(findings);
    for (int32_t i = 0; rc != 0 && i < added; i++) {
      interest::Remove(list, triples[kTriple * i + 1], triples[kTriple * i + 2]);
    }
    return rc;
  });
}

int32_t InterestModify(State& state, int32_t epfd, int32_t fd, int32_t generation, int32_t events) {
  return On(state, epfd,
            [&](interest::List* list) { return interest::Modify(list, fd, generation, events); });
}

int32_t InterestRemove(State& state, int32_t epfd, int32_t fd, int32_t generation) {
  return On(state, epfd,
            [&](interest::List* list) { return interest::Remove(list, fd, generation); });
}

int32_t InterestProbe(State& state, int32_t epfd, int32_t fd, int32_t generation) {
  return On(state, epfd,
            [&](interest::List* list) { return interest::Probe(list, fd, generation); });
}

int32_t InterestFollow(State& state, int32_t epfd, int32_t fd, int32_t generation, int32_t events) {
  return On(state, epfd, [&](interest::List* list) {
    auto token = static_cast<uint32_t>(generation);
    const int rc = interest::Follow(list, fd, events, &token);
    state.registers[1] = static_cast<int32_t>(token);
    return rc;
  });
}

int32_t InterestFind(State& state, int32_t epfd, int32_t fd) {
  return On(state, epfd, [&](interest::List* list) {
    bool is_live;
    bool follows;
    state.registers[1] = static_cast<int32_t>(interest::Find(list, fd, &is_live, &follows));
    state.registers[2] = follows;
    return is_live ? 1 : 0;
  });
}

int32_t InterestLose(State& state, int32_t epfd, int32_t fd, int32_t generation) {
  return On(state, epfd,
            [&](interest::List* list) { return interest::Lose(list, fd, generation); });
}

int32_t InterestDrop(State& state, int32_t epfd, int32_t fd, int32_t generation) {
  return On(state, epfd,
            [&](interest::List* list) { return interest::Drop(list, fd, generation); });
}

int32_t InterestEvict(State& state, int32_t epfd, int32_t fd, int32_t generation,
                      int32_t has_calls) {
  if (!fd_table::HasSlot(fd)) return 0;
  return On(state, epfd, [&](interest::List* list) {
    return interest::Evict(list, fd, generation, has_calls != 0);
  });
}

int32_t InterestRebuild(State& state, int32_t epfd, int32_t count, int32_t has_host) {
  int32_t* triples;
  if (!FindTriples(state, count, &triples)) return -EINVAL;
  return On(state, epfd, [&](interest::List* list) {
    bool is_made = false;
    const int host_fd = has_host ? BackendFd(state) : -1;
    const int rc = interest::Rebuild(list, triples, count, host_fd, &is_made);
    state.registers[1] = is_made;
    return rc;
  });
}

int32_t InterestBell(State& state, int32_t epfd, int32_t bell) {
  return On(state, epfd, [&](interest::List* list) {
    interest::SetBell(list, bell);
    return 0;
  });
}

int32_t InterestEnded(State& state, int32_t epfd) {
  return On(state, epfd, [](interest::List* list) { return interest::NextEnded(list); });
}

int32_t InterestSize(State& state, int32_t epfd) {
  return On(state, epfd, [&](interest::List* list) { return list->size.load(); });
}

}  // namespace

const Export kInterestExports[] = {
    {"interest_add", Call<InterestAdd>::ByRegisters},
    {"interest_modify", Call<InterestModify>::ByRegisters},
    {"interest_remove", Call<InterestRemove>::ByRegisters},
    {"interest_probe", Call<InterestProbe>::ByRegisters},
    {"interest_open", Call<InterestOpen>::ByArguments},
    {"interest_add_all", Call<InterestAddAll>::ByArguments},
    {"interest_follow", Call<InterestFollow>::ByArguments},
    {"interest_find", Call<InterestFind>::ByArguments},
    {"interest_lose", Call<InterestLose>::ByArguments},
    {"interest_drop", Call<InterestDrop>::ByArguments},
    {"interest_evict", Call<InterestEvict>::ByArguments},
    {"interest_rebuild", Call<InterestRebuild>::ByArguments},
    {"interest_bell", Call<InterestBell>::ByArguments},
    {"interest_ended", Call<InterestEnded>::ByArguments},
    {"interest_size", Call<InterestSize>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
