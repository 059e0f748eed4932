"""The protocols of message and job queues."""

from __future__ import annotations

from tests.compat.clients import Stream, same


class Nats:
    """A subscriber, one more in a queue group, and a publisher."""

    def __init__(self, address: str) -> None:
        self._subscriber, self._queue, self._publisher = (self._connect(address) for _ in range(3))
        self._subscriber.send(b"SUB news 1\r\nPING\r\n")
        self._queue.send(b"SUB news workers 2\r\nPING\r\n")
        for stream in (self._subscriber, self._queue):
            same("the subscription", self._line(stream), "PONG")
        self._asked = 0

    def ask(self) -> int:
        self._asked += 1
        text = str(self._asked)
        self._publisher.send(f"PUB news {len(text)}\r\n{text}\r\n".encode())
        for stream, number in ((self._subscriber, 1), (self._queue, 2)):
            same("the news", self._line(stream), f"MSG news {number} {len(text)}")
            same("what it says", stream.line(), text)
        return self._asked

    def close(self) -> None:
        for stream in (self._subscriber, self._queue, self._publisher):
            stream.close()

    def _connect(self, address: str) -> Stream:
        stream = Stream(address, 4222)
        same("the greeting", stream.line().split()[0], "INFO")
        stream.send(b'CONNECT {"verbose":false}\r\nPING\r\n')
        same("the answer", self._line(stream), "PONG")
        return stream

    def _line(self, stream: Stream) -> str:
        """The server asks now and then whether somebody is there."""
        while (line := stream.line()) == "PING":
            stream.send(b"PONG\r\n")
        return line


class Beanstalkd:
    """Jobs that are put and taken; one stays reserved over moves."""

    def __init__(self, address: str) -> None:
        self._holder, self._worker = Stream(address, 11300), Stream(address, 11300)
        self._put(self._holder, "held")
        self._held = self._take(self._holder, "held")
        self._asked = 0

    def ask(self) -> int:
        self._asked += 1
        self._put(self._worker, str(self._asked))
        number = self._take(self._worker, str(self._asked))
        same("its end", self._do(self._worker, f"delete {number}"), "DELETED")
        return self._asked

    def close(self) -> None:
        same("the job that was reserved", self._do(self._holder, f"touch {self._held}"), "TOUCHED")
        for stream in (self._holder, self._worker):
            stream.close()

    def _put(self, stream: Stream, text: str) -> None:
        same("a new job", self._do(stream, f"put 0 0 6000 {len(text)}\r\n{text}").split()[0], "INSERTED")

    def _take(self, stream: Stream, text: str) -> str:
        kind, number, _ = self._do(stream, "reserve").split()
        same("a job", kind, "RESERVED")
        same("what it says", stream.line(), text)
        return number

    def _do(self, stream: Stream, text: str) -> str:
        stream.send(f"{text}\r\n".encode())
        return stream.line()
