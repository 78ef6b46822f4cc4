/* Load for a server that sends datagrams back: 64 of them are under way at a time. Asked for so many,
 * it prints how long they took altogether and each, as JSON. Whatever takes ten seconds ends it. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

enum { UNDER_WAY = 64, SIZE = 64, TIMEOUT_S = 10 };

static int fd;
static char data[UNDER_WAY][SIZE];
static struct iovec vectors[UNDER_WAY];
static struct mmsghdr messages[UNDER_WAY];

static void connect_to(long port) {
  const struct timeval limit = {.tv_sec = TIMEOUT_S};
  struct sockaddr_in server = {
      .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(port)};
  fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  die_unless(fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof server) == 0);
  die_unless(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  for (int i = 0; i < UNDER_WAY; i++) {
    vectors[i] = (struct iovec){data[i], SIZE};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  printf("null");
}

/* Each carries when it was sent. */
static void ask(long count) {
  const double since = now();
  for (long i = 0; i < count; i++) memcpy(data[i], &since, sizeof since);
  die_unless(sendmmsg(fd, messages, count, 0) == count);
}

static int take(double *ns) {
  const int count = recvmmsg(fd, messages, UNDER_WAY, MSG_WAITFORONE, NULL);
  die_unless(count > 0);
  const double here = now();
  for (int i = 0; i < count; i++) {
    double since;
    die_unless(messages[i].msg_len == SIZE);
    memcpy(&since, data[i], sizeof since);
    ns[i] = here - since;
  }
  return count;
}

static long least(long a, long b) { return a < b ? a : b; }

static void run(long n) {
  double *ns = calloc(n, sizeof *ns);
  const double start = now();
  long asked = least(n, UNDER_WAY), taken = 0;
  ask(asked);
  while (taken < n) {
    const int count = take(&ns[taken]);
    taken += count;
    const long more = least(n - asked, count);
    if (more > 0) ask(more);
    asked += more;
  }
  print_load(now() - start, ns, n);
  free(ns);
}

int main(void) {
  const struct bench_case cases[] = {{"connect", connect_to}, {"run", run}, {0}};
  serve(cases);
}
