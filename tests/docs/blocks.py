"""Runs the fenced blocks of a page as a reader would: in order, in one folder, against a real server.

A block says behind its language what becomes of it: `run`, `run needs=PROGRAM` or `run needs-module=MODULE` (left out
where that is not installed), `output` (what the block before it prints; `…` stands for anything), or `not-run`.
`run continued` is for Python that has the imports and variables of the Python blocks before it, `run awaited` for
Python within a coroutine.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

from budgetd_server.config import HTTP_LISTEN_DEFAULT, LISTEN_DEFAULT
from tests.docs.pages import Block, Page

BLOCK_SECONDS = 150
FATES = {"run", "output", "not-run"}
#: Drawings, and price files, which have a test of their own.
NO_PROGRAMS = {"", "toml"}


def unmarked(page: Page) -> list[str]:
    """The blocks that do not say what becomes of them."""
    blocks = (block for block in page.blocks() if block.language not in NO_PROGRAMS)
    return [block.code for block in blocks if len(FATES.intersection(block.marks)) != 1]


class Place(NamedTuple):
    """Where a page is run: a folder with a ledger, whose server listens there and not where the page says."""

    folder: Path
    address: str
    http_address: str = ""

    def moved(self, code: str) -> str:
        """Code with this server's addresses in place of the usual ones."""
        moved = code.replace(LISTEN_DEFAULT, self.address) if self.address else code
        return moved.replace(HTTP_LISTEN_DEFAULT, self.http_address) if self.http_address else moved


def run(page: Page, place: Place) -> int:
    """Run a page's blocks; returns how many were run.

    Raises:
        AssertionError: A block failed, or printed something else than the page says.
    """
    count = 0
    printed: str | None = ""
    names = ""
    for block in page.blocks():
        if "output" in block.marks:
            if printed is not None:
                _compare(page, block, printed)
        elif "run" in block.marks:
            printed = _run(page, block, place, names) if _has_needs(block) else None
            count += printed is not None
        if block.language == "python":
            names += _names_of(block)
    return count


def _has_needs(block: Block) -> bool:
    programs = [mark.removeprefix("needs=") for mark in block.marks if mark.startswith("needs=")]
    modules = [mark.removeprefix("needs-module=") for mark in block.marks if mark.startswith("needs-module=")]
    return all(shutil.which(program) for program in programs) and all(find_spec(module) for module in modules)


def _run(page: Page, block: Block, place: Place, names: str) -> str:
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "BUDGETD_ADDRESS": place.address,
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        _command(block, place, names),
        cwd=place.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BLOCK_SECONDS,
        check=False,
    )
    failure_text = f"{page.name}: exit code {done.returncode} of\n{block.code}\n{done.stdout}{done.stderr}"
    assert done.returncode == 0, failure_text
    return done.stdout


def _command(block: Block, place: Place, names: str) -> Sequence[str]:
    code = place.moved(block.code)
    match block.language:
        case "sh":
            return ["sh", "-eu", "-c", code]
        case "python":
            if "awaited" in block.marks:
                code = f"async def main():\n{indent(code, '    ')}\nimport asyncio\nasyncio.run(main())"
            return [sys.executable, "-c", names + code if "continued" in block.marks else code]
    raise AssertionError(f"no way is known to run {block.language!r}")


def _names_of(block: Block) -> str:
    """The imports and assignments of a Python block, without what it does."""
    if "awaited" in block.marks:
        return ""
    kept = (each for each in ast.parse(block.code).body if isinstance(each, ast.Import | ast.ImportFrom | ast.Assign))
    return "".join(f"{ast.unparse(each)}\n" for each in kept)


def _compare(page: Page, block: Block, printed: str) -> None:
    expected = ".*".join(re.escape(_even(part)) for part in block.code.strip().split("…"))

    assert re.fullmatch(expected, _even(printed.strip()), re.DOTALL), (
        f"{page.name} promises\n{block.code}\nbut what is printed is\n{printed}"
    )


def _even(text: str) -> str:
    """Remove the invisible spaces at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.splitlines())
