"""Logs all sorts of lines the way a server does; run by test_logs.py in a process of its own.

Usage: python logging_program.py text|json. Log set-up is for the whole process, so a test must not do it in its own.
"""

import logging
import sys

from budgetd_server import log as logs

ODD = "a\nforged level=error\x1b[31m\x00\u2028b"


def main(form: str) -> None:
    """Log."""
    logs.set_up(level="info", is_json=form == "json")
    log = logging.getLogger("budgetd_server")
    log.debug("not shown")
    log.info("an id", extra={"budget_id": ODD})
    event = f"event {ODD}"
    log.info(event)
    logging.getLogger("library").warning("a library says %s", ODD, extra={"kind": ODD})
    prompt = "PROMPT-TEXT"
    try:
        raise ValueError(ODD) if prompt else AssertionError
    except ValueError:
        log.exception("unexpected error", extra={"incident_id": "1"})


if __name__ == "__main__":
    main(sys.argv[1])
