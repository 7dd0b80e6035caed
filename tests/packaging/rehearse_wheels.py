"""Builds both wheels and does with them what users do: installs them into empty environments, and runs programs.

Four environments. One into which the README's first command installs a checkout: the quick start, embedded. The client
with its extra, and what it runs on at the locked versions: the quick start again, and mypy --strict on a user's
program. The client alone, on the same versions and on the oldest that it allows: the quick start against a server, and
the sentence that a default constructor gives without the extra.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.client.server_process import ServerProcess
from tests.docs.pages import page
from tests.packaging.dockerfile import REPOSITORY

_SECONDS_MAX = 600

QUICK_START = """
import sys
from budgetd import BudgetManager

manager = BudgetManager(project_name="chat", client_type=sys.argv[1], api_base=sys.argv[2])
if not manager.is_valid_user("alice"):
    manager.create_budget(total_budget=10, user="alice", duration="monthly")
completion = {"model": "gpt-4o", "usage": {"prompt_tokens": 1200, "completion_tokens": 300}}
if manager.get_current_cost("alice") <= manager.get_total_budget("alice"):
    manager.update_cost(user="alice", completion_obj=completion)
assert manager.get_current_cost("alice") == 0.006, manager.get_current_cost("alice")
assert manager.user_dict["alice"]["model_cost"] == {"gpt-4o": 0.006}
"""

WITHOUT_EXTRA = """
from budgetd import BudgetManager

try:
    BudgetManager(project_name="chat")
except ImportError as error:
    assert 'pip install "budgetd[local]"' in str(error), error
else:
    raise AssertionError("there is a server, and should be none")
"""

TYPED = """
from typing import Any, assert_type

from budgetd import AsyncBudgetManager, BudgetManager

manager = BudgetManager("chat", database="typed.db")
assert_type(manager.create_budget(10, "alice", "monthly"), dict[str, Any])
assert_type(manager.get_current_cost("alice"), float)
assert_type(manager.get_users(), list[str])
manager.user_dict["alice"]["total_budget"] = 5


async def main() -> None:
    async with AsyncBudgetManager("chat", client_type="hosted", api_base="localhost:50051") as awaited:
        assert_type(await awaited.get_current_cost("alice"), float)
        await awaited.update_cost(user="alice", completion_obj={}, request_id="r1")
"""


class Environment:
    """A virtual environment with a lock, and wheels on top of it."""

    def __init__(self, folder: Path, python: str, lock: str, wheels: list[Path]) -> None:
        print(f"installing {lock} and {', '.join(wheel.name for wheel in wheels)}", flush=True)
        self.folder = folder
        _run([python, "-m", "venv", str(folder)])
        self.python = str(folder / "bin" / "python")
        pip = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--require-hashes", "-r", str(REPOSITORY / lock)])
        _run([*pip, "--no-deps", *map(str, wheels)])

    def program(self, text: str, *arguments: str) -> None:
        """Run a program in the environment's folder."""
        _run([self.python, "-I", "-c", text, *arguments], cwd=self.folder)


def build(folder: str, target: Path) -> Path:
    """One distribution's wheel."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", str(target / folder), str(REPOSITORY / folder)])
    (wheel,) = (target / folder).glob("*.whl")
    return wheel


def install_command() -> list[str]:
    """Return the command by which the README installs budgetd from a checkout."""
    blocks = (block.code for block in page("README.md").blocks() if block.language == "sh")
    (command,) = next(code for code in blocks if code.startswith("pip install")).splitlines()
    return command.split()


def rehearse_checkout(folder: Path, python: str) -> None:
    """The README's first command in an empty environment, and then its quick start; nothing is locked there."""
    _run([python, "-m", "venv", str(folder)])
    program, *arguments = install_command()
    _run([str(folder / "bin" / program), *arguments, "--quiet", "--disable-pip-version-check"], cwd=REPOSITORY)
    _run([str(folder / "bin" / "python"), "-I", "-c", QUICK_START, "local", ""], cwd=folder)
    _run([str(folder / "bin" / "budgetd"), "--version"])


def rehearse(folder: Path, python: str) -> None:
    """Everything; raises CalledProcessError where something fails."""
    rehearse_checkout(folder / "checkout", python)
    client, server = build("clients/python", folder), build("server", folder)
    embedded = Environment(folder / "embedded", python, "requirements.lock", [client, server])
    embedded.program(QUICK_START, "local", "")
    (embedded.folder / "typed.py").write_text(TYPED)
    # mypy of the development environment, looking at the packages of this one.
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", embedded.python, "typed.py"]
    _run(mypy, cwd=embedded.folder)
    process = ServerProcess(folder / "ledger.db")
    try:
        for name, lock in (("newest", "requirements.lock"), ("oldest", "requirements-oldest.lock")):
            alone = Environment(folder / name, python, lock, [client])
            alone.program(QUICK_START.replace("chat", name), "hosted", process.address)
            alone.program(WITHOUT_EXTRA)
    finally:
        process.kill()


def _run(command: list[str], *, cwd: Path | None = None) -> None:
    print("+", " ".join(word if "\n" not in word else "..." for word in command[1:]), flush=True)
    subprocess.run(command, check=True, cwd=cwd, timeout=_SECONDS_MAX)


def main() -> int:
    """Exit status: 0 everything ran, 1 something failed."""
    parser = argparse.ArgumentParser(description="Install the wheels into empty environments, and run programs.")
    parser.add_argument("--python", default=sys.executable, help="makes the environments")
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory(prefix="budgetd-wheels-") as folder:
        try:
            rehearse(Path(folder).resolve(), python)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"wheels-check failed: {error}", file=sys.stderr)
            return 1
    print("wheels-check passed: checkout and wheels install and run, alone and with the extra, old versions and new")
    return 0


if __name__ == "__main__":
    sys.exit(main())
