/* The plain loops that a C programmer would write, as twins of bench/loop.mjs: for each line
 * "case iterations" on stdin, a line with the nanoseconds of processor time that one took. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { READY = 256 };

static uint64_t handled;

struct source {
  int fd;
  void (*handler)(struct source *, uint32_t events);
};

static void count(struct source *source, uint32_t events) {
  (void)source;
  handled += events;
}

static void take(struct source *source, uint32_t events) {
  uint64_t value;
  (void)events;
  if (read(source->fd, &value, sizeof value) != sizeof value) abort();
  handled += value;
}

static int make(int epoll, struct source *source, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = source};
  source->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (source->fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, source->fd, &event) < 0) abort();
  return source->fd;
}

static void ring(int fd) {
  uint64_t one = 1;
  if (write(fd, &one, sizeof one) != sizeof one) abort();
}

static void turn(int epoll) {
  struct epoll_event events[READY];
  int count = epoll_wait(epoll, events, READY, -1);
  if (count < 0) abort();
  for (int i = 0; i < count; i++) {
    struct source *source = events[i].data.ptr;
    source->handler(source, events[i].events);
  }
}

static void level(int epoll, long n) {
  struct source source = {.handler = take};
  int fd = make(epoll, &source, EPOLLIN);
  while (n-- > 0) {
    ring(fd);
    turn(epoll);
  }
  close(fd);
}

static void edge(int epoll, long n) {
  struct source source = {.handler = count};
  int fd = make(epoll, &source, EPOLLIN | EPOLLET);
  while (n-- > 0) {
    ring(fd);
    turn(epoll);
  }
  close(fd);
}

static void dispatch(int epoll, long n) {
  struct source sources[READY];
  for (int i = 0; i < READY; i++) {
    sources[i].handler = count;
    ring(make(epoll, &sources[i], EPOLLIN));
  }
  for (n /= READY; n > 0; n--) turn(epoll);
  for (int i = 0; i < READY; i++) close(sources[i].fd);
}

static double used(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(void) {
  char name[32];
  long n;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  while (scanf("%31s %ld", name, &n) == 2) {
    double start = used();
    if (strcmp(name, "level") == 0) level(epoll, n);
    if (strcmp(name, "edge") == 0) edge(epoll, n);
    if (strcmp(name, "dispatch") == 0) dispatch(epoll, n);
    printf("%f\n", (used() - start) / n);
    fflush(stdout);
  }
  return handled == 0;
}
