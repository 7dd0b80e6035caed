"""Connections of this process are ended by their addresses, and no others."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from budgetd_server.connections import Ends, end_connections, host_and_port, peer_name


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that listens on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def name_of(client: socket.socket) -> str:
    """The client as its server sees it."""
    return host_and_port(*client.getsockname())


def test_the_connection_that_is_meant_is_ended_and_its_neighbour_goes_on(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    with (
        socket.create_connection(("127.0.0.1", port)) as meant,
        listening.accept()[0],
        socket.create_connection(("127.0.0.1", port)) as other,
        listening.accept()[0] as neighbour,
    ):
        assert end_connections(lambda ends: ends == Ends(port, name_of(meant))) == 1

        neighbour.sendall(b"x")
        assert meant.recv(1) == b""
        assert other.recv(1) == b"x"


def test_what_was_written_before_the_end_still_arrives(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client, listening.accept()[0] as connection:
        connection.sendall(b"the answer")

        end_connections(lambda ends: ends == Ends(port, name_of(client)))

        assert client.recv(100) == b"the answer"
        assert client.recv(100) == b""


def test_connections_over_a_unix_socket_are_known_by_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        with server.accept()[0]:
            assert end_connections(lambda ends: ends == Ends(path, "unix")) == 1
            assert client.recv(1) == b""


def test_looking_leaves_no_descriptor_behind(listening: socket.socket) -> None:
    before = len(list(Path("/dev/fd").iterdir()))

    assert end_connections(lambda ends: ends.local == listening.getsockname()[1] and bool(ends.peer)) == 0

    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("documented", "name"),
    [
        ("ipv4:127.0.0.1:40000", "127.0.0.1 40000"),
        ("ipv6:%5B::1%5D:40000", "::1 40000"),
        ("ipv6:[::1]:40000", "::1 40000"),
        ("ipv6:%5B::ffff:10.0.0.1%5D:7", "10.0.0.1 7"),
        ("unix:", "unix"),
        ("unix:/run/budgetd.sock", "unix"),
    ],
)
def test_a_peer_is_named_as_its_socket_is(documented: str, name: str) -> None:
    assert peer_name(documented) == name


def test_a_listener_that_is_ended_can_be_called_no_more_and_its_owner_accepts_without_an_error(
    listening: socket.socket,
) -> None:
    port = listening.getsockname()[1]
    listening.setblocking(False)

    assert end_connections(lambda ends: ends == Ends(port, "")) == 1

    with pytest.raises(BlockingIOError):
        listening.accept()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
