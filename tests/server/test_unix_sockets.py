"""A server on Unix sockets: who may call, what is cleared away and what never, and how clients find it."""

import socket
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from budgetd import AsyncBudgetClient, BudgetClient, BudgetManager
from budgetd.address import Address, choose_token, parse_address
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server import unix_sockets
from budgetd_server.cli.connection import address_text
from budgetd_server.config import Config, ConfigRefused
from budgetd_server.unix_sockets import PATH_BYTES_MAX, place_for_socket
from tests.faults.server_process import ServerProcess, run_to_end

LIST = service.ListBudgetsRequest(project_id="p")


async def start(folder: Path, *options: str) -> ServerProcess:
    """A server on a Unix socket in a folder."""
    return await ServerProcess.start(folder / "ledger.db", "--listen", f"unix:{folder}/grpc", *options)


async def stop(server: ServerProcess) -> None:
    server.terminate()
    assert await server.ended() == 0
    assert server.stray_lines() == []


async def test_every_kind_of_client_reaches_a_server_on_a_unix_socket(tmp_path: Path) -> None:
    server = await start(tmp_path, "--http-listen", f"unix:{tmp_path}/http")

    budget = pb.Budget(project_id="p", budget_id="alice")
    with BudgetClient(f"unix:{tmp_path}/grpc") as client:
        client.create_budget(service.CreateBudgetRequest(budget=budget))
    async with AsyncBudgetClient(f"unix://{tmp_path}/grpc") as awaited:
        assert len((await awaited.list_budgets(LIST)).budgets) == 1
    with BudgetManager("p", "hosted", f"unix:{tmp_path}/grpc") as manager:
        assert manager.get_users() == ["alice"]
    code, output, _ = await run_to_end("health", "--address", f"unix:{tmp_path}/grpc")
    assert (code, output) == (0, "SERVING\n")
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=f"{tmp_path}/http")) as http:
        assert (await http.get("http://budgetd/readyz")).status_code == 200

    assert [stat.S_IMODE(Path(tmp_path, name).stat().st_mode) for name in ("grpc", "http")] == [0o600, 0o600]
    await stop(server)
    assert not [name for name in ("grpc", "http") if Path(tmp_path, name).exists()]


async def test_a_socket_that_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    server = await start(tmp_path)
    server.kill()
    await server.ended()
    assert Path(tmp_path, "grpc").is_socket()

    await stop(await start(tmp_path))


async def test_a_socket_in_use_is_never_taken(tmp_path: Path) -> None:
    server = await start(tmp_path)
    other = tmp_path / "other.db"

    code, _, errors = await run_to_end("serve", "--database", str(other), "--listen", f"unix:{tmp_path}/grpc")

    assert code == 2
    assert f"cannot listen on unix:{tmp_path}/grpc: another program listens on {tmp_path}/grpc already" in errors
    with BudgetClient(f"unix:{tmp_path}/grpc") as client:
        client.list_budgets(LIST)
    await stop(server)


@pytest.mark.parametrize("setting", ["--listen", "--http-listen"])
async def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path, setting: str) -> None:
    Path(tmp_path, "precious").write_text("precious")
    options = ("--listen", "127.0.0.1:0", "--http-listen", "", setting, f"unix:{tmp_path}/precious")

    code, _, errors = await run_to_end("serve", "--database", str(tmp_path / "l.db"), *options)

    assert code == 2
    assert "precious exists already and is not a socket" in errors
    assert Path(tmp_path, "precious").read_text() == "precious"


def leave_socket(path: Path) -> None:
    """A socket without a listener."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


@pytest.mark.parametrize("is_left", [True, False], ids=["a socket is left over", "nothing is there"])
def test_of_two_servers_that_start_at_once_the_second_waits_for_the_first_and_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_left: bool
) -> None:
    path, waits = tmp_path / "grpc", threading.Event()
    if is_left:
        leave_socket(path)
    monkeypatch.setattr(time, "sleep", lambda _: waits.set())

    def second() -> None:
        with place_for_socket(f"unix:{path}"):
            pass

    with ThreadPoolExecutor() as pool, socket.socket(socket.AF_UNIX) as listening:
        with place_for_socket(f"unix:{path}"):
            start = pool.submit(second)
            assert waits.wait(20)
            listening.bind(str(path))
            listening.listen()
        with pytest.raises(FileExistsError, match=r"another program listens on .* already"):
            start.result()

    assert path.is_socket()


def test_a_server_that_stops_leaves_a_socket_that_another_is_making(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix_sockets, "_LOCK_SECONDS", 0)
    path = tmp_path / "grpc"

    with place_for_socket(f"unix:{path}"):
        leave_socket(path)  # Bound, and not listened on yet.
        unix_sockets.remove_socket(str(path))
        assert path.is_socket()
    unix_sockets.remove_socket(str(path))

    assert not path.exists()


def test_a_symbolic_link_is_no_socket(tmp_path: Path) -> None:
    leave_socket(tmp_path / "left")
    Path(tmp_path, "link").symlink_to(tmp_path / "left")

    with pytest.raises(OSError, match="not a socket"), place_for_socket(f"unix:{tmp_path}/link"):
        pass
    assert Path(tmp_path, "left").is_socket()


@pytest.mark.parametrize("address", ["unix:", "unix://", "unix:/run/", "unix:/a\nb", f"unix:/{'x' * PATH_BYTES_MAX}"])
def test_an_invalid_path_is_refused_by_its_rule(address: str) -> None:
    for setting in ("listen", "http_listen"):
        name = setting.replace("_", "-")
        with pytest.raises(ConfigRefused, match=f"{name} unix:PATH must (name a socket|be at most 103 bytes)"):
            Config(**{setting: address}).check()  # type: ignore[arg-type]


def test_a_unix_socket_needs_no_insecure() -> None:
    Config(listen="unix:/run/budgetd.sock", http_listen="unix:///run/http.sock").check()


@pytest.mark.parametrize("text", ["unix:/run/budgetd.sock", "unix:///run/budgetd.sock", " unix:/run/budgetd.sock\n"])
def test_a_client_reads_the_address_and_takes_it_for_this_machine(text: str) -> None:
    address = parse_address(text)

    assert address == Address("", 0, is_tls=False, path="/run/budgetd.sock")
    assert address.target == "unix:/run/budgetd.sock"
    assert choose_token(address, "s3cret") == "s3cret"


def test_a_relative_path_stays_relative() -> None:
    assert parse_address("unix:budgetd.sock").path == "budgetd.sock"


@pytest.mark.parametrize("text", ["unix:", "unix://", f"unix:{'x' * 104}"])
def test_a_client_refuses_an_invalid_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"unix:PATH must name a socket, in at most 103 bytes"):
        parse_address(text)


def test_the_command_line_asks_where_the_environment_says_that_a_server_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUDGETD_LISTEN", "unix:/run/budgetd.sock")

    assert address_text(None) == "unix:/run/budgetd.sock"
