"""Reads the Dockerfile into stages, for the rehearsal and for the rules that it must keep."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continued lines joined: `COPY` with `server server`."""

    name: str
    value: str

    def exec_form(self) -> list[str]:
        """The words of an instruction in exec form, such as `["budgetd"]`.

        Raises:
            ValueError: It is in shell form, which would put a shell between the signal and the server.
        """
        words = json.loads(self.value)
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"{self.name} must be a JSON list of strings, got {self.value}")
        return words


@dataclass(frozen=True, slots=True)
class Stage:
    """What follows one FROM; `name` is empty for a stage without AS."""

    image: str
    name: str
    instructions: list[Instruction]

    def values(self, name: str) -> list[str]:
        """The values of every instruction of that name, in order."""
        return [each.value for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        """The instruction of that name which takes effect: the last one.

        Raises:
            LookupError: The stage has none.
        """
        for each in reversed(self.instructions):
            if each.name == name:
                return each
        raise LookupError(f"the stage FROM {self.image} has no {name}")

    def environment(self) -> dict[str, str]:
        """What ENV sets, as written: `$PATH` is not expanded."""
        words = " ".join(self.values("ENV")).split()
        return dict(word.split("=", 1) for word in words)

    def health_command(self) -> list[str]:
        """The words of HEALTHCHECK's command, after its options."""
        value = self.last("HEALTHCHECK").value
        return Instruction("HEALTHCHECK CMD", re.split(r"\bCMD\b", value, maxsplit=1)[1].strip()).exec_form()


def read_stages(path: Path = REPOSITORY / "Dockerfile") -> list[Stage]:
    """The stages of a Dockerfile. Comments are dropped, and lines ending in a backslash joined."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE)
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not line.strip():
            continue
        name, value = line.strip().split(maxsplit=1)
        if name == "FROM":
            image, _, alias = value.partition(" AS ")
            stages.append(Stage(image, alias, []))
        else:
            stages[-1].instructions.append(Instruction(name, value))
    return stages
