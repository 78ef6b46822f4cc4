/* The UDP echo that a C programmer would write, as many datagrams at a time as have come. Twin of
 * scripts/udp-genpoll.mjs. Prints its port, and ends when its stdin does. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

enum { CAPACITY = 64, SIZE = 2048 };

static int epoll;
static char data[CAPACITY][SIZE];
static struct sockaddr_storage senders[CAPACITY];
static struct iovec vectors[CAPACITY];
static struct mmsghdr messages[CAPACITY];

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  die_unless(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static int open_anywhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  die_unless(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0);
  die_unless(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void echo(int fd) {
  for (int i = 0; i < CAPACITY; i++) {
    vectors[i] = (struct iovec){data[i], SIZE};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &senders[i],
                                          .msg_namelen = sizeof senders[i],
                                          .msg_iov = &vectors[i],
                                          .msg_iovlen = 1};
  }
  const int count = recvmmsg(fd, messages, CAPACITY, 0, NULL);
  for (int i = 0; i < count; i++) vectors[i].iov_len = messages[i].msg_len;
  /* What can't be sent now is lost, as datagrams may be. */
  for (int sent = 0, more = 1; sent < count && more > 0; sent += more) {
    more = sendmmsg(fd, &messages[sent], count - sent, 0);
  }
}

int main(void) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(STDIN_FILENO);
  watch(open_anywhere());
  for (;;) {
    struct epoll_event event;
    die_unless(epoll_wait(epoll, &event, 1, -1) == 1);
    if (event.data.fd == STDIN_FILENO) return 0;
    echo(event.data.fd);
  }
}
