"""LiteLLM and its class, without the network; tests that import this are skipped where it is not installed."""

import contextlib
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

# LiteLLM reads these once, when it is imported: the prices are those of its package, and no tokenizer is fetched.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

litellm: Any = pytest.importorskip("litellm", reason="LiteLLM is not in this environment: run `make parity`")
# Or it prints a list of providers with every model that it does not know.
litellm.suppress_debug_info = True
# Its classes of answers are built when one is first made, with a warning about a TypedDict.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    litellm.ModelResponse().model_dump()


class Theirs(litellm.BudgetManager):  # type: ignore[misc]
    """LiteLLM's class in a folder of its own, whose saves are done when its methods return.

    Its file is always in the working folder, and it saves on a thread that is not awaited. Nothing else is changed.
    """

    def __init__(self, project_name: str, folder: Path) -> None:
        self._folder = folder
        super().__init__(project_name)

    def load_data(self) -> None:
        """Read the file."""
        with contextlib.chdir(self._folder):
            super().load_data()

    def save_data(self) -> Any:
        """Write the file."""
        with contextlib.chdir(self._folder):
            return super().save_data()

    def close(self) -> None:
        """Do nothing: it holds nothing open."""

    def _save_data_thread(self) -> None:
        self.save_data()
