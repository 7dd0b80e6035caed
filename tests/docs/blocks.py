"""Runs the fenced blocks of a page as a reader would: in order, in one folder, against a real server.

A block says behind its language what becomes of it: `run`, `run needs=PROGRAM` (left out where the program is not
installed), `output` (what the block before it prints; `…` stands for anything), or `not-run`.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.docs.pages import Block, Page

BLOCK_SECONDS = 60
FATES = {"run", "output", "not-run"}


def unmarked(page: Page) -> list[str]:
    """The blocks that do not say what becomes of them."""
    return [block.code for block in page.blocks() if len(FATES.intersection(block.marks)) != 1]


def run(page: Page, folder: Path, address: str) -> int:
    """Run a page's blocks with the server at `address` and its ledger in `folder`; returns how many were run.

    Raises:
        AssertionError: A block failed, or printed something else than the page says.
    """
    count, printed = 0, ""
    for block in page.blocks():
        if "output" in block.marks:
            _compare(page, block, printed)
        elif "run" in block.marks and _has_needs(block):
            printed = _run(page, block, folder, address)
            count += 1
    return count


def _has_needs(block: Block) -> bool:
    programs = [mark.removeprefix("needs=") for mark in block.marks if mark.startswith("needs=")]
    return all(shutil.which(program) for program in programs)


def _run(page: Page, block: Block, folder: Path, address: str) -> str:
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "BUDGETD_ADDRESS": address,
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        _command(block), cwd=folder, env=environment, capture_output=True, text=True, timeout=BLOCK_SECONDS, check=False
    )
    told = f"{page.name}: exit code {done.returncode} of\n{block.code}\n{done.stdout}{done.stderr}"
    assert done.returncode == 0, told
    return done.stdout


def _command(block: Block) -> Sequence[str]:
    match block.language:
        case "sh":
            return ["sh", "-eu", "-c", block.code]
        case "python":
            return [sys.executable, "-c", block.code]
    raise AssertionError(f"nobody knows how to run {block.language!r}")


def _compare(page: Page, block: Block, printed: str) -> None:
    expected = ".*".join(re.escape(_even(part)) for part in block.code.strip().split("…"))

    assert re.fullmatch(expected, _even(printed.strip()), re.DOTALL), (
        f"{page.name} promises\n{block.code}\nbut what is printed is\n{printed}"
    )


def _even(text: str) -> str:
    """Without spaces at the ends of lines, which nobody sees."""
    return "\n".join(line.rstrip() for line in text.splitlines())
