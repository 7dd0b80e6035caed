"""`python -m bench`: runs the measurements and prints tables."""

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import holds, hosted, many, process_rows, shapes, unary, wrapper
from bench.load import H2LOAD
from bench.machine import machine_line
from bench.rows import Result, Scenario, measured
from bench.stage import Stage
from bench.stages import stages_of_a_charge
from bench.table import results_table, show, stages_table

STAGES = "stages"


def scenarios(stage: Stage, *, is_large: bool) -> list[Scenario]:
    """Return everything that is measured, the large part only if asked for."""
    chosen = [
        process_rows.process(stage),
        unary.charges(stage),
        unary.with_batches(stage),
        unary.lone(stage),
        unary.reads(stage),
        many.batch(stage, batch_items=500, budgets=200, at_least=0.25, after=0.5),
        many.batch(stage, batch_items=4_000, budgets=200, at_least=0.25, after=0.5),
        many.batch(stage, batch_items=500, budgets=100_000, at_least=0.12, after=0.3),
        many.batch(stage, batch_items=4_000, budgets=100_000, at_least=0.12, after=0.3),
        many.flat(stage, budgets=10_000, entries=0),
        holds.thousand(stage),
        holds.pairs(stage),
        shapes.deep(stage),
        shapes.many_limits(stage),
        wrapper.hosted(stage),
        *(wrapper.embedded(stage, users=users) for users in (10, 1_000, 10_000)),
        wrapper.imports(stage),
        hosted.saves(stage),
        hosted.memory(stage),
        hosted.during_saves(stage),
    ]
    if is_large:
        chosen += [
            many.flat(stage, budgets=1_000_000, entries=10_000_000),
            process_rows.memory_of_many(stage, budgets=1_000_000),
        ]
    return chosen


def bench(
    *,
    rows: Annotated[
        str, typer.Option(help="Only scenarios whose names contain one of these, separated by commas.")
    ] = "",
    pairs: Annotated[int, typer.Option(min=1, help="The number of interleaved pairs.")] = 5,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write all figures to this file.")] = None,
    large: Annotated[bool, typer.Option("--large", help="Also measure with a million budgets and more.")] = False,
    scale: Annotated[float, typer.Option(help="Multiply all sizes by this factor.")] = 1.0,
) -> None:
    """Measure budgetd together with what it is compared with."""
    wanted = [part for part in rows.split(",") if part]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="budgetd-bench-") as folder:
        stage = Stage(Path(folder), scale)
        line = machine_line()
        print(line)
        if not H2LOAD:
            print("h2load is not installed (Debian: nghttp2-client): the Python generator takes a part of the machine")
        known = scenarios(stage, is_large=large)
        chosen = [each for each in known if not wanted or any(part in each.name for part in wanted)]
        if not chosen and STAGES not in wanted:
            names = ", ".join([*(each.name for each in known), STAGES])
            raise typer.BadParameter(f"no scenario has such a name; there are {names}", param_hint="--rows")
        results: list[Result] = []
        for scenario in chosen:
            print(f"measuring {scenario.name} ...", flush=True)
            results += measured(scenario, pairs=pairs * scenario.rounds_a_pair)
        stages: dict[str, Any] = {}
        if not wanted or STAGES in wanted:
            print(f"measuring {STAGES} ...", flush=True)
            stages = stages_of_a_charge(stage)
    if results:
        show(results_table(results))
    if stages:
        show(stages_table(stages))
    print(f"{time.monotonic() - began:.0f} s")
    if json_file is not None:
        report = {"machine": line, "rows": [result.as_json() for result in results], "stages_us": stages}
        json_file.write_text(json.dumps(report, indent=2) + "\n")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(bench)

if __name__ == "__main__":
    app()
