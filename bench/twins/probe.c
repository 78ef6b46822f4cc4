/* What the kernel alone takes to say whether a number still names its file, in a process with
 * threads, as every Node is: each descriptor that is looked up costs more there. Prints nanoseconds
 * of processor time. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "serve.h"

enum { ASKED = 256 };

static int epoll;
static long count;
static int *fds;

static void *do_nothing(void *unused) {
  pause();
  return unused;
}

static void setup(long n) {
  pthread_t thread;
  raise_limit();
  die_unless(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
  count = n;
  fds = calloc(n, sizeof *fds);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (long i = 0; i < n; i++) {
    struct epoll_event event = {.events = EPOLLIN};
    fds[i] = make_eventfd(0);
    die_unless(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) == 0);
  }
  printf("null");
}

/* `n` times, of those that were added last. */
static void probe(long n) {
  const long asked = count < ASKED ? count : ASKED;
  const double start = used();
  for (long i = 0; i < n; i++) {
    struct epoll_event event = {.events = 0};
    const int rc = epoll_ctl(epoll, EPOLL_CTL_ADD, fds[count - 1 - i % asked], &event);
    die_unless(rc < 0 && errno == EEXIST);
  }
  printf("%f", (used() - start) / n);
}

int main(void) {
  const struct bench_case cases[] = {{"setup", setup}, {"probe", probe}, {0}};
  serve(cases);
}
