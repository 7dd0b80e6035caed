"""The locks install on their own, and hold what the two distributions and the dependency groups ask for."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.dockerfile import REPOSITORY

OWN = {"budgetd": "clients/python/pyproject.toml", "budgetd-server": "server/pyproject.toml"}
LOCK_OF_GROUP = {
    "runtime": "requirements.lock",
    "build": "requirements-build.lock",
    "dev": "requirements-dev.lock",
    "proto": "requirements-proto.lock",
    "oldest": "requirements-oldest.lock",
    "parity": "requirements-parity.lock",
    "parity-newest": "requirements-parity-newest.lock",
}


def test_every_lock_belongs_to_a_dependency_group() -> None:
    locks = {path.name for path in REPOSITORY.glob("requirements*.lock")}

    assert locks == set(LOCK_OF_GROUP.values())
    assert set(_toml("pyproject.toml")["dependency-groups"]) == set(LOCK_OF_GROUP)


@pytest.mark.parametrize("lock", LOCK_OF_GROUP.values())
def test_a_lock_holds_no_address(lock: str) -> None:
    assert "://" not in _text(lock)
    assert "--index-url" not in _text(lock)


@pytest.mark.parametrize("lock", LOCK_OF_GROUP.values())
def test_every_pin_of_a_lock_has_a_hash(lock: str) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", _text(lock))

    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(("group", "lock"), LOCK_OF_GROUP.items())
def test_a_lock_pins_all_that_is_declared_at_a_version_that_is_allowed(group: str, lock: str) -> None:
    pins = _pins(lock)
    declared = _requirements_of(group)

    misfits = [str(each) for each in declared if not each.specifier.contains(pins.get(each.name, "0.dev0"))]

    assert declared
    assert misfits == []


def test_what_the_server_runs_on_is_what_the_tests_run_on() -> None:
    runtime, dev = _pins("requirements.lock"), _pins("requirements-dev.lock")

    assert {name: dev.get(name) for name in runtime} == runtime


def test_what_is_compared_with_litellm_is_what_the_server_runs_on() -> None:
    runtime, parity = _pins("requirements.lock"), _pins("requirements-parity.lock")

    assert {name: parity.get(name) for name in runtime} == runtime


def test_the_image_has_no_development_tools() -> None:
    tools = {"pytest", "mypy", "ruff", "hatchling", "grpcio-tools", "pip"}

    assert not _pins("requirements.lock").keys() & tools


def test_generated_code_is_made_by_the_oldest_generator_that_the_client_allows() -> None:
    client = [Requirement(each) for each in _toml(OWN["budgetd"])["project"]["dependencies"]]
    (grpcio,) = [each for each in client if each.name == "grpcio"]

    assert str(grpcio.specifier) == f">={_pins('requirements-proto.lock')['grpcio-tools']}"


def _requirements_of(group: str) -> list[Requirement]:
    """What a group asks for, its own distributions replaced by what they ask for."""
    found: list[Requirement] = []
    for each in _toml("pyproject.toml")["dependency-groups"][group]:
        if isinstance(each, dict):
            found += _requirements_of(each["include-group"])
        elif each in OWN:
            found += [Requirement(text) for text in _toml(OWN[each])["project"]["dependencies"]]
        else:
            found.append(Requirement(each))
    return [each for each in found if each.name not in OWN]


def _pins(lock: str) -> dict[str, str]:
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ \\;]+)", _text(lock), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def _toml(path: str) -> dict[str, Any]:
    return tomllib.loads(_text(path))


def _text(path: str) -> str:
    return (REPOSITORY / path).read_text("utf-8")
