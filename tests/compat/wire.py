"""The protocols of other servers, as little of each as it takes to see that state survived."""

from __future__ import annotations

import os
import re
import select
import socket
import struct
import subprocess
import time
from pathlib import Path

from tests.compat.clients import PATIENCE_SECONDS, Lost, Stream, same


class Redis:
    """A counter, an open MULTI on a second connection, and a subscriber on a third."""

    def __init__(self, address: str) -> None:
        self._main, self._multi, self._subscriber = (Stream(address, 6379) for _ in range(3))
        self._value = os.urandom(64).hex()
        self._blob = os.urandom(1 << 19).hex()
        self._do(self._main, "SET", "blob", self._blob)
        self._do(self._main, "SET", "key", self._value)
        self._do(self._multi, "MULTI")
        same("MULTI", self._do(self._multi, "GET", "key"), "QUEUED")
        self._do(self._subscriber, "SUBSCRIBE", "news")
        self._asked = 0

    def ask(self) -> int:
        same("a key", self._do(self._main, "GET", "key"), self._value)
        count = int(str(self._do(self._main, "INCR", "count")))
        same("who listens", self._do(self._main, "PUBLISH", "news", str(count)), 1)
        same("news", self._reply(self._subscriber), ["message", "news", str(count)])
        self._asked += 1
        same("the count", count, self._asked)
        return count

    def close(self) -> None:
        same("a large value", self._do(self._main, "GET", "blob"), self._blob)
        same("the open transaction", self._do(self._multi, "EXEC"), [self._value])
        for stream in (self._main, self._multi, self._subscriber):
            stream.close()

    def _do(self, stream: Stream, *words: str) -> object:
        stream.send(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
        return self._reply(stream)

    def _reply(self, stream: Stream) -> object:
        line = stream.line()
        match line[0]:
            case "-":
                raise Lost(line)
            case ":":
                return int(line[1:])
            case "$":
                return stream.exactly(int(line[1:]) + 2)[:-2].decode() if line != "$-1" else None
            case "*":
                return [self._reply(stream) for _ in range(int(line[1:]))]
        return line[1:]


class Memcached:
    def __init__(self, address: str) -> None:
        self._stream = Stream(address, 11211)
        self._value = os.urandom(50_000).hex()
        self._do(f"set value 0 0 {len(self._value)}\r\n{self._value}")
        self._do("set count 0 0 1\r\n0")
        self._asked = 0

    def ask(self) -> int:
        self._asked += 1
        same("the count", int(self._do("incr count 1")), self._asked)
        if self._asked % 20 == 1:
            self._stream.send(b"get value\r\n")
            self._stream.line()
            same("a value", self._stream.line(), self._value)
            same("its end", self._stream.line(), "END")
        return self._asked

    def _do(self, text: str) -> str:
        self._stream.send(text.encode() + b"\r\n")
        return self._stream.line()

    def close(self) -> None:
        self._stream.close()


class Mosquitto:
    """A subscriber and a publisher; a retained message; messages kept for a session that is away."""

    def __init__(self, address: str) -> None:
        self._address = address
        away = self._connect("away", clean=False)
        self._subscribe(away, "away/#", 1)
        away.send(b"\xe0\x00")
        away.close()
        self._subscriber, self._publisher = self._connect("sub"), self._connect("pub")
        self._subscribe(self._subscriber, "news", 0)
        self._publish("kept", b"retained", retain=True)
        self._asked = 0

    def ask(self) -> int:
        self._asked += 1
        self._publish("news", b"%d" % self._asked)
        self._publish("away/count", b"%d" % self._asked, qos=1)
        same("the news", self._message(self._subscriber)[1], b"%d" % self._asked)
        return self._asked

    def close(self) -> None:
        self._subscribe(self._subscriber, "kept", 0)
        same("the retained message", self._message(self._subscriber)[1], b"retained")
        away = self._connect("away", clean=False)
        for number in range(1, min(self._asked, 20) + 1):
            same("a message for who was away", self._message(away, qos=1)[1], b"%d" % number)
        for stream in (away, self._subscriber, self._publisher):
            stream.close()

    def _connect(self, client: str, clean: bool = True) -> Stream:
        stream = Stream(self._address, 1883)
        body = b"\0\4MQTT\4" + (b"\2" if clean else b"\0") + b"\0\0" + _text(client)
        stream.send(b"\x10" + bytes([len(body)]) + body)
        same("the greeting", self._packet(stream)[0] >> 4, 2)
        return stream

    def _subscribe(self, stream: Stream, topic: str, qos: int) -> None:
        body = b"\0\1" + _text(topic) + bytes([qos])
        stream.send(b"\x82" + bytes([len(body)]) + body)
        same("the subscription", self._packet(stream)[0] >> 4, 9)

    def _publish(self, topic: str, content: bytes, *, retain: bool = False, qos: int = 0) -> None:
        body = _text(topic) + (b"\0\2" if qos else b"") + content
        self._publisher.send(bytes([0x30 | qos << 1 | retain, len(body)]) + body)
        if qos:
            same("the acknowledgement", self._packet(self._publisher)[0] >> 4, 4)

    def _message(self, stream: Stream, qos: int = 0) -> tuple[str, bytes]:
        head, body = self._packet(stream)
        same("a message", head >> 4, 3)
        size = struct.unpack(">H", body[:2])[0]
        if qos:
            stream.send(b"\x40\x02" + body[2 + size : 4 + size])
        return body[2 : 2 + size].decode(), body[2 + size + (2 if qos else 0) :]

    def _packet(self, stream: Stream) -> tuple[int, bytes]:
        head, size = stream.exactly(2)
        return head, stream.exactly(size)


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


_DIGITS = re.compile(rb"[0-9]+$")


class Dnsmasq:
    """UDP: asks for a name and for how often it was asked, which the server counts itself."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(0.3)
        self._socket.connect((address, 53))
        self._number = 0

    def ask(self) -> int:
        if self._query("name.compat", 1, 1)[-4:] != bytes([192, 0, 2, 7]):
            raise Lost("the name has another address")
        return int(_DIGITS.findall(self._query("hits.bind", 16, 3))[0])

    def _query(self, name: str, kind: int, of: int) -> bytes:
        """UDP may lose a question while nobody is there: it is asked again until patience ends."""
        self._number = (self._number + 1) % 65536
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        question = (
            struct.pack(">6H", self._number, 256, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, of)
        )
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            try:
                self._socket.send(question)
                answer = self._socket.recv(2048)
                if answer[:2] == question[:2]:
                    return answer
            except (TimeoutError, ConnectionRefusedError):
                continue
        raise TimeoutError

    def close(self) -> None:
        self._socket.close()


class Ssh:
    """A login shell over one SSH connection with a terminal, holding a variable that counts."""

    def __init__(self, address: str, key: Path) -> None:
        Stream(address, 22).close()
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        argv = ["ssh", "-tt", "-i", str(key), *(f"-o{option}" for option in options), f"root@{address}"]
        argv += ["bash", "--norc", "--noediting"]
        self._ssh = subprocess.Popen(argv, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send("stty -echo; PS1=; n=0")
        self._send("echo go $$")
        self._asked = 0
        while not (found := re.search(r"go (\d+)$", self._line())):
            pass
        self._shell = found[1]

    def ask(self) -> int:
        self._send("echo $((++n)) $$")
        self._asked += 1
        same("the shell's count and PID", self._line(), f"{self._asked} {self._shell}")
        return self._asked

    def _send(self, text: str) -> None:
        assert self._ssh.stdin is not None
        self._ssh.stdin.write(f"{text}\n".encode())
        self._ssh.stdin.flush()

    def _line(self) -> str:
        assert self._ssh.stdout is not None
        if not select.select([self._ssh.stdout], [], [], PATIENCE_SECONDS)[0]:
            raise TimeoutError
        line = self._ssh.stdout.readline()
        if not line:
            raise Lost("the SSH session has ended")
        return line.decode().strip()

    def close(self) -> None:
        self._ssh.kill()
        self._ssh.wait()
