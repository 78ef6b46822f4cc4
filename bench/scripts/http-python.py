"""The HTTP server of http-genpoll.mjs on Python's select.epoll."""

import select
import socket
import sys

RESPONSE = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/plain\r\n"
    b"Content-Length: 13\r\n"
    b"Connection: keep-alive\r\n"
    b"\r\n"
    b"Hello, world\n"
)

buffer = bytearray(65536)
connections = {}
epoll = select.epoll()
listener = socket.create_server(("127.0.0.1", 0), backlog=511)


def accept():
    connection, _ = listener.accept()
    connection.setblocking(False)
    connections[connection.fileno()] = connection
    epoll.register(connection, select.EPOLLIN)


def answer(fd):
    connection = connections[fd]
    try:
        length = connection.recv_into(buffer)
        for _ in range(buffer.count(b"\r\n\r\n", 0, length)):
            connection.send(RESPONSE)
    except OSError:
        length = 0
    if length == 0:
        connections.pop(fd).close()


epoll.register(listener, select.EPOLLIN)
epoll.register(sys.stdin, select.EPOLLIN)
print(listener.getsockname()[1], flush=True)
while True:
    for fd, _ in epoll.poll(maxevents=256):
        if fd == sys.stdin.fileno():
            sys.exit()
        elif fd == listener.fileno():
            accept()
        else:
            answer(fd)
