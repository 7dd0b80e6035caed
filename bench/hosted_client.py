"""A client that changes its dictionary as LiteLLM's class does, and saves all of it.

`python -m bench.hosted_client PORT CHANGED`: load, then save repeatedly, with CHANGED users charged each time.
"""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from bench.load import LoadFailed
from bench.messages import MODELS, PROJECT

Records = dict[str, dict[str, Any]]


class HostedClient:
    """One process with LiteLLM's class."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.users: Records = {}

    def load(self) -> float:
        """Do `load_data`. Returns the seconds until all bytes of the answer have arrived."""
        seconds, answer = self._post("/get_budget", json.dumps({"project_name": PROJECT}).encode())
        self.users = json.loads(answer)["data"]
        return seconds

    def charge(self, count: int) -> bytes:
        """Charge the first `count` users as `update_cost` does. Returns the body of a save."""
        for _, record in zip(range(count), self.users.values(), strict=False):
            models = record.setdefault("model_cost", {})
            record["current_cost"] = record.get("current_cost", 0) + 0.00123
            models[MODELS[0]] = models.get(MODELS[0], 0) + 0.00123
        return json.dumps({"project_name": PROJECT, "user_dict": self.users}).encode()

    def save(self, body: bytes) -> float:
        """Do `save_data`. Returns the seconds until the answer."""
        seconds, answer = self._post("/set_budget", body)
        if json.loads(answer) != {"status": "success"}:
            raise LoadFailed(f"a save was answered with {answer[:500]!r}")
        return seconds

    def _post(self, path: str, body: bytes) -> tuple[float, bytes]:
        # A new connection for each call, opened in advance: servers close connections that are idle for a few seconds.
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.connect()
        with closing(connection):
            began = time.perf_counter()
            connection.request("POST", path, body)
            answer = connection.getresponse().read()
            return time.perf_counter() - began, answer


@contextmanager
def saving(port: int, changed: int) -> Iterator[None]:
    """Save repeatedly in another process while the block runs."""
    command = [sys.executable, "-m", "bench.hosted_client", str(port), str(changed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None, "it is a pipe"
    try:
        process.stdout.readline()  # The line that reports the start.
        yield
        if process.poll() is not None:
            raise LoadFailed("the saves in the background ended early")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Save until killed."""
    client = HostedClient(int(sys.argv[1]))
    client.load()
    print("saving", flush=True)
    while True:
        client.save(client.charge(int(sys.argv[2])))


if __name__ == "__main__":
    main()
