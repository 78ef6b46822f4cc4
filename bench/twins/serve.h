/* What the twins have in common: they are asked for a case on stdin, line by line, as the scripts
 * of genpoll are, and answer with a line of JSON. */
#ifndef SERVE_H
#define SERVE_H

#include <stdint.h>

struct bench_case {
  const char *name;
  void (*run)(long n); /* prints what it has measured, without the newline */
};

/* For each line "case n" on stdin. The last case has no name. */
void serve(const struct bench_case *cases);

/* Nanoseconds of processor time that the process has used. */
double used(void);

/* Nanoseconds by the clock. */
double now(void);

/* For qsort, of doubles. */
int ascending(const void *a, const void *b);

/* How long `n` requests took, altogether and each: the latter as a thousand quantiles. Sorts them. */
void print_load(double elapsed, double *ns, long n);

/* As many open files as may be. */
void raise_limit(void);

void die(void);
static inline void die_unless(int condition) {
  if (!condition) die();
}

int make_eventfd(uint64_t initial);

#endif
