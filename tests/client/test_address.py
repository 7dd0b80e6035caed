"""Addresses and tokens: what is taken, what is refused, and what the refusal says."""

import re
from typing import Any

import pytest

from budgetd import AsyncBudgetClient, BudgetClient
from budgetd.address import Address, choose_token, parse_address
from budgetd.client import policy_of
from tests.client.no_spans import NO_SPANS


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:50051", Address("localhost", 50051, is_tls=False)),
        ("grpc://budget.internal:443", Address("budget.internal", 443, is_tls=False)),
        ("grpcs://budget.internal:443/", Address("budget.internal", 443, is_tls=True)),
        ("[::1]:50051", Address("::1", 50051, is_tls=False)),
        (" 10.0.0.7:7000\n", Address("10.0.0.7", 7000, is_tls=False)),
        (None, Address("127.0.0.1", 50051, is_tls=False)),
        ("", Address("127.0.0.1", 50051, is_tls=False)),
    ],
)
def test_an_address_is_read(text: str | None, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("http://localhost:4000", "'localhost:50051'"),
        ("https://budget.example.com", "'grpcs://budget.example.com:50051'"),
        ("http://[::1]:9464/metrics", r"'\[::1\]:50051'"),
    ],
)
def test_an_http_address_is_refused_with_the_grpc_address_to_write(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "localhost",
        ":50051",
        "localhost:",
        "localhost:0",
        "localhost:70000",
        "localhost:grpc",
        "grpc://localhost",
        "grpc://localhost:1/path",
        "grpcs://user:secret@host:1",
        "dns:///host:1",
        "ftp://host:1",
        "two words:1",
        "::1:50051:x",
        "host:1?x=1",
        "http://",
    ],
)
def test_anything_else_is_refused_with_the_forms_that_are_taken(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port, grpc://host:port or grpcs://host:port"):
        parse_address(text)


def test_the_address_comes_from_the_environment_unless_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETD_ADDRESS", "grpcs://there:1")

    assert parse_address(None) == Address("there", 1, is_tls=True)
    assert parse_address("here:2") == Address("here", 2, is_tls=False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "[::1]"])
def test_a_token_may_be_sent_in_the_clear_within_this_machine(host: str) -> None:
    assert choose_token(parse_address(f"{host}:1"), "s3cret") == "s3cret"


@pytest.mark.parametrize("host", ["10.0.0.7", "localhost.evil.example", "[::]"])
def test_a_token_is_not_sent_in_the_clear_to_another_machine(host: str) -> None:
    with pytest.raises(ValueError, match="grpcs://") as refused:
        choose_token(parse_address(f"{host}:1"), "s3cret")

    assert "s3cret" not in str(refused.value)


def test_a_token_may_be_sent_anywhere_under_tls() -> None:
    assert choose_token(parse_address("grpcs://10.0.0.7:1"), "s3cret") == "s3cret"


def test_a_token_of_the_environment_is_as_guarded_and_can_be_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETD_TOKEN", "s3cret")

    with pytest.raises(ValueError, match="BUDGETD_TOKEN must not be sent in plain text"):
        BudgetClient("10.0.0.7:1")
    assert choose_token(parse_address("10.0.0.7:1"), "") == ""


@pytest.mark.parametrize("token", ["two words", "naïve", "line\nbreak"])
def test_a_token_that_no_header_can_hold_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII") as refused:
        choose_token(parse_address("localhost:1"), token)

    assert token not in str(refused.value)


@pytest.mark.parametrize("client_class", [BudgetClient, AsyncBudgetClient])
@pytest.mark.parametrize("argument", ["timeout_seconds", "connect_timeout_seconds"])
@pytest.mark.parametrize(("seconds", "error", "rule"), NO_SPANS)
def test_a_timeout_that_is_no_time_is_refused_with_its_name_its_value_and_the_rule(
    client_class: Any, argument: str, seconds: Any, error: type[Exception], rule: str
) -> None:
    with pytest.raises(error, match=rf"^{argument} must be {rule}, got {re.escape(repr(seconds)[:50])}"):
        client_class(**{argument: seconds})


@pytest.mark.parametrize("client_class", [BudgetClient, AsyncBudgetClient])
@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e300"])
def test_a_connect_timeout_of_the_environment_that_is_no_time_is_refused_by_the_variables_name(
    client_class: type[BudgetClient] | type[AsyncBudgetClient], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETD_CONNECT_TIMEOUT_SECONDS", text)

    with pytest.raises(ValueError, match=r"BUDGETD_CONNECT_TIMEOUT_SECONDS must be a .*number"):
        client_class()


@pytest.mark.parametrize(
    ("text", "argument", "seconds"),
    [
        pytest.param("7.5", None, 7.5, id="the variable where there is no argument"),
        pytest.param("7.5", 3.0, 3.0, id="the argument before the variable"),
        pytest.param("soon", 3.0, 3.0, id="the argument in place of a variable that is no number"),
        pytest.param("", None, 1.0, id="one second where there is neither"),
    ],
)
def test_how_long_a_server_is_looked_for(
    text: str, argument: float | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETD_CONNECT_TIMEOUT_SECONDS", text)

    assert policy_of(None, argument).connect_timeout_seconds == seconds
    assert policy_of(2.0, argument).connect_timeout_seconds == seconds


def test_metadata_names_in_capitals_are_refused() -> None:
    with pytest.raises(ValueError, match="lower case"):
        BudgetClient(metadata={"X-Team": "a"})
