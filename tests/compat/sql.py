"""Databases: transactions that stay open over all moves, over the wire and without a client library."""

from __future__ import annotations

import struct
import time

from tests.compat.clients import PATIENCE_SECONDS, Lost, Stream, same


class Postgres:
    """A transaction with a temporary table that stays open over all moves, and autocommit beside it."""

    def __init__(self, address: str) -> None:
        self._open, self._other = self._connect(address), self._connect(address)
        self._sql(self._other, "CREATE TABLE IF NOT EXISTS t (n int)")
        self._sql(self._open, "BEGIN; INSERT INTO t VALUES (-1); CREATE TEMP TABLE mine AS SELECT 42 AS n")
        self._asked = 0

    def _connect(self, address: str) -> Stream:
        """Tries again while the server starts."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            stream = Stream(address, 5432)
            body = struct.pack(">I", 196608) + b"user\0postgres\0database\0postgres\0\0"
            stream.send(struct.pack(">I", len(body) + 4) + body)
            try:
                self._rows(stream)
                return stream
            except Lost:
                stream.close()
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def _sql(self, stream: Stream, text: str) -> list[str]:
        body = text.encode() + b"\0"
        stream.send(b"Q" + struct.pack(">I", len(body) + 4) + body)
        return self._rows(stream)

    def _rows(self, stream: Stream) -> list[str]:
        """The first column of each row, until the server is ready."""
        rows = []
        while True:
            kind, size = struct.unpack(">cI", stream.exactly(5))
            body = stream.exactly(size - 4)
            if kind == b"E":
                raise Lost(body.replace(b"\0", b" ").decode(errors="replace"))
            if kind == b"D":
                (length,) = struct.unpack(">i", body[2:6])
                rows.append(body[6 : 6 + length].decode())
            if kind == b"Z":
                return rows

    def ask(self) -> int:
        self._sql(self._other, f"INSERT INTO t VALUES ({self._asked})")
        self._asked += 1
        count = self._sql(self._other, "SELECT count(*) FROM t")
        same("committed rows", count, [str(self._asked)])
        same(
            "rows seen by the open transaction", self._sql(self._open, "SELECT count(*) FROM t WHERE n < 0"), ["1"]
        )
        same("its temporary table", self._sql(self._open, "SELECT n FROM mine"), ["42"])
        return self._asked

    def close(self) -> None:
        self._sql(self._open, "COMMIT")
        same("rows after the commit", self._sql(self._other, "SELECT count(*) FROM t"), [str(self._asked + 1)])
        self._open.close()
        self._other.close()


class Mysql:
    """Like `Postgres`, for MariaDB without authentication."""

    def __init__(self, address: str) -> None:
        self._open, self._other = self._connect(address), self._connect(address)
        self._sql(self._other, "CREATE TABLE test.t (n int) ENGINE=InnoDB")
        self._sql(self._open, "BEGIN")
        self._sql(self._open, "INSERT INTO test.t VALUES (-1)")
        self._asked = 0

    def _connect(self, address: str) -> Stream:
        stream = Stream(address, 3306)
        self._packet(stream)
        capabilities = 0x200 | 0x8000 | 0x80000  # 4.1 protocol, secure connection, plugin authentication
        body = struct.pack("<IIB23x", capabilities, 1 << 24, 33) + b"root\0\0mysql_native_password\0"
        stream.send(struct.pack("<I", len(body) | 1 << 24) + body)
        answer = self._packet(stream)
        if answer[0] == 0xFE:  # it asks for another way: an empty answer is as good for it
            stream.send(struct.pack("<I", 3 << 24))
            answer = self._packet(stream)
        same("the greeting", answer[0], 0)
        return stream

    def _packet(self, stream: Stream) -> bytes:
        (head,) = struct.unpack("<I", stream.exactly(4))
        body = stream.exactly(head & 0xFFFFFF)
        if body[:1] == b"\xff":
            raise Lost(body[3:].decode(errors="replace"))
        return body

    def _sql(self, stream: Stream, text: str) -> list[str]:
        """The first column of each row."""
        body = b"\x03" + text.encode()
        stream.send(struct.pack("<I", len(body)) + body)
        if self._packet(stream)[0] == 0:
            return []
        rows = []
        while self._packet(stream)[0] != 0xFE:
            pass
        while (row := self._packet(stream))[0] != 0xFE:
            rows.append(row[1 : 1 + row[0]].decode())
        return rows

    def ask(self) -> int:
        self._sql(self._other, f"INSERT INTO test.t VALUES ({self._asked})")
        self._asked += 1
        same("committed rows", self._sql(self._other, "SELECT count(*) FROM test.t"), [str(self._asked)])
        same("the open row", self._sql(self._open, "SELECT count(*) FROM test.t WHERE n < 0"), ["1"])
        return self._asked

    def close(self) -> None:
        self._sql(self._open, "COMMIT")
        count = self._sql(self._other, "SELECT count(*) FROM test.t")
        same("rows after the commit", count, [str(self._asked + 1)])
        self._open.close()
        self._other.close()
