/* Adding and removing many, and what a rebuild asks of the kernel: twin of scripts/many.mjs and
 * scripts/rebuild.mjs. Each prints nanoseconds of processor time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "serve.h"

struct source {
  int fd;
  void *data;
};

static int epoll;
static long count;
static struct source *sources;

static void add_all(int to) {
  for (long i = 0; i < count; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sources[i]};
    die_unless(epoll_ctl(to, EPOLL_CTL_ADD, sources[i].fd, &event) == 0);
  }
}

static void setup(long n) {
  raise_limit();
  count = n;
  sources = calloc(n, sizeof *sources);
  for (long i = 0; i < n; i++) sources[i].fd = make_eventfd(0);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  printf("null");
}

/* [adding one, removing one], `n` times over. */
static void churn(long n) {
  double adding = 0, removing = 0;
  for (long i = 0; i < n; i++) {
    const double start = used();
    add_all(epoll);
    const double middle = used();
    for (long j = 0; j < count; j++) {
      die_unless(epoll_ctl(epoll, EPOLL_CTL_DEL, sources[j].fd, NULL) == 0);
    }
    adding += middle - start;
    removing += used() - middle;
  }
  printf("[%f, %f]", adding / count / n, removing / count / n);
}

static void fill(long n) {
  (void)n;
  add_all(epoll);
  printf("null");
}

/* A new epoll in the place of the old, `n` times over. */
static void rebuild(long n) {
  const double start = used();
  for (long i = 0; i < n; i++) {
    const int next = epoll_create1(EPOLL_CLOEXEC);
    add_all(next);
    die_unless(dup3(next, epoll, O_CLOEXEC) == epoll);
    close(next);
  }
  printf("%f", (used() - start) / n);
}

int main(void) {
  const struct bench_case cases[] = {
      {"setup", setup}, {"churn", churn}, {"fill", fill}, {"rebuild", rebuild}, {0}};
  serve(cases);
}
