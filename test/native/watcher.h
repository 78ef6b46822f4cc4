#ifndef GENPOLL_TEST_NATIVE_WATCHER_H_
#define GENPOLL_TEST_NATIVE_WATCHER_H_

#include <map>
#include <random>

#include "../../src/interest_list.h"
#include "owned.h"

// A thread of the test: its interest list, and what it has put there, as lib/interest-list.ts keeps
// it.
class Watcher {
 public:
  Watcher(unsigned seed, int index);
  ~Watcher();

  // Something at random.
  void Turn();

  // These while all threads stand still.

  // Takes the kernel's word for numbers that were closed behind the table's back.
  void Settle();
  // Deletes what nobody is registered for any more: by itself, or if that can't be, with a rebuild.
  void Evict();
  // Whether the table has what the kernel has.
  void Compare() const;

 private:
  struct Watch {
    uint32_t generation;
    uint32_t events;
  };

  int Below(int limit) { return static_cast<int>(random_() % limit); }
  uint32_t Mask();
  std::atomic<Owned>& Place() { return places[Below(kPlaces)]; }
  Owned Make();
  Owned Target();

  void OpenList();
  void CloseList();
  void Exchange();
  void Replace();
  void Add();
  void ModifyOrRemove(bool is_modify);
  void Rebuild();
  uint32_t Learn(int fd);

  std::mt19937 random_;
  const int index_;
  Owned epoll_;
  genpoll::interest::List* list_;
  std::map<int, Watch> watched_;
};

#endif  // GENPOLL_TEST_NATIVE_WATCHER_H_
