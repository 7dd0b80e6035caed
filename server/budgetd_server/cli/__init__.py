"""The command line: `budgetd serve` and its like run and keep a server; `create`, `charge`, `show` and others ask one.

Results go to standard output, everything else to standard error. Exit codes: 0 done; 1 refused, failed or not in order;
2 the command cannot be carried out as given (bad settings, a file that must not be used, a port in use).
"""

import typer

from budgetd_server.cli import maintain, serve

app = typer.Typer(
    name="budgetd",
    help="Spend budgets for programs that call paid APIs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("migrate")(maintain.migrate)
app.command("verify")(maintain.verify)


def main() -> None:
    """Run the program."""
    app()
