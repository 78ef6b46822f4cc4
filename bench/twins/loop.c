/* The plain loops that a C programmer would write, as twins of scripts/loop.mjs: each prints the
 * nanoseconds of processor time that one of `n` iterations took. */
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "serve.h"

enum { READY = 256 };

static int epoll;
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
  die_unless(read(source->fd, &value, sizeof value) == sizeof value);
  handled += value;
}

static int make(struct source *source, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = source};
  source->fd = make_eventfd(0);
  die_unless(epoll_ctl(epoll, EPOLL_CTL_ADD, source->fd, &event) == 0);
  return source->fd;
}

static void ring(int fd) {
  uint64_t one = 1;
  die_unless(write(fd, &one, sizeof one) == sizeof one);
}

static void turn(void) {
  struct epoll_event events[READY];
  int count = epoll_wait(epoll, events, READY, -1);
  die_unless(count >= 0);
  for (int i = 0; i < count; i++) {
    struct source *source = events[i].data.ptr;
    source->handler(source, events[i].events);
  }
}

static void level(long n) {
  struct source source = {.handler = take};
  const double start = used();
  int fd = make(&source, EPOLLIN);
  for (long i = 0; i < n; i++) {
    ring(fd);
    turn();
  }
  close(fd);
  printf("%f", (used() - start) / n);
}

static void dispatch(long n) {
  struct source sources[READY];
  const double start = used();
  for (int i = 0; i < READY; i++) {
    sources[i].handler = count;
    ring(make(&sources[i], EPOLLIN));
  }
  for (long i = 0; i < n; i += READY) turn();
  for (int i = 0; i < READY; i++) close(sources[i].fd);
  printf("%f", (used() - start) / n);
}

int main(void) {
  const struct bench_case cases[] = {{"level", level}, {"dispatch", dispatch}, {0}};
  epoll = epoll_create1(EPOLL_CLOEXEC);
  serve(cases);
  return handled == 0;
}
