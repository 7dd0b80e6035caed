"""Reading `user_cost.json`: everything that is whole is saved, nothing is invented, and what is lost is reported."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from budgetd_server.litellm.files import reading
from budgetd_server.litellm.files.members import NoObject
from budgetd_server.litellm.files.reading import FileRefused, Reading, read, read_content
from tests.litellm.files.files import SOME, Users, any_users, saved


def places(content: bytes) -> dict[str, tuple[int, int]]:
    """The bytes of each user's member, from the end of the line before it to behind its brace."""
    found, end = {}, 1
    for user, record in json.loads(content).items():
        begin = end
        end += len(saved({user: record})) - len("{\n}")
        found[user] = (begin, end)
        end += 1
    return found


def records(result: Reading) -> dict[str, Any]:
    return {record.user: record for record in result.records}


def untouched(content: bytes, start: int, end: int) -> dict[str, Any]:
    """The records of a whole file of which no byte lies in a span."""
    whole = records(read_content(content))
    return {user: whole[user] for user, (begin, behind) in places(content).items() if end <= begin or start >= behind}


@given(any_users)
def test_a_whole_file_is_read_whole_however_it_is_laid_out(users: Users) -> None:
    layouts: list[dict[str, Any]] = [{"indent": 4}, {"indent": 2}, {}, {"separators": (",", ":")}]
    texts = [json.dumps(users, ensure_ascii=is_ascii, **each) for each in layouts for is_ascii in (True, False)]

    results = [read_content(text.encode()) for text in (*texts, texts[0].replace("\n", "\r\n"), "\ufeff" + texts[0])]

    assert all(list(records(result)) == list(users) for result in results)
    assert not any(result.damages or result.faults or result.notes for result in results)
    assert all(result.records == results[0].records for result in results)


def test_amounts_are_those_that_are_written() -> None:
    result = records(read_content(saved(SOME)))

    assert result["alice"].total_nano_usd == 10_000_000_000
    assert result["alice"].costs == (("gpt-4o", 1_000_000), ("claude-sonnet", 200_000))
    assert result["alice"].duration_seconds == 28 * 86_400
    assert (result["alice"].window_start_us, result["alice"].created_at) == (1764100000500000, 1764000000.123456)
    assert result["zoë 😀"].costs == ()
    assert result["dave"].costs == (("gpt-4o", 7_250_000_000),)


@pytest.mark.parametrize("indent", [4, 2, None])
def test_a_file_cut_at_any_byte_gives_every_record_before_the_cut_and_no_other(indent: int | None) -> None:
    content = json.dumps(SOME, indent=indent, ensure_ascii=False).encode()
    whole = records(read_content(content))

    for length in range(len(content)):
        result = read_content(content[:length])

        found = records(result)
        assert list(found.items()) == list(whole.items())[: len(found)]
        assert not result.faults
        assert result.damages, "a file without its last brace has lost something"
        assert result.damages[-1].end == length


def test_a_cut_in_the_middle_of_a_user_loses_that_user_and_none_before_it() -> None:
    content = saved(SOME)
    spans = places(content)

    for length in range(1, len(content)):
        result = read_content(content[:length])

        assert list(records(result)) == [user for user, (_, end) in spans.items() if end <= length]


def test_a_cut_is_reported_with_its_byte_the_user_and_what_is_legible() -> None:
    content = saved(SOME)
    cut = content.index(b"7.25") + 2

    damage = read_content(content[:cut]).damages[0]

    assert damage.sentence == (
        f"the file ends at byte {cut} in the middle of the record of user 'dave'; users after it, if there were any, "
        "are not in the file"
    )
    assert (damage.user, damage.end) == ("dave", cut)
    assert damage.legible == {"total_budget": "0.1"}, "a number that may go on is not legible"


@given(any_users, st.data())
def test_a_hole_costs_the_users_that_it_touches(users: Users, data: st.DataObject) -> None:
    content = saved(users)
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start + 1, len(content)))

    result = read_content(content[:start] + bytes(end - start) + content[end:])

    assert records(result) == untouched(content, start, end)
    assert result.damages


def test_a_byte_of_any_value_at_any_place_costs_the_user_whose_it_is_and_no_other() -> None:
    content = saved(SOME)

    for place, byte in product(range(len(content)), b'\0\n "}'):
        found = records(read_content(content[:place] + bytes([byte]) + content[place + 1 :]))

        assert untouched(content, place, place + 1).items() <= found.items()


@given(any_users, st.binary(min_size=1, max_size=80), st.data())
def test_a_span_of_anything_costs_only_the_users_that_it_touches(
    users: Users, span: bytes, data: st.DataObject
) -> None:
    content = saved(users)
    start = data.draw(st.integers(0, len(content)))
    end = min(start + len(span), len(content))

    try:
        result = read_content(content[:start] + span + content[end:])
    except NoObject:  # The span begins the file, and nothing but spaces is behind it.
        return

    others = {note.user for note in result.notes}  # The span may have made one user's name another's.
    expected = untouched(content, start, end)
    assert {user: expected[user] for user in expected.keys() - others}.items() <= records(result).items()


@given(any_users, any_users)
def test_the_end_of_a_longer_file_behind_a_shorter_one_changes_none_of_its_users(first: Users, second: Users) -> None:
    shorter, longer = sorted([saved(first), saved(second)], key=len)

    result = read_content(shorter + longer[len(shorter) :])

    assert records(result) == {**untouched(longer, 0, len(shorter)), **records(read_content(shorter))}
    assert bool(result.damages) is (len(shorter) < len(longer))


@given(any_users, any_users, st.data())
def test_a_mixture_of_two_saves_has_the_users_that_are_whole_in_it(
    first: Users, second: Users, data: st.DataObject
) -> None:
    contents = [saved(first), saved(second)]
    cut = data.draw(st.integers(1, min(map(len, contents)) - 1))

    result = read_content(contents[0][:cut] + contents[1][cut:])

    before, behind = untouched(contents[0], cut, len(contents[0])), untouched(contents[1], 0, cut)
    found = records(result)
    # The one record in which both meet may be none, or look like any.
    met = found.keys() - before.keys() - behind.keys()
    assert len(met) <= 1
    for user in before.keys() | behind.keys():
        assert found[user] in (before.get(user), behind.get(user)) or user in {note.user for note in result.notes}


@given(any_users, st.data())
def test_no_damage_is_an_exception(users: Users, data: st.DataObject) -> None:
    content = bytearray(saved(users))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))

    try:
        result = read_content(bytes(content))
    except NoObject:
        return

    assert all(0 <= damage.start <= damage.end <= len(content) for damage in result.damages)


@given(st.binary(max_size=200))
@example(b"0\v")  # Space to Python, and none to JSON.
@example(b'"\xff"')
def test_no_content_is_an_exception_but_json_of_another_kind(content: bytes) -> None:
    try:
        read_content(content)
    except NoObject:
        json.loads(content.decode("utf-8", "surrogateescape").removeprefix("\ufeff"))


@pytest.mark.parametrize(
    ("broken", "report"),
    [
        pytest.param(b"NaN", "NaN", id="no number"),
        pytest.param(b"-Infinity", "-Infinity", id="infinite"),
        pytest.param(b"9" * 5_000, "999", id="more digits than Python reads"),
        pytest.param(b"1e99999999999999999999", "1e999", id="an exponent without end"),
    ],
)
@pytest.mark.parametrize("indent", [4, None])
def test_an_invalid_number_costs_only_its_record(broken: bytes, report: str, indent: int | None) -> None:
    content = json.dumps(SOME, indent=indent).encode().replace(b"5.5", broken)

    result = read_content(content)

    assert list(records(result)) == [user for user in SOME if user != "zoë 😀"]
    assert result.damages == []
    (refusal,) = result.faults
    assert (refusal.user, refusal.field) == ("zoë 😀", "total_budget")
    assert refusal.value.startswith(report)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        pytest.param(b"05.5", "Expecting ',' delimiter", id="a leading zero"),
        pytest.param(b"five", "Expecting value", id="no JSON"),
        pytest.param(b"[" * 100_000, "nested too deep", id="nesting without end"),
        pytest.param(b"5.5}, 7", "is damaged at byte", id="a brace too many"),
    ],
)
def test_a_record_that_is_no_json_costs_only_itself(broken: bytes, complaint: str) -> None:
    result = read_content(saved(SOME).replace(b"5.5", broken))

    assert list(records(result)) == [user for user in SOME if user != "zoë 😀"]
    (damage,) = result.damages
    assert damage.user == "zoë 😀"
    assert complaint in damage.sentence


@pytest.mark.parametrize("name", [b"\\ud800", b"\xff\xfe", b"\xed\xa0\x80"])
def test_a_name_that_is_no_text_is_refused_and_never_read_as_another(name: bytes) -> None:
    result = read_content(saved(SOME).replace(b"dave", name))

    assert list(records(result)) == list(SOME)[:3]
    assert [(each.field, each.rule) for each in result.faults] == [("user", "must be 1 to 256 bytes of UTF-8")]


def test_of_a_user_that_occurs_twice_the_last_record_counts() -> None:
    result = read_content(b'{"a": {"total_budget": 1}, "b": {"total_budget": 2}, "a": {"total_budget": 3}}')

    assert {user: record.total_nano_usd for user, record in records(result).items()} == {
        "a": 3 * 10**9,
        "b": 2 * 10**9,
    }
    assert [note.user for note in result.notes] == ["a"]


def test_of_a_user_before_and_behind_a_damage_the_first_record_counts() -> None:
    older = saved({"dave": {"total_budget": 1}})

    result = read_content(saved(SOME) + older)

    assert records(result)["dave"].total_nano_usd == 100_000_000
    assert "again after it is damaged" in result.notes[0].sentence


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"[]", "a list"), (b"null", "null"), (b'"x"', "a text"), (b" 5 ", "a number"), (b"true", "true or false")],
)
def test_json_of_another_kind_is_refused(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "user_cost.json").write_bytes(content)

    with pytest.raises(FileRefused, match=f"must be a JSON object with a record for each user, got {kind}"):
        read(tmp_path / "user_cost.json")


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_lost_everything(content: bytes) -> None:
    result = read_content(content)

    assert result.records == []
    assert [damage.sentence for damage in result.damages] == ["the file is empty: whatever was in it is lost"]


def test_a_file_without_users_is_whole() -> None:
    assert read_content(saved({})) == Reading(2, [], [], [], [])


def test_what_is_no_file_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "long.json").write_bytes(saved(SOME))
    monkeypatch.setattr(reading, "FILE_BYTES_MAX", 100)

    for name, rule in (("none.json", "does not exist"), (".", "is not a file"), ("long.json", "at most 100 bytes")):
        with pytest.raises(FileRefused, match=rule):
            read(tmp_path / name)
