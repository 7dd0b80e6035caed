"""The command line: `serve`, `migrate` and `verify` run and maintain a server; `create`, `charge` and others call one.

Results go to standard output, everything else to standard error. Exit codes: 0: done. 1: refused or failed, or a check
found a problem. 2: the command cannot be carried out as given (bad settings, a file that must not be used, a port in
use). 3: standard output cannot be written.

A command's module is imported only when the command is called: `budgetd health` and `budgetd show` need neither prices
nor the engine, and start in a fraction of the time.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperGroup


class Command(NamedTuple):
    """Where a command is defined, and its line in `budgetd --help`, which does not import it."""

    module: str
    function: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "serve": Command("serve", "serve", "Run a server until a signal stops it."),
    "migrate": Command("maintain", "migrate", "Bring a database up to date, or make a new one."),
    "verify": Command("maintain", "verify", "Recount a whole ledger and name everything that does not agree."),
    "health": Command("health", "health", "Ask whether a server is serving; the health check of containers."),
    "create": Command("change", "create", "Create a budget."),
    "charge": Command("charge", "charge", "Record a cost that happened."),
    "show": Command("show", "show", "Show a budget: its limits, what was spent, and on which models."),
    "list": Command("show", "list_budgets", "List a project's budgets and what was spent."),
    "reset": Command("change", "reset", "Restart the count of a budget, or of all whose window is over."),
    "import": Command("move", "import_user_cost", "Import the budgets of LiteLLM's user_cost.json."),
    "export": Command("move", "export", "Write a project's budgets as LiteLLM's user_cost.json."),
}

_SETTINGS: Mapping[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    # Plain text: usage errors stay one line that programs can find, and help does not need rich.
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["--help", "-h"]},
}
HELP = "help"


class CommandGroup(TyperGroup):
    """The commands above, each loaded on first use."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature.
        """Return the names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - typer's signature.
        """Load a command by its name. Returns None if there is no such command."""
        command = COMMANDS.get(cmd_name)
        if command is None:
            return None
        module = import_module(f"budgetd_server.cli.{command.module}")
        alone = typer.Typer(**_SETTINGS)
        alone.command(cmd_name)(getattr(module, command.function))
        return typer.main.get_command(alone)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Rewrite `budgetd help COMMAND` to `budgetd COMMAND --help`."""
        if args[:1] == [HELP]:
            args = [*(name for name in args[1:2] if name != HELP), "--help"]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; for an unknown one, the error suggests similar names."""
        near = get_close_matches(args[0], [*COMMANDS, HELP])
        if near and args[0] not in COMMANDS:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **more: Any) -> NoReturn:
        """Run a command and end the program with its exit code."""
        words = sys.argv[1:] if args is None else list(args)
        try:
            code = super().main(words, *rest, **{**more, "standalone_mode": False})
        except Exception as error:  # noqa: BLE001 - `show` raises unexpected exceptions again.
            from budgetd_server.cli.failing import JSON_OPTION, show  # noqa: PLC0415 - most commands succeed.

            code = show(error, as_json=JSON_OPTION in words)
        sys.exit(code or 0)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer's signature.
        """Write the list of commands in the help, without importing any."""
        with formatter.section("Commands"):
            rows = [(name, command.summary) for name, command in COMMANDS.items()]
            formatter.write_dl([*rows, (HELP, "Show the help of a command: `budgetd help charge`.")])


app = typer.Typer(name="budgetd", cls=CommandGroup, no_args_is_help=True, **_SETTINGS)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version  # noqa: PLC0415 - it takes as long to import as all the rest.

        typer.echo(f"budgetd-server {version('budgetd-server')}")
        raise typer.Exit


@app.callback()
def budgetd(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
) -> None:
    """Spend budgets for programs that call paid APIs. `budgetd COMMAND --help` shows the options of a command."""


def main() -> None:
    """Run the program."""
    from budgetd_server.cli.output import watch_output  # noqa: PLC0415 - not for those who only import the commands.

    _open_standard_streams()
    watch_output()
    # gRPC logs what it also raises. It reads this variable when it is imported, and no command has imported it yet.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    app()


def _open_standard_streams() -> None:
    """Open the standard streams that the parent process has closed.

    Otherwise the next sockets and files would get their descriptors: printed text would be written into a ledger, and
    the event loop's library aborts the process when it has to close a descriptor below 3.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # It gets the lowest free descriptor.
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115
