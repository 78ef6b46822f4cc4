#include "serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

void serve(const struct bench_case *cases) {
  char name[32];
  long n;
  while (scanf("%31s %ld", name, &n) == 2) {
    const struct bench_case *found = cases;
    while (found->name != NULL && strcmp(found->name, name) != 0) found++;
    die_unless(found->name != NULL);
    found->run(n);
    putchar('\n');
    fflush(stdout);
  }
}

double used(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void print_load(double elapsed, double *ns, long n) {
  qsort(ns, n, sizeof *ns, ascending);
  printf("{\"ns\": %.0f, \"latencies\": [", elapsed);
  for (long i = 0; i < 1000; i++) printf(i > 0 ? ", %.0f" : "%.0f", ns[i * n / 1000]);
  printf("]}");
}

void raise_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void die(void) {
  perror("twin");
  abort();
}

int make_eventfd(uint64_t initial) {
  const int fd = eventfd(initial, EFD_NONBLOCK | EFD_CLOEXEC);
  die_unless(fd >= 0);
  return fd;
}
