"""The page for those who move from LiteLLM runs unchanged, with LiteLLM installed."""

import asyncio
from pathlib import Path

from tests.docs import blocks
from tests.docs.pages import page
from tests.faults.server_process import running
from tests.parity.theirs import litellm  # noqa: F401 - skips the module where there is none.

PAGE = page("docs/litellm.md")


async def test_every_block_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    runnable = [block for block in PAGE.blocks() if "run" in block.marks]

    async with running(tmp_path / "budgetd.db") as server:
        place = blocks.Place(tmp_path, server.address, f"127.0.0.1:{server.http_port}")
        ran = await asyncio.to_thread(blocks.run, PAGE, place)

    assert ran == len(runnable)
