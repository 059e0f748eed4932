"""An asyncio server whose state is in tasks, queues and a heap of timers."""

import asyncio
import hashlib
import os

TOKEN = os.urandom(8).hex()
BLOB = os.urandom(8 << 20)
DIGEST = hashlib.sha256(BLOB).digest()


async def main() -> None:  # noqa: C901
    ticks = [0] * 200
    queue: asyncio.Queue[int] = asyncio.Queue(10)
    passed = 0

    async def tick(index: int) -> None:
        while True:
            await asyncio.sleep(0.05 + index / 1000)
            ticks[index] += 1

    async def produce() -> None:
        number = 0
        while True:
            await queue.put(number)
            number += 1
            await asyncio.sleep(0.01)

    async def consume() -> None:
        nonlocal passed
        while True:
            assert await queue.get() == passed
            passed += 1

    tasks = [asyncio.create_task(job) for job in (produce(), consume(), *(tick(i) for i in range(200)))]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            state = "ok"
            if any(task.done() for task in tasks):
                state = "a task has ended"
            elif passed % 20 == 0 and hashlib.sha256(BLOB).digest() != DIGEST:
                state = "its memory changed"
            writer.write(f"{TOKEN} {passed + sum(ticks)} {state}\n".encode())
            await writer.drain()

    server = await asyncio.start_server(answer, "0.0.0.0", 9000)
    await server.serve_forever()


asyncio.run(main())
