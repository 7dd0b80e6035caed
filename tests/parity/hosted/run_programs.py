"""A program: runs one of the programs of LiteLLM's page on each of some servers, as a process of its own would.

`python -m tests.parity.hosted.run_programs NAME BUDGET CALLS API_BASE...` writes the result of each server as JSON.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tests.parity import programs
from tests.parity.hosted.unmodified import opener, wait_for_saves


def run(
    program: Callable[..., programs.Figures], api_base: str, *, total_budget: float, calls: int, saves_again: bool
) -> dict[str, Any]:
    """The output of a program, and the input of the next one.

    Args:
        program: It makes its manager itself.
        api_base: The server.
        total_budget: Of the user.
        calls: How many calls are asked for.
        saves_again: For a server on which a save that comes late undoes the others: save once more at the end.
    """
    opened: list[Any] = []

    def open_manager(**arguments: Any) -> Any:
        opened.append(opener(api_base)(**arguments))
        return opened[-1]

    output = program(open_manager, total_budget=total_budget, calls=calls)
    wait_for_saves()
    if saves_again:
        opened[-1].save_data()
    manager = opener(api_base)(programs.PROJECT)
    kept = {user: [manager.get_current_cost(user), manager.get_model_cost(user)] for user in manager.get_users()}
    return {"told": asdict(output), "kept": kept}


def main(name: str, total_budget: str, calls: str, *api_bases: str) -> None:
    """Run a program on each server, the first of which is the dictionary."""
    program = getattr(programs, name)
    come_to = [
        run(program, each, total_budget=float(total_budget), calls=int(calls), saves_again=each == api_bases[0])
        for each in api_bases
    ]
    sys.stdout.write(json.dumps(come_to))


if __name__ == "__main__":
    main(*sys.argv[1:])
