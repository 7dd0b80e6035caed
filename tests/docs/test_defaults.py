"""Each default is stated once in the code; pages, the contract and the other distribution give the same."""

import re
from pathlib import Path

import pytest

from budgetd.address import ADDRESS_DEFAULT, PORT_DEFAULT
from budgetd.calls.call import CallPolicy
from budgetd.client import READ_TIMEOUT_SECONDS
from budgetd.local import DATABASE_DEFAULT as LOCAL_DATABASE_DEFAULT
from budgetd_server.cli import connection, health
from budgetd_server.config import DATABASE_DEFAULT, HTTP_LISTEN_DEFAULT, LISTEN_DEFAULT, Config
from budgetd_server.domain.bounds import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, TTL_DEFAULT_US, US_PER_SECOND
from budgetd_server.domain.budget import ALERT_RATIOS_DEFAULT
from tests.docs.pages import REPOSITORY

POLICY = CallPolicy()
MINUTES = TTL_DEFAULT_US // (60 * US_PER_SECOND)
RATIOS = "{}, {} and {}".format(*ALERT_RATIOS_DEFAULT)
PORTS = " ".join(each.rpartition(":")[2] for each in (LISTEN_DEFAULT, HTTP_LISTEN_DEFAULT))
#: A file, what states a default in it, and the value by the code, once for each place.
STATED = [
    ("README.md", r"`BUDGETD_LISTEN` \(([^)]+)\)", [LISTEN_DEFAULT]),
    ("README.md", r"`--http-listen` \(([^,]+),", [HTTP_LISTEN_DEFAULT]),
    ("README.md", r"`--database` \(`([^`]+)`\)", [DATABASE_DEFAULT]),
    ("README.md", r"serves on (\S+)", [LISTEN_DEFAULT]),
    ("CONTRIBUTING.md", r"serves on ([\d.:]+\d)", [LISTEN_DEFAULT]),
    ("Makefile", r"Serve on (\S+) until", [LISTEN_DEFAULT]),
    (
        "Dockerfile",
        r"EXPOSE (.+)",
        [PORTS],
    ),
    ("docs/client.md", r"without that `([\d.:]+)`", [ADDRESS_DEFAULT]),
    ("docs/client.md", r"pauses between them: (\d+) seconds for calls", [f"{POLICY.timeout_seconds:g}"]),
    ("docs/client.md", r"something and (\d+) for those", [f"{READ_TIMEOUT_SECONDS:g}"]),
    ("docs/cli.md", r"`BUDGETD_PROJECT` \| `(\w+)`", [connection.PROJECT_DEFAULT]),
    ("docs/cli.md", r"`--timeout` SECONDS \| \| (\d+), of", [f"{connection.TIMEOUT_SECONDS_DEFAULT:g}"]),
    ("docs/cli.md", r"or else (\d+) to find the server", [f"{POLICY.connect_timeout_seconds:g}"]),
    ("docs/cli.md", r"(\d+) for `health`", [f"{health.TIMEOUT_SECONDS_DEFAULT:g}"]),
    ("proto/budgetd/v1/budget_service.proto", r"to that\); zero: (\d+)\.", [str(PAGE_SIZE_DEFAULT)] * 3),
    ("proto/budgetd/v1/budget_service.proto", r"return, at most ([\d,]+) ", [f"{PAGE_SIZE_MAX:,}"] * 3),
    ("proto/budgetd/v1/reservation.proto", r"to that\); zero: (\d+)\.", [str(PAGE_SIZE_DEFAULT)]),
    ("proto/budgetd/v1/reservation.proto", r"24 hours; unset: (\d+) minutes", [str(MINUTES)] * 2),
    ("proto/budgetd/v1/budget.proto", r"give notice; unset: at ([^.]+\.\d, .+?)\. Without", [RATIOS]),
    ("clients/python/budgetd/transport/status.py", r"port, by default (\d+)", [str(PORT_DEFAULT)]),
]


@pytest.mark.parametrize(
    ("file", "pattern", "values"), STATED, ids=[f"{file}: {pattern}" for file, pattern, _ in STATED]
)
def test_a_default_that_is_stated_outside_the_code_is_that_of_the_code(
    file: str, pattern: str, values: list[str]
) -> None:
    assert re.findall(pattern, (REPOSITORY / file).read_text("utf-8")) == values


def test_the_two_distributions_agree_on_what_both_default_to() -> None:
    assert ADDRESS_DEFAULT == LISTEN_DEFAULT
    assert Path(LOCAL_DATABASE_DEFAULT) == Config().database_path
    assert POLICY.timeout_seconds == connection.TIMEOUT_SECONDS_DEFAULT
