"""The load generator in Python, in its own process: sends each message of a file once, or repeatedly.

Messages are sent and received as bytes, so that there is little work except gRPC's own. For unary calls h2load is far
better, and is used if installed. A batch is so much work for the server that the generator does not matter. Calls that
may be refused, and holds that are committed, are always sent by this generator.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import grpc
import uvloop

from bench.messages import commit_of, read_frames

MESSAGE_BYTES_MAX = 4 * 1024 * 1024


async def send(
    address: str, path: str, bodies: Iterator[bytes], callers: int, *, may_refuse: bool, commit_path: str
) -> dict[str, object]:
    """Send all bodies, and return when each call began and ended, in µs. Each caller has its own connection.

    Args:
        address: host:port.
        path: The path of the method.
        bodies: The messages, which the callers share.
        callers: The number of callers.
        may_refuse: True if RESOURCE_EXHAUSTED counts as an answer.
        commit_path: The path of the method that commits the hold of each call and ends it. Empty: no commit.
    """
    calls: list[tuple[int, int]] = []
    refused: list[tuple[int, int]] = []
    errors: list[str] = []

    async def caller(number: int) -> None:
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.use_local_subchannel_pool", 1),
            ("bench.caller", number),
        ]
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
            commit: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(commit_path)
            await channel.channel_ready()
            ready.release()
            await go.wait()
            for body in bodies:
                began = time.time_ns() // 1000
                try:
                    answer = await call(body)
                    if commit_path:
                        await commit(commit_of(answer))
                except grpc.aio.AioRpcError as error:
                    if may_refuse and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                        refused.append((began, time.time_ns() // 1000))
                    else:
                        errors.append(str(error.details()))
                else:
                    calls.append((began, time.time_ns() // 1000))

    go, ready = asyncio.Event(), asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(caller(number))
        for _ in range(callers):
            await ready.acquire()
        print("sending", file=sys.stderr, flush=True)
        go.set()
    return {"calls": calls, "refused": refused, "errors": errors[:3], "failed": len(errors)}


def main() -> None:
    """Send, and print the result as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("path")
    parser.add_argument("frames", type=Path)
    parser.add_argument("--callers", type=int, required=True)
    parser.add_argument("--calls", type=int, default=0, help="0: each message once")
    parser.add_argument("--may-refuse", action="store_true")
    parser.add_argument("--commit-path", default="")
    chosen = parser.parse_args()
    bodies = read_frames(chosen.frames)
    turns = islice(cycle(bodies), chosen.calls) if chosen.calls else iter(bodies)
    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        sent = runner.run(
            send(
                chosen.address,
                chosen.path,
                turns,
                chosen.callers,
                may_refuse=chosen.may_refuse,
                commit_path=chosen.commit_path,
            )
        )
    json.dump(sent, sys.stdout)


if __name__ == "__main__":
    main()
