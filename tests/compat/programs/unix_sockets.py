"""Unix sockets in all states: unread data, waiting for accept, datagrams, descriptors in flight."""

import array
import os
import socket

from answers import serve

STREAM, DATAGRAM, PENDING = "/tmp/stream.sock", "/tmp/datagram.sock", "\0compat-pending"


def listen(name: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(name)
    server.listen(8)
    return server


server = listen(STREAM)
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
client.connect(STREAM)
accepted, _ = server.accept()
pending = listen(PENDING)
datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
datagrams.bind(DATAGRAM)
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
waiting = client
count = 0


def put() -> None:
    """Leave something unread in every queue, and a connection that nobody has accepted."""
    global waiting
    waiting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    waiting.connect(PENDING)
    client.sendall(b"%08d" % count)
    sender.sendto(b"%08d" % count, DATAGRAM)
    reader, writer = os.pipe()
    os.write(writer, b"%08d" % count)
    os.close(writer)
    left.sendmsg([b"%08d" % count], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader]))])
    os.close(reader)


def look() -> tuple[int, str]:
    global count
    want = b"%08d" % count
    if accepted.recv(8) != want or datagrams.recv(8) != want:
        return count, "what was in a queue is not there"
    arrived, _ = pending.accept()
    waiting.sendall(want)
    if arrived.recv(8) != want:
        return count, "a connection that waited for accept was lost"
    arrived.close()
    said, ancillary, _, _ = right.recvmsg(8, socket.CMSG_SPACE(4))
    if said != want or not ancillary:
        return count, "a descriptor in flight was lost"
    (descriptor,) = array.array("i", ancillary[0][2][:4])
    through = os.read(descriptor, 8)
    os.close(descriptor)
    if through != want:
        return count, "the pipe in flight is empty"
    count += 1
    put()
    return count, "ok"


put()
serve(look)
