"""The programs, each with what is attached to it and what must be the same after its moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compat import queues, sql, web, wire
from tests.compat.clients import Answers, Client
from tests.compat.inside import InotifyFile, Inside, Pipeline, Tmux

VOLUME = "/data"


@dataclass(frozen=True)
class Program:
    """One row of the table. A `client` stays attached over moves; an `inside` looks between them."""

    name: str
    survives: str
    """What is checked, in words."""
    command: Sequence[str]
    client: Callable[[str], Client] | None = Answers
    inside: type[Inside] | None = None
    container: dict[str, Any] = field(default_factory=dict)
    refused_by: str = ""
    """The rule that must refuse it."""
    put_back: str = ""
    """What the reason must say when its move is tried and taken back: no rule can see this one coming."""
    from_host: str = ""
    """What the host does to it once it runs: things that containers may not do themselves."""
    unconfined: bool = False
    """The hosts' seccomp filter is taken away while it is made: what it shows is forbidden otherwise."""

    @property
    def expected(self) -> str:
        return "refused" if self.refused_by else "put back" if self.put_back else "moved"


def _server(name: str, survives: str, client: Callable[[str], Client], **options: Any) -> Program:
    return Program(name, survives, ["start.sh", name.split()[0]], client, **options)


def _python(name: str, script: str, survives: str, **options: Any) -> Program:
    return Program(name, survives, ["python3", f"/opt/compat/{script}.py"], **options)


def _sqlite(mode: str, when: str, survives: str, **options: Any) -> Program:
    command = ["python3", "/opt/compat/sqlite_modes.py", mode, when]
    name = f"sqlite {mode}, {'kept open' if when == 'once' else 'opened each time'}"
    return Program(name, survives, command, **options)


def _gunicorn(address: str) -> Client:
    return web.HttpAnswers(address, 8000)


SERVERS = (
    Program(
        "redis",
        "keys, an open MULTI, a subscriber",
        ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--appendonly", "yes", "--dir", VOLUME],
        wire.Redis,
    ),
    Program("memcached", "values, counters", ["memcached", "-u", "root", "-m", "64"], wire.Memcached),
    _server("nginx", "keep-alive connection, counters of all workers, a download under way", web.Nginx),
    _server("apache", "keep-alive connection, scoreboard, a download under way", web.Apache),
    _server("php", "FPM behind nginx over a unix socket: sessions", lambda a: web.HttpAnswers(a, 80)),
    _server("haproxy", "both halves of a proxied connection", lambda a: Answers(a, 9001)),
    _server("mosquitto", "subscriptions, retained and queued messages", wire.Mosquitto),
    Program(
        "nats",
        "Go: a subscription, one in a queue group",
        ["nats-server", "-a", "0.0.0.0", "-p", "4222"],
        queues.Nats,
    ),
    Program(
        "beanstalkd",
        "jobs in a log on disk, one that is reserved",
        ["beanstalkd", "-l", "0.0.0.0", "-p", "11300", "-b", VOLUME],
        queues.Beanstalkd,
    ),
    _server("dnsmasq", "UDP: its own counter of questions", wire.Dnsmasq),
    _server("postgres", "open transaction, temporary table", sql.Postgres, container={"user": "postgres"}),
    _server("mariadb", "open transaction", sql.Mysql),
    Program(
        "etcd",
        "Go, static: keys, revisions, a lease, a watch stream",
        [
            "etcd",
            f"--data-dir={VOLUME}/etcd",
            "--listen-client-urls=http://0.0.0.0:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
        ],
        web.Etcd,
    ),
    _server("gunicorn", "three workers with threads; the one behind a keep-alive connection", _gunicorn),
)

LANGUAGES = (
    _python("python asyncio", "asyncio_server", "tasks, timers, 8 MiB with a checksum"),
    Program("node", "heap, timers, a worker thread, a child process", ["node", "/opt/compat/node_server.js"]),
    Program("perl", "alarm handler, a child for the connection", ["perl", "/opt/compat/perl_server.pl"]),
    Program("ruby", "threads, a fiber", ["ruby", "/opt/compat/ruby_server.rb"]),
    Program("java", "OpenJDK (through Rhino): threads, a timer pool", ["rhino", "/opt/compat/java_server.js"]),
    Program("shell pipeline", "no number lost in four pipes", ["start.sh", "pipeline"], None, Pipeline),
    Program("tmux", "bash under a pty", ["start.sh", "tmux"], None, Tmux),
)

KERNEL = (
    Program("threads", "C: futexes of all kinds, thread-local memory", ["threads"]),
    Program("timers", "timerfd, setitimer, POSIX timers, sleeps", ["timers"]),
    Program("alarm", "an alarm that is still to come", ["alarm"]),
    Program("events", "epoll, eventfd, signalfd, pending signals, unread pipes", ["events"]),
    Program("pidfd", "a child held by descriptor", ["events", "pidfd"]),
    Program("shared memory", "System V and POSIX memory, semaphores, a message queue", ["shared"]),
    _python("processes", "prefork", "workers, sessions, a zombie, a stopped one, an orphan"),
    _python("unix sockets", "unix_sockets", "unread data, a connection before accept, descriptors in flight"),
    _python("file locks", "locks", "flock and POSIX locks, still held"),
    _python("sqlite writer", "sqlite_writer", "WAL, an open write transaction, a snapshot"),
    _sqlite("wal", "once", "open over moves"),
    *(_sqlite(mode, "each", "opened for each row") for mode in ("delete", "truncate", "persist")),
    _python("big pre-fork", "big_prefork", "memory of 9 processes together at most 1.5 times what it was"),
    _python("file writer", "file_writer", "16 MB/s written through the move, every block checked"),
    _python("deleted files", "deleted_files", "open files that were deleted, up to 200 KiB"),
    Program(
        "inotify on a volume",
        "a watch that still fires",
        ["start.sh", "inotify", VOLUME],
        None,
        InotifyFile,
    ),
)

LIMITS = (
    Program(
        "inotify on the image",
        "",
        ["start.sh", "inotify", "/srv"],
        None,
        refused_by="process.inotify",
    ),
    Program(
        "deleted file of 8 MiB",
        "",
        ["python3", "/opt/compat/deleted_files.py", "8192"],
        refused_by="process.deleted-files",
    ),
    Program(
        "fuse mount",
        "",
        ["start.sh", "fuse"],
        from_host="nsenter -t $PID -m bindfs /tmp/a /tmp/b",
        refused_by="process.mounts",
        container={"mounts": [{"source": "/dev/fuse", "target": "/dev/fuse"}]},
    ),
    _sqlite("delete", "once", "", refused_by="process.sqlite"),
    Program("timer of 10 ms", "", ["timers", "quick"], put_back="periodic timer"),
    Program(
        "php, defaults", "", ["start.sh", "php-defaults"], lambda a: web.HttpAnswers(a, 80), put_back="POKEDATA"
    ),
    Program("message queue", "", ["mqueue"], refused_by="process.message-queues"),
    Program(
        "mariadb, defaults", "", ["start.sh", "mariadb-defaults"], sql.Mysql, put_back="Cannot allocate memory"
    ),
    Program("io_uring", "", ["uring"], refused_by="process.io-uring", unconfined=True),
)


def programs(key: Path) -> tuple[Program, ...]:
    """All of them; `key` is the private key to log in to the container of sshd with."""
    authorized = {"AUTHORIZED_KEY": key.with_suffix(".pub").read_text().strip()}
    sshd = _server(
        "sshd", "a login shell with a terminal", lambda a: wire.Ssh(a, key), container={"env": authorized}
    )
    return (*SERVERS, sshd, *LANGUAGES, *KERNEL, *LIMITS)
