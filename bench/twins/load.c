/* Load for a server on the loopback, from 64 connections with one request under way on each: asked
 * for so many requests, it prints how long they took altogether and each, as JSON. Whatever takes ten
 * seconds ends it. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

enum { BUSY = 64, TIMEOUT_MS = 10000 };

static const char request[] =
    "GET / HTTP/1.1\r\n"
    "Host: localhost\r\n"
    "Accept: text/plain\r\n"
    "\r\n";

static int epoll;
static struct sockaddr_in server = {.sin_family = AF_INET};
static struct {
  int fd;
  double since;
} busy[BUSY];

static int open_one(void) {
  const struct timeval limit = {.tv_sec = TIMEOUT_MS / 1000};
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  die_unless(fd >= 0);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  die_unless(connect(fd, (struct sockaddr *)&server, sizeof server) == 0);
  return fd;
}

static void connect_busy(long port) {
  raise_limit();
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.sin_port = htons(port);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < BUSY; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    busy[i].fd = open_one();
    die_unless(epoll_ctl(epoll, EPOLL_CTL_ADD, busy[i].fd, &event) == 0);
  }
  printf("null");
}

/* Connections that nothing is sent on. */
static void connect_idle(long n) {
  for (long i = 0; i < n; i++) open_one();
  printf("null");
}

static void ask(int i) {
  busy[i].since = now();
  die_unless(write(busy[i].fd, request, sizeof request - 1) == sizeof request - 1);
}

/* The answer comes in one piece: it is short. */
static double take(int i) {
  char answer[4096];
  const ssize_t length = read(busy[i].fd, answer, sizeof answer);
  die_unless(length > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0);
  return now() - busy[i].since;
}

static void run(long n) {
  double *ns = calloc(n, sizeof *ns);
  long asked = 0, taken = 0;
  const double start = now();
  while (asked < n && asked < BUSY) ask(asked++);
  while (taken < n) {
    struct epoll_event events[BUSY];
    const int count = epoll_wait(epoll, events, BUSY, TIMEOUT_MS);
    die_unless(count > 0);
    for (int i = 0; i < count; i++) {
      const int which = events[i].data.u32;
      ns[taken++] = take(which);
      if (asked++ < n) ask(which);
    }
  }
  print_load(now() - start, ns, n);
  free(ns);
}

int main(void) {
  const struct bench_case cases[] = {
      {"connect", connect_busy}, {"idle", connect_idle}, {"run", run}, {0}};
  serve(cases);
}
