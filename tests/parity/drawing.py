"""Draws what random calls need, from a seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.parity.completions import CHAT_MODELS, Tokens

DAY_SECONDS = 86_400
USERS = ("alice", "bob", "1234", "user with spaces", "team/ünï-☃", "x" * 64)
STRANGER = "nobody"
WORDS = ("hello", "world", "budget", "Überweisung", "sunny day", "42", "中文字符", "def f(x):", "\n", "🙂", "it's")


@dataclass(frozen=True, slots=True)
class Step:
    """A call, and how a person would write it."""

    text: str
    call: Callable[[Any], Any]
    #: What LiteLLM's class, amended, is to do instead; None: the same.
    amended: Callable[[Any], Any] | None = None


class Draw:
    """Draws what a step needs. Equal seeds and states give equal steps."""

    def __init__(self, seed: int, begun_at: int) -> None:
        self.random = random.Random(seed)
        #: Whole seconds since 1970; created budgets lie before it.
        self.begun_at = begun_at
        #: The users there are; set before each step.
        self.known: list[str] = []

    def user(self) -> str:
        """Mostly one that exists, at times one that does not, rarely one that never will."""
        chance = self.random.random()
        if chance < 0.08:
            return STRANGER
        return self.random.choice(self.known if self.known and chance < 0.85 else USERS)

    def amount(self) -> float:
        """A budget or a cost in dollars, of whole micro-dollars."""
        return self.random.choice([0, 10, 0.5, 1e-6, round(self.random.uniform(0, 100), 6)])

    def past_time(self) -> float:
        """A time that is far from where a window ends, in case the calls take a while."""
        days = self.random.choice([0, 0, 1, 3, 8, 29, 100, 400])
        return self.begun_at - days * DAY_SECONDS - self.random.choice([0, 0.25, 3_600, 43_200.5])

    def tokens(self, model: str) -> Tokens:
        """Fours, since some cached tokens cost quarters of a nano-dollar."""
        caches, reasons = CHAT_MODELS[model]
        prompt, answer = 4 * self.random.randint(0, 3_000), 4 * self.random.randint(0, 500)
        return Tokens(
            prompt=prompt,
            completion=answer,
            cached=4 * self.random.randint(0, prompt // 4) if caches and self.random.random() < 0.5 else None,
            reasoning=self.random.randint(0, answer) if reasons and self.random.random() < 0.5 else None,
        )

    def text(self) -> str:
        """A few words, never empty."""
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 12)))


def called(method: str, *args: Any, **kwargs: Any) -> Step:
    """The step that calls a method with these arguments."""
    call_arguments = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])
    return Step(f"{method}({call_arguments})", lambda manager: getattr(manager, method)(*args, **kwargs))
