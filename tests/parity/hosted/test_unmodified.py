"""The class that is tried here is LiteLLM's, as it was installed."""

import base64
import hashlib
import importlib.metadata
import inspect
from pathlib import Path

import pytest

from tests.parity.hosted.dictionary_server import DictionaryServer
from tests.parity.hosted.unmodified import PROJECT, opener
from tests.parity.theirs import litellm

SOURCE = "litellm/budget_manager.py"


def test_the_class_is_litellms_own_and_its_source_is_what_the_package_was_published_with(
    dictionary: DictionaryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    package = importlib.metadata.distribution("litellm")
    (published,) = (each for each in package.files or () if str(each) == SOURCE)
    assert published.hash is not None

    manager = opener(dictionary.api_base)(PROJECT)

    source = Path(inspect.getfile(type(manager)))
    digest = hashlib.sha256(source.read_bytes()).digest()
    with capsys.disabled():
        print(f"\nLiteLLM {package.version}, {SOURCE}: sha256 {digest.hex()}")  # noqa: T201 - the report.
    assert type(manager) is litellm.BudgetManager
    assert source.samefile(str(published.locate()))
    assert published.hash.value == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_every_method_is_the_one_in_its_source() -> None:
    source = inspect.getfile(litellm.BudgetManager)

    methods = {name: each for name, each in vars(litellm.BudgetManager).items() if callable(each)}

    assert "save_data" in methods
    assert {each.__code__.co_filename for each in methods.values()} == {source}
