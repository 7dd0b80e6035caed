"""Logs: one line per event on standard error, as text for people or JSON for programs.

Every module logs through the standard library; structlog only formats the lines. Fields of an event may be in `extra`.
No line contains a text to be counted or a token; ids that callers choose are escaped.
"""

import io
import logging
import sys
from typing import TextIO

import structlog

_CONTROL = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


def set_up(*, level: str, is_json: bool) -> None:
    """Begin to log, the lines of libraries included.

    Args:
        level: The least severity to show, such as "info".
        is_json: True: one JSON object a line.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor
    if is_json:
        renderer = structlog.processors.JSONRenderer()
        shared.append(structlog.processors.format_exc_info)
    else:
        shared.append(_on_one_line)
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_indented_traceback)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("uvicorn.access", "uvicorn.error", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_lost_answer)


def _is_no_lost_answer(record: logging.LogRecord) -> bool:
    """Filter out the stack that gRPC logs when a connection ends before its answer is written, which callers may do."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or kind.__name__ != "ExecuteBatchError"


def _on_one_line(
    logger: structlog.typing.WrappedLogger,  # noqa: ARG001 - structlog's signature.
    name: str,  # noqa: ARG001 - the same.
    event: structlog.typing.EventDict,
) -> structlog.typing.EventDict:
    """Escape what would end the line in the event; its other values are written with `repr`."""
    event["event"] = str(event["event"]).translate(_CONTROL)
    return event


def _indented_traceback(sio: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """Write the traceback with every line indented, so that no text in it can be mistaken for a line of the log.

    The default would also print local variables, which hold callers' requests, and take a third of a second.
    """
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    sio.write("\n".join(f"    {line.translate(_CONTROL)}" for line in plain.getvalue().splitlines()))
