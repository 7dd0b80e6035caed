"""A program: LiteLLM's class, as it is, that charges a thousand users of the working folder until it is killed.

`python -m tests.parity.saving_alone USERS` says "saving" once the first save is complete.
"""

import os
import sys

from litellm import BudgetManager

CHARGE = {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}}


def main(users: int) -> None:
    """Charge one user after the other, for ever."""
    manager = BudgetManager(project_name="killed")
    names = [f"user {number}" for number in range(users)]
    for name in names:
        manager.user_dict[name] = {"total_budget": 10}
    manager.save_data()
    os.write(1, b"saving\n")
    while True:
        for name in names:
            manager.update_cost(name, CHARGE)


if __name__ == "__main__":
    main(int(sys.argv[1]))
