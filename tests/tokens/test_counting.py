"""Token counts: LiteLLM's, to the token, without the network."""

import asyncio
import gzip
import inspect
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public  # type: ignore[import-untyped]

from budgetd_server.domain.errors import InvalidField
from budgetd_server.tokens import (
    TEXT_BYTES_MAX,
    AsyncTokenCounter,
    TokenCount,
    TokenCounter,
    VocabularyDamagedError,
)
from budgetd_server.tokens.encodings import DATA, Encodings, choose_encoding

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "prices" / "golden_litellm.json").read_text("utf-8"))
COUNTER = TokenCounter()
#: A text with another number of tokens in each encoding.
DISTINCT = "Übermäßige Größe, 你好世界"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may ask the network."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a token count must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("model", GOLDEN["tokens"])
def test_texts_count_what_litellm_counts(model: str) -> None:
    counts = {
        name: {
            "chat_text": COUNTER.count_chat_text(model, text).tokens,
            "contents": COUNTER.count_contents(model, [text]).tokens,
        }
        for name, text in GOLDEN["texts"].items()
    }

    assert counts == GOLDEN["tokens"][model]


def test_a_chat_text_counts_seven_tokens_more_than_the_text() -> None:
    bare, chat = COUNTER.count_contents("gpt-4o", ["hello world"]), COUNTER.count_chat_text("gpt-4o", "hello world")

    assert (bare.tokens, chat.tokens) == (2, 9)


def test_contents_are_joined_before_they_are_counted() -> None:
    apart = [COUNTER.count_contents("gpt-4o", [text]).tokens for text in ("hel", "lo")]

    assert COUNTER.count_contents("gpt-4o", ["hel", "lo"]).tokens == 1 < sum(apart)


def test_messages_count_their_frames_and_the_beginning_of_the_answer() -> None:
    messages = [("system", "hello world"), ("user", "hello world")]

    assert COUNTER.count_messages("gpt-4o", messages).tokens == 2 * (3 + 1 + 2) + 3
    assert COUNTER.count_messages("gpt-4o", []).tokens == 3


@pytest.mark.parametrize(
    ("model", "encoding", "is_own"),
    [
        pytest.param("gpt-4o", "o200k_base", True, id="gpt-4o"),
        pytest.param("gpt-5", "o200k_base", True, id="tiktoken's own table"),
        pytest.param("gpt-4", "cl100k_base", True, id="an older model"),
        pytest.param("openai/gpt-5", "cl100k_base", False, id="LiteLLM does not know it with a prefix"),
        pytest.param("azure/gpt-4o", "cl100k_base", False, id="nor another provider's gpt-4o"),
        pytest.param("claude-sonnet-4-5", "cl100k_base", False, id="another vendor"),
        pytest.param("", "cl100k_base", False, id="no name"),
    ],
)
def test_the_encoding_is_the_one_that_litellm_chooses(model: str, encoding: str, is_own: bool) -> None:
    assert choose_encoding(model) == (encoding, is_own)
    own = Encodings().get(encoding)
    assert own is not None
    assert COUNTER.count_contents(model, [DISTINCT]) == TokenCount(len(own.encode_ordinary(DISTINCT)), is_own)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3000), st.sampled_from(["gpt-4o", "gpt-4"]))
def test_the_utf8_length_is_never_less_than_the_count(text: str, model: str) -> None:
    assert COUNTER.count_contents(model, [text]).tokens <= len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("text", ["<|endoftext|>", "\udc80 alone", "\x00", "🏳️‍🌈" * 500])
def test_no_text_can_make_a_count_fail(text: str) -> None:
    assert COUNTER.count_contents("gpt-4o", [text]).tokens > 0


def test_a_hostile_text_takes_time_in_proportion_to_its_length() -> None:
    # One token run of a million letters, in which a quadratic encoder would not end.
    assert COUNTER.count_contents("gpt-4", ["a" * 1_000_000]).tokens == 125_000


def test_without_a_vocabulary_the_utf8_length_is_the_bound(tmp_path: Path) -> None:
    counter = TokenCounter(Encodings(tmp_path))

    assert counter.count_contents("gpt-4o", ["Grüße"]) == TokenCount(7, is_exact=False)
    assert counter.count_chat_text("gpt-4o", "Grüße") == TokenCount(7 + 4 + 6, is_exact=False)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda packed: packed[:-1000], id="torn"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda packed: gzip.compress(gzip.decompress(packed)[:-9]), id="a line short"),
    ],
)
def test_a_damaged_vocabulary_is_refused_by_name(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    packed = (DATA / "cl100k_base.tiktoken.gz").read_bytes()
    (tmp_path / "cl100k_base.tiktoken.gz").write_bytes(damage(packed))

    with pytest.raises(VocabularyDamagedError, match=r"cl100k_base\.tiktoken\.gz"):
        TokenCounter(Encodings(tmp_path)).preload()


def test_the_hashes_are_the_ones_that_tiktoken_expects() -> None:
    known = json.loads((DATA / "encodings.json").read_text("utf-8"))["encodings"]

    for name, encoding in known.items():
        assert encoding["sha256"] in inspect.getsource(getattr(openai_public, name))
    assert "MIT License" in (DATA / "LICENSE.tiktoken").read_text("utf-8")


def test_an_encoding_is_loaded_once_for_all_callers() -> None:
    loads: list[str] = []
    together = threading.Barrier(8)

    class Noting(Encodings):
        def _load(self, name: str) -> tiktoken.Encoding | None:
            loads.append(name)
            return super()._load(name)

    encodings = Noting()

    def ask(_: int) -> object:
        together.wait(timeout=90)
        return encodings.get("cl100k_base")

    with ThreadPoolExecutor(8) as pool:
        found = set(map(id, pool.map(ask, range(8))))

    assert (len(loads), len(found)) == (1, 1)


def test_importing_the_package_does_not_load_tiktoken() -> None:
    code = "import budgetd_server.tokens, sys; sys.exit('tiktoken' in sys.modules)"

    environment = {"PYTHONPATH": ":".join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


@pytest.fixture
def counting() -> Iterator[AsyncTokenCounter]:
    counter = AsyncTokenCounter(COUNTER)
    yield counter
    counter.close()


def test_async_counts_are_the_counts(counting: AsyncTokenCounter) -> None:
    long = "hello world, " * 1000

    async def ask() -> list[TokenCount]:
        await counting.preload()
        return [
            await counting.count_contents("gpt-4o", [long], field="text"),
            await counting.count_chat_text("gpt-4o", "hello", field="text.input"),
            await counting.count_contents("gpt-4o", [long, long], field="messages"),
            await counting.count_messages("gpt-4o", [("user", long)], field="messages"),
        ]

    assert asyncio.run(ask()) == [
        COUNTER.count_contents("gpt-4o", [long]),
        COUNTER.count_chat_text("gpt-4o", "hello"),
        COUNTER.count_contents("gpt-4o", [long, long]),
        COUNTER.count_messages("gpt-4o", [("user", long)]),
    ]


def test_a_long_text_is_counted_in_another_thread_and_a_short_one_here(
    counting: AsyncTokenCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    count = COUNTER.count_contents

    def noting(model: str, contents: Iterable[str]) -> TokenCount:
        threads.append(threading.current_thread().name)
        return count(model, contents)

    COUNTER.preload()
    monkeypatch.setattr(COUNTER, "count_contents", noting)

    async def ask() -> None:
        await counting.count_contents("gpt-4o", ["short"], field="text")
        await counting.count_contents("gpt-4o", ["long " * 1000], field="text")

    asyncio.run(ask())

    assert threads[0] == threading.current_thread().name
    assert threads[1].startswith("tokens")


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        pytest.param("a" * TEXT_BYTES_MAX, False, id="as long as may be"),
        pytest.param("a" * (TEXT_BYTES_MAX + 1), True, id="a byte more"),
        pytest.param("ü" * (TEXT_BYTES_MAX // 2 + 1), True, id="fewer characters, but more bytes"),
    ],
)
def test_a_text_of_more_than_four_mebibytes_is_refused_by_its_field(
    tmp_path: Path, text: str, is_refused: bool
) -> None:
    counting = AsyncTokenCounter(TokenCounter(Encodings(tmp_path)))  # Without vocabularies, so that it is quick.

    def ask() -> TokenCount:
        return asyncio.run(counting.count_contents("gpt-4o", [text], field="messages.messages"))

    if is_refused:
        with pytest.raises(InvalidField) as refused:
            ask()
        assert refused.value.violations[0].field == "messages.messages"
        assert str(TEXT_BYTES_MAX) in refused.value.violations[0].description
    else:
        assert ask().tokens == TEXT_BYTES_MAX
    counting.close()
