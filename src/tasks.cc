#include "tasks.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace genpoll {

namespace {

bool ReadFile(pid_t tid, const char* name, char* text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, name);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = read(fd, text, size - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = '\0';
  return true;
}

// The value of a line like "\nSigBlk:\t0000000000000200".
uint64_t MaskIn(const char* status, const char* label) {
  const char* line = strstr(status, label);
  return line == nullptr ? 0 : strtoull(line + strlen(label), nullptr, 16);
}

}  // namespace

bool ReadTask(pid_t tid, Task* task) {
  char text[4096];
  if (!ReadFile(tid, "stat", text, sizeof text)) return false;
  const char* field = strrchr(text, ')');  // the name before it may hold anything
  if (field == nullptr || field[2] == 'Z' || field[2] == 'X') return false;
  for (int i = 0; field != nullptr && i < 20; i++) field = strchr(field + 1, ' ');
  if (field == nullptr) return false;
  task->tid = tid;
  task->start = strtoull(field + 1, nullptr, 10);
  if (!ReadFile(tid, "status", text, sizeof text)) return false;
  task->blocked = MaskIn(text, "\nSigBlk:\t");
  task->pending = MaskIn(text, "\nSigPnd:\t");
  return true;
}

uint64_t TicksSinceBoot() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  const uint64_t per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return now.tv_sec * per_second + now.tv_nsec * per_second / 1000000000;
}

}  // namespace genpoll
