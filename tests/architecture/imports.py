"""Who imports whom, read from the source alone, and the table of who may."""

import ast
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
SERVER = REPOSITORY / "server"
CLIENT = REPOSITORY / "clients" / "python"

#: Calls that read a clock, whatever they are called on.
_CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a part of the tree may import in addition to the standard library."""

    #: Its own and other parts of its distribution, by their paths; a path stands for everything below it.
    parts: frozenset[str] = frozenset()
    #: Third-party packages and other distributions, likewise.
    libraries: frozenset[str] = frozenset()
    #: Modules of the standard library that it must not import.
    never: frozenset[str] = frozenset()
    #: Libraries for single files of the part, by file name.
    libraries_of: dict[str, frozenset[str]] = field(default_factory=dict)
    has_clock: bool = True


def _rule(parts: str, libraries: str = "", never: str = "", **more: object) -> Rule:
    words = (frozenset(words.split()) for words in (parts, libraries, never))
    rule = Rule(**dict(zip(("parts", "libraries", "never"), words, strict=True)), **more)  # type: ignore[arg-type]
    assert not rule.never - sys.stdlib_module_names, "third-party packages are forbidden unless they are allowed"
    return rule


#: By the name of a folder or module; "" is the package itself. A name with a dot is a folder in a folder: it has a
#: rule of its own, and the rule of the outer folder is for what else is in that.
#: None: everything, since these are the places that put the parts together.
SERVER_RULES: dict[str, Rule | None] = {
    "": _rule(""),
    "domain": _rule("domain", never="asyncio logging time threading sqlite3 socket", has_clock=False),
    "ledger": _rule("domain ledger", libraries_of={"ledger.py": frozenset({"aiosqlite"})}),
    "engine": _rule("domain engine ledger.base metrics", never="sqlite3"),
    "rpc": _rule(
        "connections domain engine metrics rpc tokens unix_sockets",
        "budgetd.v1 google grpc grpc_health grpc_reflection",
        "sqlite3",
    ),
    "http": _rule(
        "connections domain engine http metrics unix_sockets",
        "orjson prometheus_client starlette uvicorn",
        "sqlite3",
    ),
    "litellm": _rule(
        """domain.bounds domain.budget domain.commands domain.entry domain.errors domain.needs domain.results
        domain.steps domain.window litellm.record""",
        "budgetd.user_cost",
        never="asyncio sqlite3 time",
        has_clock=False,
    ),
    "litellm.hosted": _rule(
        "domain engine http litellm.hosted litellm.record litellm.saving metrics",
        "budgetd.user_cost orjson prometheus_client starlette",
        "sqlite3",
    ),
    "litellm.files": _rule("domain.bounds domain.errors domain.names litellm.files", "budgetd google"),
    "prices": _rule("domain prices", never="asyncio sqlite3 time urllib"),
    "tokens": _rule("domain tokens", "tiktoken", never="sqlite3 time urllib"),
    "metrics": _rule("", "prometheus_client"),
    "log": _rule("", "structlog"),
    "config": _rule("unix_sockets"),
    "unix_sockets": _rule(""),
    "connections": _rule(""),
    "core": _rule("domain engine ledger.base metrics rpc tokens", never="sqlite3"),
    "embedded": _rule("core domain engine.in_flight ledger metrics prices rpc tokens", "google", "sqlite3"),
    "app": None,
    "cli": None,
    "__main__": None,
}
#: LiteLLM is nowhere: its price file is data, and its class is matched, not used.
NOWHERE = "litellm"
CLIENT_LIBRARIES = frozenset({"google", "grpc"})
#: What an import by a function is called whose argument is no constant.
RUN_TIME = "a module that is known at run time only"


class Import(NamedTuple):
    """One import, or one look at a clock."""

    line: int
    #: The dotted name of a module; of a clock, its name in brackets.
    name: str


@lru_cache(maxsize=1_000)
def imports_of(source: str, path: str, modules: frozenset[str]) -> tuple[Import, ...]:
    """Everything that a file imports, wherever in it, for type checkers or at run time.

    Args:
        source: Its text.
        path: Where it is, from the folder that holds its top-level package.
        modules: The dotted names of all modules of that package: `from a import b` imports `a.b` if that is one.
    """
    found: list[Import] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [Import(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whence = _absolute(node, path)
            deeper = [f"{whence}.{alias.name}" for alias in node.names]
            found += [Import(node.lineno, name if name in modules else whence) for name in deeper]
        elif isinstance(node, ast.Call):
            found += _called(node)
    return tuple(found)


def violations(root: Path, package: str, rules: dict[str, Rule | None]) -> list[str]:
    """Each import of a package that its rule does not allow, as a sentence."""
    files = sorted(file for file in (root / package).rglob("*.py"))
    modules = frozenset(_module(file, root) for file in files)
    found = []
    for file in files:
        rule = _rule_of(_module(file, root).partition(".")[2], rules)
        path = file.relative_to(root).as_posix()
        for each in imports_of(file.read_text(encoding="utf-8"), path, modules):
            trouble = _trouble(each, file.name, package, rule)
            if trouble:
                found.append(f"{path}:{each.line}: {trouble}")
    return found


def client_rules(root: Path) -> dict[str, Rule | None]:
    """One rule for every hand-written module of the client; generated code is left alone."""
    parts = {_module(file, root).partition(".")[2].partition(".")[0] for file in (root / "budgetd").rglob("*.py")}
    own = Rule(parts=frozenset(parts), libraries=CLIENT_LIBRARIES)
    # The package itself imports its names when they are first used.
    lazy = Rule(parts=frozenset(parts), libraries=frozenset({RUN_TIME}))
    local = Rule(parts=frozenset(parts), libraries=CLIENT_LIBRARIES | {"budgetd_server"})
    return dict.fromkeys(parts, own) | {"": lazy, "v1": None, "local": local}


def _rule_of(name: str, rules: dict[str, Rule | None]) -> Rule | None:
    """Find the rule of a module: that of the innermost folder that has one."""
    while name not in rules and "." in name:
        name = name.rpartition(".")[0]
    return rules[name]


def _trouble(each: Import, file_name: str, package: str, rule: Rule | None) -> str | None:
    top = each.name.partition(".")[0]
    if top == NOWHERE:
        return f"{NOWHERE} is imported nowhere"
    if rule is None:
        return None
    if each.name.startswith("("):
        return None if rule.has_clock else f"reads a clock: {each.name}"
    if top in sys.stdlib_module_names:
        return f"may not import {each.name}" if top in rule.never else None
    if top == package:
        below = each.name.partition(".")[2]
        return None if not below or _is_within(below, rule.parts) else f"may not import {each.name}"
    libraries = rule.libraries | rule.libraries_of.get(file_name, frozenset())
    return None if _is_within(each.name, libraries) else f"may not import {each.name}"


def _is_within(name: str, allowed: frozenset[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def _module(file: Path, root: Path) -> str:
    names = file.relative_to(root).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def _absolute(node: ast.ImportFrom, path: str) -> str:
    if not node.level:
        return node.module or ""
    folders = path.split("/")[: -node.level]
    return ".".join([*folders, *([node.module] if node.module else [])])


def _called(node: ast.Call) -> list[Import]:
    """Imports by a function, and looks at a clock."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called in {"import_module", "__import__"}:
        named = [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
        return [Import(node.lineno, str(named[0]) if named else RUN_TIME)]
    if called in _CLOCKS and isinstance(node.func, ast.Attribute):
        return [Import(node.lineno, f"({called})")]
    return []
