"""Rules that the image keeps beyond what the linter checks and the rehearsal runs."""

import re

from tests.packaging.dockerfile import read_stages

STAGES = read_stages()
FINAL = STAGES[-1]


def test_build_tools_stay_in_the_first_of_two_stages() -> None:
    installers = [stage for stage in STAGES if any("pip" in command for command in stage.values("RUN"))]

    assert len(STAGES) == 2
    assert installers == [STAGES[0]]


def test_every_stage_is_based_on_a_slim_python_of_a_named_version() -> None:
    images = {stage.image for stage in STAGES}

    assert len(images) == 1
    assert images.pop().startswith("python:3.11-slim-")


def test_only_locked_and_hashed_packages_are_taken_from_the_index() -> None:
    steps = " && ".join(STAGES[0].values("RUN")).split(" && ")
    commands = [step for step in steps if " install " in step]

    assert commands
    for command in commands:
        assert "--require-hashes" in command or "--no-index" in command


def test_the_server_runs_as_an_unprivileged_user_that_owns_the_ledger() -> None:
    uid, gid = FINAL.last("USER").value.split(":")

    assert int(uid) > 0
    assert int(gid) > 0
    assert any(f"chown {uid}:{gid} /data" in command for command in FINAL.values("RUN"))


def test_no_shell_stands_between_a_signal_and_the_server() -> None:
    assert FINAL.last("ENTRYPOINT").exec_form() == ["budgetd"]
    assert FINAL.last("CMD").exec_form() == ["serve"]
    assert FINAL.health_command() == ["budgetd", "health"]
    assert FINAL.last("STOPSIGNAL").value == "SIGTERM"


def test_the_ledger_lies_on_the_volume() -> None:
    (volume,) = FINAL.last("VOLUME").exec_form()

    database = FINAL.environment()["BUDGETD_DATABASE"]

    assert database == f"sqlite:///{volume}/budgetd.db"


def test_the_image_does_not_open_the_server_to_the_network_by_itself() -> None:
    words = [*FINAL.environment(), *FINAL.last("CMD").exec_form()]

    assert [word for word in words if re.search("listen|insecure", word, flags=re.IGNORECASE)] == []
