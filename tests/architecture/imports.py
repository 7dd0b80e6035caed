"""Who imports whom, read from the source alone, and the table of who may."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SERVER = REPOSITORY / "server"
CLIENT = REPOSITORY / "clients" / "python"

#: Calls that read a clock, whatever they are called on.
_CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a part of the tree may import beside the standard library."""

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


#: By the name of a folder or module; "" is the package itself.
#: None: everything, since these are the places that put the parts together.
SERVER_RULES: dict[str, Rule | None] = {
    "": _rule(""),
    "domain": _rule("domain", never="asyncio logging time threading sqlite3 socket", has_clock=False),
    "ledger": _rule("domain ledger", libraries_of={"sqlite.py": frozenset({"aiosqlite"})}),
    "engine": _rule("domain engine ledger.base metrics", "structlog", "sqlite3"),
    "rpc": _rule(
        "domain engine metrics rpc tokens",
        "budgetd.v1 google grpc grpc_health grpc_reflection structlog",
        "sqlite3",
    ),
    "http": _rule("domain engine http metrics", "prometheus_client starlette structlog uvicorn", "sqlite3"),
    "prices": _rule("domain prices", never="asyncio sqlite3 time urllib"),
    "tokens": _rule("domain tokens", "tiktoken", never="sqlite3 time urllib"),
    "metrics": _rule("", "prometheus_client"),
    "log": _rule("", "structlog"),
    "config": _rule(""),
    "app": None,
    "cli": None,
    "__main__": None,
}
#: LiteLLM is nowhere: its price file is data, and its class is matched, not used.
NOWHERE = "litellm"
CLIENT_LIBRARIES = frozenset({"google", "grpc"})


@dataclass(frozen=True, slots=True)
class Import:
    """One import, or one look at a clock."""

    file: Path
    line: int
    #: The dotted name of a module; of a clock, its name in brackets.
    name: str


def imports_of(file: Path, root: Path, modules: frozenset[str]) -> Iterator[Import]:
    """Everything that a file imports, wherever in it, for type checkers or at run time.

    Args:
        file: The source.
        root: The folder that holds its top-level package.
        modules: The dotted names of all modules of that package: `from a import b` imports `a.b` if that is one.
    """
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, file, root)
            for alias in node.names:
                deeper = f"{source}.{alias.name}"
                yield Import(file, node.lineno, deeper if deeper in modules else source)
        elif isinstance(node, ast.Call):
            yield from _called(node, file)


def violations(root: Path, package: str, rules: dict[str, Rule | None]) -> list[str]:
    """Each import of a package that its rule does not allow, as a sentence."""
    files = sorted(file for file in (root / package).rglob("*.py"))
    modules = frozenset(_module(file, root) for file in files)
    found = []
    for file in files:
        part = _module(file, root).partition(".")[2].partition(".")[0]
        rule = rules[part]
        for each in imports_of(file, root, modules):
            trouble = _trouble(each, package, rule)
            if trouble:
                found.append(f"{file.relative_to(root)}:{each.line}: {trouble}")
    return found


def client_rules(root: Path) -> dict[str, Rule | None]:
    """One rule for every hand-written module of the client; generated code is left alone."""
    parts = {_module(file, root).partition(".")[2].partition(".")[0] for file in (root / "budgetd").rglob("*.py")}
    own = Rule(parts=frozenset(parts), libraries=CLIENT_LIBRARIES)
    return {part: None if part == "v1" else own for part in parts}


def _trouble(each: Import, package: str, rule: Rule | None) -> str | None:
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
    libraries = rule.libraries | rule.libraries_of.get(each.file.name, frozenset())
    return None if _is_within(each.name, libraries) else f"may not import {each.name}"


def _is_within(name: str, allowed: frozenset[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def _module(file: Path, root: Path) -> str:
    names = file.relative_to(root).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def _absolute(node: ast.ImportFrom, file: Path, root: Path) -> str:
    if not node.level:
        return node.module or ""
    folders = file.relative_to(root).parts[: -node.level]
    return ".".join([*folders, *([node.module] if node.module else [])])


def _called(node: ast.Call, file: Path) -> Iterator[Import]:
    """Imports by a function, and looks at a clock."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called in {"import_module", "__import__"}:
        named = [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
        yield Import(file, node.lineno, str(named[0]) if named else "a module that is known at run time only")
    elif called in _CLOCKS and isinstance(node.func, ast.Attribute):
        yield Import(file, node.lineno, f"({called})")
