"""What the two wheels hold, built from this tree without a network."""

import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.dockerfile import REPOSITORY
from tests.packaging.rehearse_wheels import install_command


@dataclass(frozen=True, slots=True)
class Distribution:
    """A folder with a pyproject.toml, and the one package in it."""

    folder: str
    package: str

    def project(self) -> dict[str, Any]:
        """The `[project]` table."""
        table: dict[str, Any] = tomllib.loads(self.path("pyproject.toml").read_text("utf-8"))["project"]
        return table

    def path(self, name: str) -> Path:
        """A file of the distribution."""
        return REPOSITORY / self.folder / name


SERVER = Distribution("server", "budgetd_server")
CLIENT = Distribution("clients/python", "budgetd")
both = pytest.mark.parametrize("distribution", [SERVER, CLIENT], ids=lambda each: each.package)


@both
def test_a_wheel_holds_every_file_of_its_package_and_nothing_else(distribution: Distribution, tmp_path: Path) -> None:
    package = distribution.path(distribution.package)
    expected = {
        str(path.relative_to(package.parent))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    names = _names_in_wheel(distribution, tmp_path)

    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.parametrize(
    "pattern",
    ["ledger/sql/**/*.sql", "prices/data/*", "tokens/data/*"],
)
def test_the_server_package_has_the_files_that_it_reads_at_run_time(pattern: str) -> None:
    assert list(SERVER.path("budgetd_server").glob(pattern))


def test_the_client_package_is_typed_for_its_users() -> None:
    assert CLIENT.path("budgetd/py.typed").is_file()
    assert list(CLIENT.path("budgetd/v1").glob("*_pb2.pyi"))


def test_the_server_command_is_the_function_that_the_command_line_defines() -> None:
    assert SERVER.project()["scripts"] == {"budgetd": "budgetd_server.cli:main"}


def test_the_readme_installs_both_distributions_of_a_checkout() -> None:
    assert install_command() == ["pip", "install", *(f"./{each.folder}" for each in (CLIENT, SERVER))]


@both
def test_each_distribution_carries_the_licence_of_the_repository(distribution: Distribution) -> None:
    assert distribution.path("LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


def test_both_distributions_have_one_version_and_one_oldest_python() -> None:
    server, client = SERVER.project(), CLIENT.project()

    assert server["version"] == client["version"]
    assert server["requires-python"] == client["requires-python"] == ">=3.11"


def test_each_distribution_asks_for_exactly_its_own_version_of_the_other() -> None:
    server, client = SERVER.project(), CLIENT.project()

    assert f"budgetd=={server['version']}" in server["dependencies"]
    assert client["optional-dependencies"]["local"] == [f"budgetd-server=={client['version']}"]


def _names_in_wheel(distribution: Distribution, folder: Path) -> set[str]:
    offline = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *offline, str(distribution.path("."))], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())
