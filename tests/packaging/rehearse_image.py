"""Performs the Dockerfile's steps without Docker, then runs what the image would run.

Each stage gets a folder in place of its root file system. COPY copies into it, obeying .dockerignore; RUN
runs there with absolute paths led into it, and with the python and pip of a fresh environment in place of the
base image's. So a file that the Dockerfile forgets, a dependency that the lock misses or a command that is gone
fails here as it would in `docker build` and `docker run`.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pathspec

from tests.packaging.dockerfile import REPOSITORY, Instruction, Stage, read_stages

# Absolute paths that mean the machine's own; all others belong to the image.
_PATH_OF_THE_IMAGE = re.compile(r"(?<![\w.$})])/(?!(?:bin|dev|etc|proc|sbin|sys|usr)\b)(?=\w)")
_STEP_SECONDS_MAX = 600
_COMMAND_SECONDS_MAX = 30


class Rehearsal:
    """One build, in `folder`: the stage at work in `root`, the earlier ones next to it under their names."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = python
        self.root = folder / "root"
        self.workdir = self.root
        self.environment: dict[str, str] = {}
        ignore = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
        self.ignored = pathspec.GitIgnoreSpec.from_lines(ignore)

    def begin(self, stage: Stage) -> None:
        """Start a stage on an empty root, with a Python of its own as the base image has one."""
        base = self.folder / f"base-of-{stage.name or 'final'}"
        subprocess.run([self.python, "-m", "venv", base], check=True)
        self.root.mkdir()
        self.workdir = self.root
        # Settings that this program itself runs under are no part of the image.
        kept = {name: os.environ[name] for name in os.environ if not name.startswith(("PYTHON", "BUDGETD_"))}
        path = f"{base / 'bin'}:{os.environ['PATH']}"
        self.environment = kept | {"PATH": path, "HOME": str(self.folder), "PIP_QUIET": "1"}
        self.environment.pop("VIRTUAL_ENV", None)

    def end(self, stage: Stage) -> None:
        """Put a finished stage aside, where `COPY --from` finds it."""
        self.root.rename(self.folder / f"stage-{stage.name}")

    def perform(self, instruction: Instruction) -> None:
        """Do what one instruction says; those that only describe the image do nothing here."""
        print(f"{instruction.name} {instruction.value}", flush=True)
        match instruction.name:
            case "WORKDIR":
                self.workdir = self._inside(instruction.value)
                self.workdir.mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(instruction.value)
            case "RUN":
                script = self._redirected(instruction.value)
                self.run(["/bin/sh", "-ec", script], seconds_max=_STEP_SECONDS_MAX)
            case "ENV":
                self._set(instruction.value)

    def run(self, command: list[str], *, seconds_max: int = _COMMAND_SECONDS_MAX) -> None:
        """Run a command as the image would.

        Raises:
            subprocess.CalledProcessError: It failed.
            subprocess.TimeoutExpired: It took longer than that.
        """
        process = self.start(command)
        try:
            status = process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        if status:
            raise subprocess.CalledProcessError(status, command)

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a command as the image would, found on the image's PATH."""
        program = shutil.which(command[0], path=self.environment["PATH"]) or command[0]
        return subprocess.Popen(
            [program, *command[1:]], cwd=self.workdir, env=self.environment, stdin=subprocess.DEVNULL
        )

    def _set(self, value: str) -> None:
        for word in value.split():
            name, text = word.split("=", 1)
            before = self.environment.get(name, "")
            self.environment[name] = self._redirected(text).replace(f"${name}", before)

    def _copy(self, value: str) -> None:
        options = dict(word[2:].split("=", 1) for word in value.split() if word.startswith("--"))
        *sources, target = [word for word in value.split() if not word.startswith("--")]
        destination = self._inside(target)
        for source in sources:
            if "from" in options:
                earlier = self.folder / f"stage-{options['from']}"
                shutil.copytree(earlier / source.lstrip("/"), destination, symlinks=True)
            else:
                self._copy_from_context(REPOSITORY / source, destination)

    def _copy_from_context(self, source: Path, destination: Path) -> None:
        """Copy what .dockerignore lets through; FileNotFoundError if that is nothing."""
        files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        sent = [path for path in files if not self.ignored.match_file(path.relative_to(REPOSITORY))]
        if not sent:
            name = source.relative_to(REPOSITORY)
            raise FileNotFoundError(f"{name} is missing, or .dockerignore keeps it out")
        for path in sent:
            copy = destination / path.relative_to(source.parent if source.is_file() else source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)

    def _inside(self, path: str) -> Path:
        return self.root / path.lstrip("/") if path.startswith("/") else self.workdir / path

    def _redirected(self, text: str) -> str:
        redirected = _PATH_OF_THE_IMAGE.sub(f"{self.root}/", text)
        # Only root may give a file away; elsewhere the step is shown and the owner stays.
        return redirected if os.geteuid() == 0 else re.sub(r"\bchown\b", "echo skipped: chown", redirected)


def build(rehearsal: Rehearsal, stages: list[Stage]) -> None:
    """Perform every stage; the last one stays in place."""
    for stage in stages:
        print(f"FROM {stage.image} {stage.name}", flush=True)
        rehearsal.begin(stage)
        for instruction in stage.instructions:
            rehearsal.perform(instruction)
        if stage is not stages[-1]:
            rehearsal.end(stage)


def try_commands(rehearsal: Rehearsal, final: Stage) -> None:
    """Ask every command that the image names for its help."""
    entrypoint = final.last("ENTRYPOINT").exec_form()
    for command in (entrypoint, [*entrypoint, *final.last("CMD").exec_form()], final.health_command()):
        print("+", *command, "--help", flush=True)
        rehearsal.run([*command, "--help"])


def try_serving(rehearsal: Rehearsal, final: Stage) -> None:
    """Serve as the image would, on a free port; wait until it is healthy, then stop it by the image's signal.

    Raises:
        RuntimeError: It ended by itself, was not healthy in time, or did not end well.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    # The server listens there, and the health command asks there; nothing asks for metrics.
    rehearsal.environment |= {
        "BUDGETD_LISTEN": address,
        "BUDGETD_ADDRESS": address,
        "BUDGETD_HTTP_LISTEN": "127.0.0.1:0",
    }
    command = [*final.last("ENTRYPOINT").exec_form(), *final.last("CMD").exec_form()]
    print("+", *command, flush=True)
    server = rehearsal.start(command)
    try:
        _wait_until_healthy(rehearsal, final.health_command(), server)
        server.send_signal(signal.Signals[final.last("STOPSIGNAL").value])
        if status := server.wait(_COMMAND_SECONDS_MAX):
            raise RuntimeError(f"the server ended with {status} after {final.last('STOPSIGNAL').value}")
    finally:
        server.kill()
        server.wait()


def _wait_until_healthy(rehearsal: Rehearsal, health: list[str], server: subprocess.Popen[bytes]) -> None:
    print("+", *health, flush=True)
    deadline = time.monotonic() + _COMMAND_SECONDS_MAX
    while server.poll() is None and time.monotonic() < deadline:
        try:
            rehearsal.run(health)
        except subprocess.CalledProcessError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the server ended by itself" if server.poll() is not None else "the server was never healthy")


def main() -> int:
    """Exit status: 0 the image would build and run, 1 a step failed."""
    parser = argparse.ArgumentParser(description="Perform the Dockerfile's steps without Docker.")
    parser.add_argument("--python", default=sys.executable, help="stands for the base image's Python")
    python = parser.parse_args().python
    stages = read_stages()
    with tempfile.TemporaryDirectory(prefix="budgetd-image-") as folder:
        rehearsal = Rehearsal(Path(folder).resolve(), python)
        try:
            build(rehearsal, stages)
            try_commands(rehearsal, stages[-1])
            try_serving(rehearsal, stages[-1])
        except (subprocess.SubprocessError, LookupError, OSError, RuntimeError, ValueError) as error:
            print(f"image-check failed: {error}", file=sys.stderr)
            return 1
    print("image-check passed: the image would build and run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
