"""Text for people never breaks a number over two lines, however narrow the screen is."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1.cost_pb2 import BatchUpdateCostRequest, UpdateCostRequest
from budgetd_server.cli.dollars import usd_text
from budgetd_server.cli.layout import print_rows, print_sentence, screen_width
from budgetd_server.domain.bounds import COST_NANO_USD_MAX
from tests.rpc.running_server import PROJECT, RunningServer

Done = Callable[..., str]

WIDTHS = (60, 80, 120)
SPENT = 987_654_321_987_654_321
TOKENS = 123_456_789_012
#: What the commands must print about the budget below, in addition to its name.
SHOWN = (
    *("$1,000,000,000.00", usd_text(SPENT), usd_text(10**18 - SPENT), "98.8%", "2026-04-01 00:00:00 UTC"),
    *(f"{TOKENS:,}", f"{10**18:,} tokens", f"{10**18 - TOKENS:,} tokens"),
)
LISTED = SHOWN[:5]


@pytest.fixture
def rich(server: RunningServer) -> None:
    """A budget with numbers about as long as there can be."""
    month = pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_MONTH))
    tokens = pb.Limit(limit_id="tokens", unit=pb.UNIT_TOKENS, amount=10**18)
    server.create("rich", pb.Limit(amount=10**18, window=month), tokens, labels={"team": "red"})
    whole, rest = divmod(SPENT, COST_NANO_USD_MAX)
    charges = [UpdateCostRequest(budget_id="rich", cost_nano_usd=COST_NANO_USD_MAX) for _ in range(whole)]
    charges.append(
        UpdateCostRequest(budget_id="rich", model="gpt-4o", cost_nano_usd=rest, usage=pb.Usage(input_tokens=TOKENS))
    )
    server.stub.BatchUpdateCost(BatchUpdateCostRequest(project_id=PROJECT, requests=charges))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("words", "facts"), [(("show", "rich"), SHOWN), (("list",), LISTED)], ids=["show", "list"])
@pytest.mark.usefixtures("rich")
def test_show_and_list_fit_the_screen_with_every_number_whole(
    words: tuple[str, ...], facts: tuple[str, ...], width: int, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))

    lines = done(*words).splitlines()

    assert [fact for fact in facts if not any(fact in line for line in lines)] == []
    assert [line for line in lines if len(line) > width] == []


@pytest.mark.parametrize("words", [("show", "rich"), ("list",)], ids=["show", "list"])
@pytest.mark.usefixtures("rich")
def test_json_is_the_same_on_every_screen(words: tuple[str, ...], done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = set()
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        outputs.add(done(*words, "--json"))

    assert len(outputs) == 1
    assert outputs.pop().count("\n") == 1


@pytest.mark.parametrize("width", WIDTHS)
def test_a_sentence_is_broken_between_words_alone(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    words = [usd_text(7**each) for each in range(20)]

    print_sentence(" ".join(words))

    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines).split(" ") == words
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [str(each) for each in WIDTHS])
@given(
    numbers=st.lists(st.lists(st.integers(-(10**18), 10**18), min_size=4, max_size=4), min_size=1, max_size=5),
    name=st.text(st.sampled_from("ab-\u65e5"), min_size=1, max_size=30),
)
def test_each_number_is_whole_on_a_line_of_its_row_within_the_screen(
    width: str, numbers: list[list[int]], name: str
) -> None:
    texts = [[usd_text(number) for number in row] for row in numbers]

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COLUMNS", width)
        lines = printed(("budget", *"abcd"), [[name, *row] for row in texts])

    tokens = [token for line in lines for token in line.split()]
    assert [token for token in tokens if token.lstrip("-").startswith("$")] == [text for row in texts for text in row]
    assert max(map(len, lines)) <= int(width)


def printed(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("budgetd_server.cli.layout.typer.echo", lines.append)
        print_rows(columns, rows, right=columns[1:])
    return lines


def test_where_there_is_no_screen_a_row_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)

    lines = printed(("budget", "spent"), [["x" * 256, "$1.00"]])

    assert screen_width() is None
    assert [line.split() for line in lines] == [["budget", "spent"], ["x" * 256, "$1.00"]]


@pytest.mark.parametrize("columns", ["", "0", "wide", "-1"])
def test_an_invalid_width_is_ignored(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert screen_width() is None


def test_columns_of_a_table_are_aligned_though_some_characters_are_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    assert printed(("budget", "spent"), [["\u65e5\u672c", "$1.00"], ["alice", "$10.00"]]) == [
        "budget   spent",
        "\u65e5\u672c     $1.00",
        "alice   $10.00",
    ]


@pytest.mark.parametrize("width", ["60", "10"])
def test_an_empty_column_is_left_out(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)

    lines = printed(("budget", "held", "spent", "labels"), [["alice", "-", "$1.00", ""], ["bob", "-", "-", ""]])

    assert "held" not in " ".join(lines)
    assert "labels" not in " ".join(lines)
    assert (
        " ".join(lines).split()
        == {
            "60": ["budget", "spent", "alice", "$1.00", "bob", "-"],
            "10": ["budget", "alice", "spent", "$1.00", "budget", "bob"],
        }[width]
    )
