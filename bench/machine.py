"""The machine and the versions that a table was measured on, in a line."""

import os
import platform
import sqlite3
import sys
from importlib.metadata import version
from pathlib import Path

from bench.load import H2LOAD


def machine_line() -> str:
    """Cores, memory, system, and what was measured with."""
    parts = [
        f"{os.cpu_count()} x {_processor()}",
        f"{_memory_gib()} GiB",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        f"grpcio {version('grpcio')}",
        f"protobuf {version('protobuf')}",
        f"SQLite {sqlite3.sqlite_version}",
        f"uvloop {version('uvloop')}" if sys.platform != "win32" else "no uvloop",
        "h2load" if H2LOAD else "no h2load",
        f"load average {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join(parts)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
