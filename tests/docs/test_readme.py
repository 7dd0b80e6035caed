"""What the pages give the reader to run, runs; what the README says of the contract is so."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.config import HTTP_LISTEN_DEFAULT, LISTEN_DEFAULT
from tests.docs import blocks
from tests.docs.pages import REPOSITORY, Page, all_pages, page
from tests.faults.server_process import running

README = page("README.md")
RPCS = [method.name for method in service.DESCRIPTOR.services_by_name["BudgetService"].methods]
PAGES = [each.name for each in all_pages()]
#: docs/cli.md is run with the tests of the command line.
RUNNABLE = [
    name for name in PAGES if name != "docs/cli.md" and any("run" in each.marks for each in page(name).blocks())
]


@pytest.mark.parametrize("name", RUNNABLE)
async def test_every_block_that_can_be_run_does_what_the_page_says(name: str, tmp_path: Path) -> None:
    async with running(tmp_path / "budgetd.db") as server:
        place = blocks.Place(tmp_path, server.address, f"127.0.0.1:{server.http_port}")
        ran = await asyncio.to_thread(blocks.run, page(name), place)

    assert ran > 0


@pytest.mark.parametrize("name", PAGES)
def test_every_block_says_what_becomes_of_it(name: str) -> None:
    assert blocks.unmarked(page(name)) == []


def test_every_python_example_of_every_page_is_run() -> None:
    examples = [(name, each) for name in PAGES for each in page(name).blocks() if each.language == "python"]

    assert [(name, each.code) for name, each in examples if "run" not in each.marks] == []
    assert {name for name, _ in examples} <= set(RUNNABLE)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("```sh run\nexit 3\n```\n", "exit code 3", id="a command that fails"),
        pytest.param("```python run\n1 / 0\n```\n", "exit code 1", id="a program that fails"),
        pytest.param("```sh run\necho a b\n```\n```text output\na …c\n```\n", "promises", id="another output"),
        pytest.param("```python run awaited\nawait nobody\n```\n", "exit code 1", id="a coroutine that fails"),
        pytest.param("```python run\na = 1\n```\n```python run\na\n```\n", "exit code 1", id="a name not its own"),
    ],
)
def test_a_block_that_does_something_else_is_noticed(text: str, complaint: str, tmp_path: Path) -> None:
    planted = Page(REPOSITORY / "planted.md", text)

    with pytest.raises(AssertionError, match=complaint):
        blocks.run(planted, blocks.Place(tmp_path, ""))


def test_the_table_of_rpcs_is_that_of_the_contract() -> None:
    documented = [rpc for cells in README.table_rows("RPCs") for rpc in re.findall(r"`(\w+)`", cells[0])]

    assert sorted(documented) == sorted(RPCS)


def test_the_variables_given_to_make_are_known_to_it() -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    code = "\n".join([*README.spans(), *(block.code for block in README.blocks())])

    used = set(re.findall(r"^make [a-z-]+ ([A-Z]+)=", code, flags=re.MULTILINE))

    assert used
    assert {name for name in used if not re.search(rf"^{name} \?=", makefile, flags=re.MULTILINE)} == set()


def test_the_demo_runs_as_the_readme_says(tmp_path: Path) -> None:
    trace = tmp_path / "file.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "2023-11-16 18:15:46,374,44\n" * 250)
    # Nothing is to be set up: the tests may run in parallel, and elsewhere than in .venv.
    python = f"BIN={Path(sys.executable).parent}"
    done = subprocess.run(
        ["make", "-o", ".venv/.installed-editable", "demo", python, "TRACE=" + str(trace), "ADDRESS="],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_ports_of_the_readme_are_the_defaults() -> None:
    assert set(re.findall(r"127\.0\.0\.1:\d+", README.text)) <= {LISTEN_DEFAULT, HTTP_LISTEN_DEFAULT}
