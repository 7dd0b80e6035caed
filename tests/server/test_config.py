"""Settings: what is refused and how it is said, and that the page about them is complete."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from budgetd_server.cli import app
from budgetd_server.config import Config, ConfigRefused
from tests.server.documented import names, rows

PAGE = "configuration.md"


def check(**settings: Any) -> None:
    """Check settings that are good but for these."""
    Config(**settings).check()


BAD_ADDRESSES = ["", ":50051", "localhost", "localhost:", "localhost:port", "localhost:-1", "localhost:65536"]
BAD_ADDRESSES += ["localhost:5005\u0661", "localhost:1e3", "127.0.0.1:50051 ", "127.0.0.1:99999999999999999999"]
REACHABLE = ["0.0.0.0:50051", "[::]:50051", "10.0.0.1:50051", "budgets.example:50051", "localhost.example:1"]
LOOPBACK = ["127.0.0.1:0", "127.9.9.9:50051", "[::1]:50051", "localhost:65535"]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigRefused, match="listen must be HOST:PORT") as refused:
        check(listen=address, is_insecure=True)

    assert repr(address) in str(refused.value)
    if address:  # No HTTP at all is fine.
        with pytest.raises(ConfigRefused, match="http-listen must be HOST:PORT"):
            check(http_listen=address, is_insecure=True)


@pytest.mark.parametrize("address", REACHABLE)
@pytest.mark.parametrize("setting", ["listen", "http_listen"])
def test_an_address_that_others_can_reach_needs_the_word_insecure(setting: str, address: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        check(**{setting: address})

    assert str(refused.value).startswith(f"{setting.replace('_', '-')} {address} can be reached from other machines")
    check(**{setting: address}, is_insecure=True)


@pytest.mark.parametrize("address", LOOPBACK)
def test_an_address_of_this_machine_alone_is_fine(address: str) -> None:
    check(listen=address, http_listen=address)


def test_no_http_is_fine_and_no_grpc_is_not() -> None:
    check(http_listen="")
    with pytest.raises(ConfigRefused):
        check(listen="")


@pytest.mark.parametrize(
    ("database", "words"),
    [
        pytest.param("postgresql://user:secret@db/budgets", "postgresql://… cannot be used", id="PostgreSQL"),
        pytest.param("mysql://db", "mysql://… cannot be used", id="another kind"),
        pytest.param("sqlite://budgetd.db", "must be sqlite:///RELATIVE/PATH", id="two slashes"),
        pytest.param("sqlite:///", "must be sqlite:///RELATIVE/PATH", id="no path"),
        pytest.param("sqlite:///a.db?mode=ro", "must be sqlite:///RELATIVE/PATH", id="a query"),
        pytest.param("sqlite:///a#b.db", "must be sqlite:///RELATIVE/PATH", id="a fragment"),
        pytest.param("", "must name a file", id="nothing"),
        pytest.param(":memory:", "must name a file", id="memory"),
        pytest.param("sqlite:///:memory:", "must name a file", id="memory by URL"),
        pytest.param("sqlite:///a%00b", "must name a file", id="a null byte"),
        pytest.param("a\nb", "must name a file", id="a line break"),
        pytest.param(" ", "database ' ' must name a file", id="a space"),
        pytest.param("sqlite:///%20", "must name a file", id="a space in a URL"),
        pytest.param("x.db ", "database 'x.db ' must not begin or end with a space", id="a space at the end"),
        pytest.param(" x.db", "must not begin or end with a space", id="a space at the beginning"),
        pytest.param("x.db/", "database 'x.db/' must name a file, not a folder", id="a slash at the end"),
        pytest.param("sqlite:///data/x.db/", "must name a file, not a folder", id="a slash at the end of a URL"),
        pytest.param("data/..", "must name a file, not a folder", id="a folder above"),
        pytest.param(".", "must name a file, not a folder", id="this folder"),
        pytest.param("q.db-wal", "database 'q.db-wal' must not end with -wal, -shm, -journal", id="a log"),
        pytest.param("sqlite:////d/q.db-shm", "must not end with -wal, -shm, -journal", id="the index of a log"),
        pytest.param("sqlite:///a%zz", "each % must be followed by two hexadecimal digits", id="a bad escape"),
        pytest.param("sqlite:///a%2", "each % must be followed by two hexadecimal digits", id="half an escape"),
        pytest.param("sqlite:///a%ff.db", "the bytes that follow % must be UTF-8", id="bytes of no text"),
        pytest.param("file:x.db", "file:… must be a path", id="a URI of SQLite's"),
        pytest.param("sqlite:///file:x.db", "file:… must be a path", id="a URI of SQLite's in a URL"),
        pytest.param("file:///x.db?mode=memory", "file://… cannot be used", id="a URI of SQLite's with slashes"),
        pytest.param("sqlite:x.db", "sqlite:… must be a path", id="no slashes"),
        pytest.param("sqlite:/x.db", "sqlite:… must be a path", id="one slash"),
        pytest.param("postgresql:user:secret@db", "postgresql:… must be a path", id="PostgreSQL without slashes"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_without_its_password(database: str, words: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        check(database=database)

    assert words in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("database", "path"),
    [
        ("sqlite:///budgetd.db", "budgetd.db"),
        ("sqlite:///data/budgetd.db", "data/budgetd.db"),
        ("sqlite:////var/lib/budgetd.db", "/var/lib/budgetd.db"),
        ("sqlite:///with%20space%3F%23%25.db", "with space?#%.db"),
        ("/var/lib/budgetd.db", "/var/lib/budgetd.db"),
        ("what?#%20.db", "what?#%20.db"),
        ("./file:x.db", "file:x.db"),
        ("/data/file:x.db", "/data/file:x.db"),
    ],
)
def test_a_database_is_a_url_or_a_path(database: str, path: str) -> None:
    config = Config(database=database)

    config.check()
    assert config.database_path == Path(path)


@pytest.mark.parametrize("queue_max", [0, -1])
def test_a_queue_without_room_is_refused(queue_max: int) -> None:
    with pytest.raises(ConfigRefused, match=f"queue-max must be at least 1, got {queue_max}"):
        check(queue_max=queue_max)


@pytest.mark.parametrize("grace_seconds", [-0.1, 3_600.1, float("nan"), float("inf")])
def test_a_grace_that_is_no_time_to_wait_is_refused(grace_seconds: float) -> None:
    with pytest.raises(ConfigRefused, match="grace-seconds must be from 0 to 3600, got"):
        check(grace_seconds=grace_seconds)


def test_the_defaults_are_fine() -> None:
    check()


# --- The page.


def _options() -> dict[str, Any]:
    """The options of `budgetd serve` by flag."""
    group: Any = typer.main.get_command(app)
    return {option.opts[0]: option for option in group.get_command(None, "serve").params}


def _documented() -> dict[str, list[str]]:
    return {names(row[0])[0]: row for row in rows(PAGE)}


def test_every_flag_and_its_environment_variable_is_documented_with_its_default() -> None:
    documented = _documented()
    options = _options()

    assert list(documented) == list(options)
    for flag, (_, variable, default, _, meaning) in documented.items():
        assert names(variable) == [options[flag].envvar], flag
        stated = {"off": False, "none": None}.get(default, (names(default) or [""])[0])
        assert str(stated) == str(options[flag].default), flag
        assert meaning, flag


def test_every_field_of_the_configuration_is_documented_next_to_its_flag() -> None:
    stated = [name for row in rows(PAGE) for name in names(row[3])]

    assert sorted(stated) == sorted(field.name for field in fields(Config))


def test_the_flags_default_to_what_the_configuration_defaults_to() -> None:
    config = Config()

    for flag, row in _documented().items():
        for name in names(row[3]):
            assert (_options()[flag].default or ()) == (getattr(config, name) or ()), flag


@pytest.mark.parametrize("flag", list(_options()))
def test_a_variable_says_what_a_flag_does_not(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    group: Any = typer.main.get_command(app)
    serve, option = group.get_command(None, "serve"), _options()[flag]
    by_type = {bool: "yes", int: "7", float: "7.5", type(None): "a.toml:b.toml"}
    text = by_type.get(type(option.default), "text")
    monkeypatch.setenv(option.envvar, text)

    value = serve.make_context("serve", []).params[option.name]

    expected = {"yes": True, "7": 7, "7.5": 7.5, "a.toml:b.toml": [Path("a.toml"), Path("b.toml")]}.get(text, text)
    assert value == expected
    monkeypatch.setenv(option.envvar, "")
    assert (serve.make_context("serve", []).params[option.name] or None) == (option.default or None)
