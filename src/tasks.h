#ifndef GENPOLL_TASKS_H_
#define GENPOLL_TASKS_H_

#include <dirent.h>
#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

// The threads of this process, as /proc/self/task shows them.

namespace genpoll {

struct Task {
  pid_t tid;
  uint64_t start;    // in ticks since boot: tells it from a later thread with the same tid
  uint64_t blocked;  // its signal mask at this moment, signal n in bit n - 1
  uint64_t pending;  // what was sent to it alone and waits
};

// False for a thread that is gone or going.
bool ReadTask(pid_t tid, Task* task);

// Now, in the unit of Task::start.
uint64_t TicksSinceBoot();

// 0, or -errno when there is no /proc.
template <typename Visit>
int32_t ForEachTask(Visit visit) {
  DIR* directory = opendir("/proc/self/task");
  if (directory == nullptr) return -errno;
  while (const dirent* entry = readdir(directory)) {
    Task task;
    const pid_t tid = atoi(entry->d_name);
    if (tid > 0 && ReadTask(tid, &task)) visit(task);
  }
  closedir(directory);
  return 0;
}

}  // namespace genpoll

#endif  // GENPOLL_TASKS_H_
