"""For gunicorn: each worker counts its own requests."""

import os
import threading

count = 0
lock = threading.Lock()
token = ""


def app(environ, start_response):  # type: ignore[no-untyped-def]
    global count, token
    with lock:
        token = token or os.urandom(8).hex()
        count += 1
        body = f"{token} {count} ok\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
