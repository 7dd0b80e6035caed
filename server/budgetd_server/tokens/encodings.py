"""The encodings with shipped vocabularies: chooses the one for a model, and loads it."""

import binascii
import gzip
import hashlib
import json
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tiktoken

DATA = Path(__file__).parent / "data"

#: The encoding in which LiteLLM counts every model that it does not recognise as OpenAI's.
DEFAULT_ENCODING = "cl100k_base"


class VocabularyDamagedError(RuntimeError):
    """A vocabulary file is not the shipped one, so its counts would be wrong."""


class EncodingChoice(NamedTuple):
    """The encoding for a model, and whether it is known to be the model's own or is only a substitute."""

    name: str
    is_own: bool


def choose_encoding(model: str) -> EncodingChoice:
    """Choose an encoding as LiteLLM does: OpenAI's models, by bare name, have their own; all others cl100k_base.

    So "gpt-5" is counted in o200k_base, and "openai/gpt-5", "claude-sonnet-4-5" and any unknown name in
    cl100k_base.
    """
    name = _table().models.get(model)
    return EncodingChoice(name or DEFAULT_ENCODING, is_own=name is not None)


class Encodings:
    """Loads each encoding once, on first use. Thread-safe."""

    def __init__(self, folder: Path = DATA) -> None:
        self._folder = folder
        self._loaded: dict[str, tiktoken.Encoding | None] = {}
        self._lock = threading.Lock()

    def is_loaded(self, name: str) -> bool:
        """Whether `get` returns without reading a file."""
        return name in self._loaded

    def get(self, name: str) -> "tiktoken.Encoding | None":
        """Return the encoding of a name, or None if its vocabulary is missing. The first call takes about 0.4 s.

        Raises:
            VocabularyDamagedError: The file's SHA-256 is not the one that tiktoken expects.
        """
        if name not in self._loaded:
            with self._lock:
                if name not in self._loaded:
                    self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> "tiktoken.Encoding | None":
        known = _table().encodings.get(name)
        path = self._folder / f"{name}.tiktoken.gz"
        if known is None or not path.exists():
            return None
        try:
            vocabulary = gzip.decompress(path.read_bytes())
        except (EOFError, OSError, ValueError) as error:
            raise VocabularyDamagedError(f"{path}: cannot be unpacked: {error}") from error
        if hashlib.sha256(vocabulary).hexdigest() != known.sha256:
            raise VocabularyDamagedError(f"{path}: its SHA-256 is not {known.sha256}")
        # Imported here, so that a server that never counts a text does not load tiktoken. Its own loader is not used:
        # it would keep a copy of the file in a temporary folder, and download a missing one.
        import tiktoken  # noqa: PLC0415

        ranks = {}
        for line in vocabulary.splitlines():
            token, rank = line.split()
            ranks[binascii.a2b_base64(token)] = int(rank)
        # Texts never contain special tokens here: "<|endoftext|>" is counted as ordinary characters.
        return tiktoken.Encoding(name, pat_str=known.pattern, mergeable_ranks=ranks, special_tokens={})


class _Known(NamedTuple):
    sha256: str
    pattern: str


class _Table(NamedTuple):
    encodings: Mapping[str, _Known]
    models: Mapping[str, str]


@cache
def _table() -> _Table:
    """Read what tools/import_tokenizers.py has written: the encodings, and which one each OpenAI model has."""
    read = json.loads((DATA / "encodings.json").read_text("utf-8"))
    return _Table({name: _Known(**known) for name, known in read["encodings"].items()}, read["models"])
