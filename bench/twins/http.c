/* The HTTP server that a C programmer would write on epoll. Twin of scripts/http-genpoll.mjs. Prints
 * its port, and ends when its stdin does. */
#define _GNU_SOURCE
#include "http.h"

#include <sys/epoll.h>

enum { READY = 256 };

static int epoll;

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  die_unless(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

int main(void) {
  epoll = epoll_create1(EPOLL_CLOEXEC);
  const int listener = listen_anywhere();
  watch(listener);
  watch(STDIN_FILENO);
  for (;;) {
    struct epoll_event events[READY];
    const int count = epoll_wait(epoll, events, READY, -1);
    die_unless(count >= 0);
    for (int i = 0; i < count; i++) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        for (int each; (each = accept_one(fd)) >= 0;) watch(each);
      } else if (fd == STDIN_FILENO) {
        return 0;
      } else if (!answer(fd)) {
        close(fd);
      }
    }
  }
}
