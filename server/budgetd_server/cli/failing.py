"""Reports the failure of a command on standard error: one line for people, or one JSON object with `--json`."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:  # Wrong usage and `--help` need no gRPC.
    from budgetd import BudgetdError

#: A call was refused or failed, or a check found a problem.
EXIT_FAILED = 1
#: A usage error, or something (such as a file) that must not be used in its present state.
EXIT_REFUSED = 2
#: Standard output could not be written, so the result is incomplete whatever else happened.
EXIT_UNWRITTEN = 3
JSON_OPTION = "--json"
#: Reasons given by the program itself; all others come from the server.
USAGE, REFUSED, OUTPUT = "USAGE", "REFUSED", "OUTPUT"


class Failure(Exception):
    """Ends the command; `CommandGroup.main` prints it.

    Args:
        message: A sentence for people, in the terms of the command line.
        code: The name of a gRPC status code.
        reason: The server's reason, or one of this module; empty if the server gave none.
        violations: For every bad field, its name on the command line and a sentence.
        exit_code: The exit code of the program.
        more: Further members of the JSON object, such as `metadata`. Empty ones are left out.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        violations: Sequence[tuple[str, str]] = (),
        exit_code: int = EXIT_FAILED,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = " ".join(message.split())
        self.code = code
        self.reason = reason
        self.violations = violations
        self.exit_code = exit_code
        self.more = more or {}
        #: What to do about it, printed for people after the reason.
        self.hint = ""

    @property
    def line(self) -> str:
        """The sentence, followed by the server's reason if it gave one."""
        return f"{self.message} ({self.reason})" if self.reason not in ("", REFUSED, OUTPUT) else self.message


def failure_of(error: "BudgetdError") -> Failure:
    """Convert a refused or failed call to a Failure with exit code 1, in the terms of the command line."""
    from budgetd_server.cli.wording import reword_for_command_line  # noqa: PLC0415 - most commands succeed.

    reword_for_command_line(error)
    return Failure(
        str(error),
        code=error.code.name,
        reason=error.reason,
        violations=error.field_violations,
        more={
            "metadata": dict(sorted(error.metadata.items())),
            "request_id": error.request_id,
            "retry_after_seconds": error.retry_after_seconds,
        },
    )


def refuse(message: str) -> NoReturn:
    """End the command with exit code 2, because it cannot be carried out as given."""
    raise Failure(message, code="FAILED_PRECONDITION", reason=REFUSED, exit_code=EXIT_REFUSED)


def refuse_lines(message: str, lines: Sequence[str]) -> NoReturn:
    """Refuse with several faults: each on its own line, or a single one on the line of the message."""
    if len(lines) == 1:
        refuse(f"{message} {lines[0]}")
    failure = Failure(message, code="FAILED_PRECONDITION", reason=REFUSED, exit_code=EXIT_REFUSED)
    failure.hint = "".join(f"\n  {line}" for line in lines)
    raise failure


def show(error: Exception, *, as_json: bool) -> int:
    """Print on standard error why the command ends, and return its exit code.

    Raises:
        Exception: `error` itself, if it is neither a Failure nor a usage error of typer.
    """
    usage: Any = error  # Typer does not export the class of its errors; no other has this method.
    if not isinstance(error, Failure) and not hasattr(usage, "format_message"):
        raise error
    if isinstance(error, Failure):
        failure = error
    else:
        usage.message = _with_value(usage)
        text = usage.format_message()
        failure = Failure(text, code="INVALID_ARGUMENT", reason=USAGE, exit_code=int(usage.exit_code))
    if as_json:
        typer.echo(json.dumps(_object(failure)), err=True)
    elif failure is error:
        typer.echo(f"budgetd: {failure.line}{failure.hint}", err=True)
    else:
        usage.show()
    return failure.exit_code


def _with_value(usage: Any) -> str:
    """Return the message of a usage error, with the value that an option did not accept."""
    message = str(usage.message)
    faults = getattr(usage.__cause__, "errors", None)  # From pydantic, with which typer parses numbers.
    if faults is None:
        return message
    return f"{message.replace('Input should', 'must', 1)}, got {faults()[0]['input']!r}"


def _object(failure: Failure) -> dict[str, Any]:
    violations = [{"field": field, "description": description} for field, description in failure.violations]
    always = {
        "code": failure.code,
        "reason": failure.reason,
        "message": failure.message,
        "violations": violations,
    }
    return {"error": always | {name: value for name, value in failure.more.items() if value not in ("", {}, None)}}
