"""Standard output that says so when it cannot be written, in place of a traceback and an exit code that means else."""

import os
import sys
from collections.abc import Callable
from errno import EPIPE
from typing import Any, TextIO, TypeVar, cast

from budgetd_server.cli.failing import EXIT_UNWRITTEN, OUTPUT, Failure

T = TypeVar("T")


class Output:
    """A stream that ends the command with exit code 3 if it cannot be written; in all else it is the stream given."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """See TextIO.write."""
        if text == "":  # Typer tries what kind of stream this is, and catches what is raised.
            return 0
        return self._attempt(lambda: self._stream.write(text))

    def flush(self) -> None:
        """See TextIO.flush."""
        self._attempt(self._stream.flush)

    def _attempt(self, write: Callable[[], T]) -> T:
        try:
            return write()
        except OSError as error:
            # What is still in the buffer goes nowhere, or the interpreter would try again when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if error.errno == EPIPE:  # Whoever reads has had enough, as `head` has.
                sys.exit(EXIT_UNWRITTEN)
            raise Failure(
                f"standard output cannot be written ({error.strerror}): the result is incomplete, and what the command "
                "has changed stays changed",
                reason=OUTPUT,
                exit_code=EXIT_UNWRITTEN,
            ) from error


def watch_output() -> None:
    """Let standard output be one of these."""
    sys.stdout = cast(TextIO, Output(sys.stdout))
