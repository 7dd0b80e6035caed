"""The client without a server, among processes: many on one file, forked, killed, or simply at their end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.local.ledgers import PATIENCE_SECONDS, PRELUDE, environment, program, run, spent, with_budget

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file with a budget in it."""
    return with_budget(tmp_path / "ledger.db")


def test_many_processes_on_one_file_count_exactly(database: Path) -> None:
    command = program("charge(100)", database)
    processes = [
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]

    ends = [(process.communicate(timeout=PATIENCE_SECONDS)[0], process.returncode) for process in processes]

    assert ends == [("", 0)] * 4
    assert spent(database) == 400


def test_a_program_that_never_closes_ends_well_and_leaves_a_closed_file(database: Path) -> None:
    ran = run("charge(10)", database)

    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 0)
    assert list(database.parent.iterdir()) == [database]
    assert spent(database) == 10


def test_threads_that_outlive_the_main_thread_charge_and_count_texts(database: Path) -> None:
    ran = run(
        """
from budgetd.v1.budget_pb2 import Text

def late():
    threading.main_thread().join()
    charge(10)
    texts = Text(input="a word " * 1000, output="b")
    client.update_cost(UpdateCostRequest(project_id="p", budget_id="b", model="gpt-4o-mini", text=texts))

threading.Thread(target=late).start()
""",
        database,
    )

    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 0)
    assert spent(database) > 10


def test_daemon_threads_that_charge_when_the_program_ends_are_no_trouble(database: Path) -> None:
    ran = run(
        """
charge()

def charge_and_tell():
    while True:
        charge()
        os.write(1, b"+")

for _ in range(4):
    threading.Thread(target=charge_and_tell, daemon=True).start()
charge(20)
""",
        database,
    )

    assert (ran.stderr, ran.returncode) == ("", 0)
    assert 21 + len(ran.stdout) <= spent(database) <= 21 + len(ran.stdout) + 4


def test_what_a_program_charges_at_its_very_end_is_counted(database: Path) -> None:
    early = "import atexit\natexit.register(lambda: charge(5))\n"

    ran = run("charge(1)\natexit.register(lambda: charge(5))", database, prelude=early + PRELUDE)

    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 0)
    assert spent(database) == 11


def test_a_store_that_fails_prints_nothing(database: Path) -> None:
    ran = run(
        """
import sqlite3
from budgetd import BudgetdError

charge()
lock = sqlite3.connect(sys.argv[1], isolation_level=None)
lock.execute("BEGIN IMMEDIATE")
try:
    client.update_cost(request, timeout_seconds=0.2)
except BudgetdError:
    lock.execute("ROLLBACK")
    lock.close()
    charge()
else:
    raise AssertionError("the store did not fail")
""",
        database,
    )

    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 0)


def test_without_the_server_the_error_says_what_to_install() -> None:
    ran = run(
        """
import sys
sys.modules["budgetd_server"] = None
from budgetd import AsyncLocalTransport, LocalTransport
for each in (LocalTransport, AsyncLocalTransport):
    try:
        each("ledger.db")
    except ImportError as error:
        print(error)
""",
        prelude="",
    )

    assert ran.stdout.count('pip install "budgetd[local]"') == 2
    assert ran.returncode == 0


def test_naming_the_transport_loads_no_server_and_making_it_loads_no_sockets() -> None:
    ran = run(
        """
import sys
from budgetd import LocalTransport
print([name for name in sys.modules if name.startswith("budgetd_server")])
LocalTransport("ledger.db")
unwanted = {"starlette", "uvicorn", "structlog", "typer", "tiktoken", "budgetd_server.rpc.server"}
print(sorted(unwanted & set(sys.modules)))
""",
        prelude="",
    )

    assert (ran.stdout, ran.stderr) == ("[]\n[]\n", "")


FORKING = """
charge(10)
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        charge(10)
        if os.fork() == 0:
            charge(10)
            client.close()
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
    children.append(child)
    charge(10)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
charge(10)
print(codes)
"""


@needs_fork
def test_a_client_that_has_been_used_serves_the_children_of_fork_and_their_children(database: Path) -> None:
    ran = run(FORKING, database)

    assert (ran.stdout, ran.stderr, ran.returncode) == ("[0, 0, 0, 0]\n", "", 0)
    assert spent(database) == 10 + 4 * (10 + 10 + 10) + 10


@needs_fork
def test_a_program_may_fork_while_its_threads_charge(database: Path) -> None:
    ran = run(
        """
threads = [threading.Thread(target=charge, args=(50,)) for _ in range(4)]
for thread in threads:
    thread.start()
children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        charge(20)
        os._exit(0)
    children.append(child)
for thread in threads:
    thread.join()
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
""",
        database,
    )

    assert (ran.stdout, ran.stderr, ran.returncode) == ("[0, 0, 0, 0, 0]\n", "", 0)
    assert spent(database) == 4 * 50 + 5 * 20


@needs_fork
def test_what_a_child_charges_survives_that_its_parent_closes_the_file(database: Path) -> None:
    """SQLite's locks are not inherited, but its memory of them is: a child could lose its log to its parent."""
    ran = run(
        """
charge(10)
child_told, tell_child = os.pipe()
parent_told, tell_parent = os.pipe()
child = os.fork()
if child == 0:
    charge(10)
    os.write(tell_parent, b"x")
    os.read(child_told, 1)
    charge(10)
    client.close()
    os._exit(0)
charge(10)
os.read(parent_told, 1)
client.close()
os.write(tell_child, b"x")
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
        database,
    )

    assert (ran.stdout, ran.stderr, ran.returncode) == ("0\n", "", 0)
    assert spent(database) == 40


@needs_fork
def test_a_child_of_a_fork_that_python_does_not_know_of_refuses_the_file_that_it_inherited(database: Path) -> None:
    ran = run(
        """
import ctypes
from pathlib import Path

charge(10)
if ctypes.PyDLL(None).fork() == 0:
    ctypes.pythonapi.PyOS_AfterFork_Child()
    try:
        charge(10)
    except RuntimeError as error:
        print(error)
        sys.stdout.flush()
    os._exit(0)
os.wait()
charge(10)
""",
        database,
    )

    assert "was forked" in ran.stdout
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert spent(database) == 20


@needs_fork
def test_a_child_that_ends_as_programs_do_leaves_its_parent_unharmed(database: Path) -> None:
    ran = run(
        """
charge(10)
if os.fork():
    assert os.wait()[1] == 0
charge(10)
""",
        database,
    )

    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 0)
    assert spent(database) == 30


def test_a_program_killed_under_load_loses_nothing_that_was_acknowledged(database: Path) -> None:
    command = program(
        """
def charge_and_tell():
    while True:
        charge()
        os.write(1, b"+")

for _ in range(8):
    threading.Thread(target=charge_and_tell).start()
""",
        database,
    )
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        reported = len(process.stdout.read(300))
        process.send_signal(signal.SIGKILL)
        reported += len(process.stdout.read())
        assert process.stderr.read() == b""

    verified = subprocess.run(
        [sys.executable, "-m", "budgetd_server", "verify", "--database", database],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert reported <= spent(database) <= reported + 8
