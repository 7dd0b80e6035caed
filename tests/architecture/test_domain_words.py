"""The domain speaks of terms and counts; what requests call them is known to the edges alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor

from budgetd.v1 import budget_service_pb2, cost_pb2, model_price_pb2, reservation_pb2
from tests.architecture.imports import SERVER

DOMAIN = SERVER / "budgetd_server" / "domain"
#: Where the error is that edges fill with the paths of their fields.
OF_EDGES = "errors.py"
#: What callers find in the metadata of errors, by the domain's own keys.
METADATA_KEYS = {"parent_budget_id"}


def contract_names() -> set[str]:
    """The name of each field of each message that the contract's requests and answers contain."""
    modules = (budget_service_pb2, cost_pb2, model_price_pb2, reservation_pb2)
    waiting: list[Descriptor] = [each for file in modules for each in file.DESCRIPTOR.message_types_by_name.values()]
    seen: dict[str, Descriptor] = {}
    while waiting:
        message = waiting.pop()
        if message.full_name not in seen:
            seen[message.full_name] = message
            waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return {field.name for message in seen.values() for field in message.fields}


def foreign(folder: Path) -> list[str]:
    """Each place in the domain that names a field of the contract which is no name of the domain's own, or its path."""
    trees = {file.name: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.py"))}
    own = {name for tree in trees.values() for name in _identifiers(tree)}
    fields = contract_names()
    found = []
    for name, tree in trees.items():
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id == "FieldViolation" and name != OF_EDGES:
                found.append(f"{name}:{node.lineno}: FieldViolation")
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                words = set(re.findall(r"\w+", node.value)) & fields - own - METADATA_KEYS
                words = {word for word in words if "_" in word}
                paths = [each for each in re.findall(r"(\w+)\.(\w+)", node.value) if {*each} <= fields]
                found += [f"{name}:{node.lineno}: {word}" for word in sorted(words)]
                found += [f"{name}:{node.lineno}: {'.'.join(path)}" for path in paths]
    return found


def _identifiers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg


def test_the_domain_names_no_field_of_the_contract() -> None:
    assert foreign(DOMAIN) == []


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ('broken = [FieldViolation(f"{field}.count", "must be 1")]', "FieldViolation"),
        ('RULE = "additional_budget_ids must be few"', "additional_budget_ids"),
        ('TROUBLES = {"fixed.length": None}', "fixed.length"),
        ('def later(field):\n    return f"{field}.anchor_time"', "anchor_time"),
    ],
)
def test_a_planted_name_is_seen(tmp_path: Path, line: str, seen: str) -> None:
    (tmp_path / "window.py").write_text(f'"""As `fixed.anchor_time` of the contract."""\n{line}\n')

    assert [each.rpartition(": ")[2] for each in foreign(tmp_path)] == [seen]
