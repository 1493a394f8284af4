"""Clients of a server on this machine, in a process of their own: keep-alive connections that ask again and again."""

import asyncio
import json
import subprocess
import sys
import time

HOST = "127.0.0.1"


def load(port: int, at_once: int, requests: int, body: bytes) -> list[float]:
    """Send a picture many times, by a process that shares nothing with the server's but the processor.

    Args:
        port: of this machine.
        at_once: connections, of which each waits for its answer before it asks again.
        requests: in all.
        body: the picture.

    Returns:
        Seconds that each request took; the whole's seconds come last.
    """
    command = [sys.executable, __file__, str(port), str(at_once), str(requests)]
    done = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True, timeout=300)
    found: list[float] = json.loads(done.stdout)
    return found


async def _ask(port: int, request: bytes, share: int, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    for _ in range(share):
        start = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if not head.startswith(b"http/1.1 200"):
            raise SystemExit(f"the server answered {head.splitlines()[0]!r}: {answer!r}")
        latencies.append(time.perf_counter() - start)
    writer.close()


async def _all(port: int, at_once: int, requests: int, body: bytes) -> list[float]:
    head = f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
    latencies: list[float] = []
    start = time.perf_counter()
    shares = [requests // at_once + (number < requests % at_once) for number in range(at_once)]
    await asyncio.gather(*(_ask(port, head.encode() + body, share, latencies) for share in shares))
    return [*latencies, time.perf_counter() - start]


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    print(json.dumps(asyncio.run(_all(numbers[0], numbers[1], numbers[2], sys.stdin.buffer.read()))))
