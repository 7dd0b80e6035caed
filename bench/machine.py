"""Describes in one line the machine and the versions on which a table was measured."""

import os
import platform
import sqlite3
import sys
from importlib.metadata import version
from pathlib import Path

from bench.load import H2LOAD


def machine_line() -> str:
    """Return cores, memory, system and versions."""
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
