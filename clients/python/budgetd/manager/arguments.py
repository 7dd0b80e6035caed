"""Rewords Python's errors about arguments: they name the public class, and suggest the nearest argument."""

import difflib
import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
SelfT = TypeVar("SelfT")
_CALL = re.compile(r"^[\w.]+\(\)")
_UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'$")


def names_its_class(init: Callable[Concatenate[SelfT, P], None]) -> Callable[Concatenate[SelfT, P], None]:
    """Wrap an inherited constructor so that errors about its arguments name the class that was called."""
    signature = inspect.signature(init)

    @wraps(init)
    def checked(self: SelfT, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            signature.bind(self, *args, **kwargs)
        except TypeError:
            try:
                init(self, *args, **kwargs)  # Raises Python's own error, whose text is used.
            except TypeError as error:
                raise refused(error, f"{type(self).__name__}.__init__", signature) from None
        else:
            init(self, *args, **kwargs)

    return checked


def refused(error: TypeError, name: str, signature: inspect.Signature) -> TypeError:
    """Return the error to raise in place of Python's own.

    Args:
        error: Python's error about the arguments.
        name: The class or method that was called.
        signature: The arguments that it has.
    """
    text = _CALL.sub("", str(error)).strip()
    unknown = _UNKNOWN.search(text)
    near: list[Any] = difflib.get_close_matches(unknown[1], list(signature.parameters)[1:], 1) if unknown else []
    return TypeError(f"{name}() {text}" + "".join(f"; did you mean {each!r}?" for each in near))
