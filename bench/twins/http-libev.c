/* The HTTP server of http.c on libev. */
#define _GNU_SOURCE
#include <ev.h>
#include <stdlib.h>

#include "http.h"

static void on_readable(struct ev_loop *loop, ev_io *connection, int events) {
  (void)events;
  if (answer(connection->fd)) return;
  ev_io_stop(loop, connection);
  close(connection->fd);
  free(connection);
}

static void on_connection(struct ev_loop *loop, ev_io *listener, int events) {
  (void)events;
  for (int fd; (fd = accept_one(listener->fd)) >= 0;) {
    ev_io *connection = malloc(sizeof *connection);
    die_unless(connection != NULL);
    ev_io_init(connection, on_readable, fd, EV_READ);
    ev_io_start(loop, connection);
  }
}

static void on_stdin(struct ev_loop *loop, ev_io *input, int events) {
  (void)input, (void)events;
  ev_break(loop, EVBREAK_ALL);
}

int main(void) {
  struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
  ev_io listener, input;
  die_unless(loop != NULL);
  ev_io_init(&listener, on_connection, listen_anywhere(), EV_READ);
  ev_io_init(&input, on_stdin, STDIN_FILENO, EV_READ);
  ev_io_start(loop, &listener);
  ev_io_start(loop, &input);
  ev_run(loop, 0);
}
