/* What the HTTP servers in C have in common: one fixed answer, connections that are kept alive. */
#ifndef HTTP_H
#define HTTP_H

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

static const char response[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 13\r\n"
    "Connection: keep-alive\r\n"
    "\r\n"
    "Hello, world\n";

/* At a free port, which is printed. */
static int listen_anywhere(void) {
  enum { BACKLOG = 511 };
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  signal(SIGPIPE, SIG_IGN);
  raise_limit();
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  die_unless(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0);
  die_unless(listen(fd, BACKLOG) == 0);
  die_unless(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

/* The next connection, or -1. */
static int accept_one(int listener) {
  const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  die_unless(fd >= 0 || errno == EAGAIN || errno == ECONNABORTED);
  return fd;
}

/* How many request heads end in what was read. */
static int count_heads(const char *at, const char *end) {
  int heads = 0;
  while ((at = memmem(at, end - at, "\r\n\r\n", 4)) != NULL) {
    at += 4;
    heads++;
  }
  return heads;
}

/* Whether the connection goes on. */
static int answer(int fd) {
  static char buffer[65536];
  const ssize_t length = read(fd, buffer, sizeof buffer);
  if (length <= 0) return length < 0 && errno == EAGAIN;
  for (int heads = count_heads(buffer, buffer + length); heads > 0; heads--) {
    if (write(fd, response, sizeof response - 1) < (ssize_t)sizeof response - 1) return 0;
  }
  return 1;
}

#endif
