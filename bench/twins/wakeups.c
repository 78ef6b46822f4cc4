/* Two threads ring each other in turn: how long that takes, by the clock. Twin of
 * scripts/wakeups.mjs. Prints nanoseconds. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "serve.h"

struct bell {
  int epoll, fd;
};

static struct bell to_first, to_second;
static double answered;

static void make(struct bell *bell) {
  struct epoll_event event = {.events = EPOLLIN};
  bell->fd = event.data.fd = make_eventfd(0);
  bell->epoll = epoll_create1(EPOLL_CLOEXEC);
  die_unless(epoll_ctl(bell->epoll, EPOLL_CTL_ADD, bell->fd, &event) == 0);
}

static void ring(const struct bell *bell) {
  uint64_t one = 1;
  die_unless(write(bell->fd, &one, sizeof one) == sizeof one);
}

/* Returns when it was woken. */
static double hear(const struct bell *bell) {
  struct epoll_event event;
  uint64_t value;
  die_unless(epoll_wait(bell->epoll, &event, 1, -1) == 1);
  const double heard = now();
  die_unless(read(event.data.fd, &value, sizeof value) == sizeof value);
  return heard;
}

static void *answer(void *unused) {
  for (;;) {
    hear(&to_second);
    answered = now();
    ring(&to_first);
  }
  return unused;
}

static void print_quantiles(const char *name, double *ns, long n) {
  qsort(ns, n, sizeof *ns, ascending);
  printf("\"%s\": {\"median\": %.0f, \"p99\": %.0f}", name, ns[n / 2], ns[n * 99 / 100]);
}

/* From the second thread's ring until the first is awake, and half of the way there and back. */
static void wake(long n) {
  double *way = calloc(n, sizeof *way), *half = calloc(n, sizeof *half);
  for (long i = 0; i < n; i++) {
    const double asked = now();
    ring(&to_second);
    const double heard = hear(&to_first);
    way[i] = heard - answered;
    half[i] = (heard - asked) / 2;
  }
  putchar('{');
  print_quantiles("way", way, n);
  printf(", ");
  print_quantiles("half", half, n);
  putchar('}');
  free(way);
  free(half);
}

int main(void) {
  const struct bench_case cases[] = {{"wake", wake}, {0}};
  pthread_t second;
  make(&to_first);
  make(&to_second);
  die_unless(pthread_create(&second, NULL, answer, NULL) == 0);
  serve(cases);
}
