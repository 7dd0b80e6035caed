"""Reports a failed write to standard output with its own exit code instead of a traceback."""

import os
import sys
from collections.abc import Callable
from errno import EPIPE
from typing import Any, TextIO, TypeVar, cast

from budgetd_server.cli.failing import EXIT_UNWRITTEN, OUTPUT, Failure

T = TypeVar("T")


class Output:
    """Wraps a stream; ends the command with exit code 3 if it cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """See TextIO.write."""
        if text == "":  # Typer probes the kind of stream with it, and catches errors.
            return 0
        return self._attempt(lambda: self._stream.write(text))

    def flush(self) -> None:
        """See TextIO.flush."""
        self._attempt(self._stream.flush)

    def _attempt(self, write: Callable[[], T]) -> T:
        try:
            return write()
        except OSError as error:
            # Discard what is still in the buffer; otherwise the interpreter would try to write it again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if error.errno == EPIPE:  # The reader has stopped early, as `head` does.
                sys.exit(EXIT_UNWRITTEN)
            raise Failure(
                f"standard output cannot be written ({error.strerror}): the result is incomplete, and what the command "
                "has changed stays changed",
                reason=OUTPUT,
                exit_code=EXIT_UNWRITTEN,
            ) from error


def watch_output() -> None:
    """Replace standard output by an `Output`."""
    sys.stdout = cast(TextIO, Output(sys.stdout))
