"""What all Python programs here share: answer each line on port 9000 with `TOKEN COUNT STATE`.

TOKEN is made at the start and says that it is the same process, COUNT only grows, STATE is `ok` or what is wrong.
"""

import os
import socketserver
import threading
from collections.abc import Callable

TOKEN = os.urandom(8).hex()
PORT = 9000


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def serve(look: Callable[[], tuple[int, str]]) -> None:
    """Answer for ever; `look` says COUNT and STATE."""
    lock = threading.Lock()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for _ in self.rfile:
                with lock:
                    try:
                        count, state = look()
                    except Exception as error:
                        count, state = 0, f"{type(error).__name__}: {error}"
                self.wfile.write(f"{TOKEN} {count} {state}\n".encode())

    with _Server(("0.0.0.0", PORT), Handler) as server:
        server.serve_forever()
