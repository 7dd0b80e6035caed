"""Formats results as tables."""

from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.rows import Result, Row


def results_table(results: Sequence[Result]) -> Table:
    """Make a table with a row for each result: budgetd's figure, the reference, their ratio and the bounds."""
    counts = " or ".join(str(count) for count in sorted({len(result.ratios) for result in results}))
    table = Table(caption=f"Ratios are medians of {counts} interleaved pairs, with the least and the greatest.")
    for heading in ("what", "compared with"):
        table.add_column(heading, overflow="fold")
    for heading in ("budgetd", "the other", "ratio", "spread", "at least", "after"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        row = result.row
        reached, is_after = result.reaches(row.at_least), result.reaches(row.after)
        colour = {None: "", True: "green", False: "red"}[reached]
        if reached and not is_after:
            colour = "yellow"
        bounds = (_bound(row, row.at_least), _bound(row, row.after))
        if row.here_at_most is not None:
            colour = "green" if median(result.here) <= row.here_at_most else "red"
            bounds = (f"≤ {row.here_at_most:g} {row.unit}", "")
        ratio = f"{result.ratio:.2f}"
        table.add_row(
            row.what,
            row.reference_what,
            f"{median(result.here):,.0f} {row.unit}",
            f"{median(result.reference):,.0f}",
            f"[{colour}]{ratio}[/]" if colour else ratio,
            f"{min(result.ratios):.2f} … {max(result.ratios):.2f}",
            *bounds,
        )
    return table


def stages_table(stages: dict[str, dict[str, float]]) -> Table:
    """Make a table of the stages of a charge in µs, with a column for each way to send it."""
    table = Table(caption="Microseconds a charge, measured in one process without gRPC; medians.")
    table.add_column("stage")
    for way in stages:
        table.add_column(way, justify="right")
    for stage in next(iter(stages.values())):
        table.add_row(stage, *(f"{taken[stage]:.1f}" for taken in stages.values()))
    table.add_section()
    table.add_row("all", *(f"{sum(taken.values()):.1f}" for taken in stages.values()))
    return table


def show(table: Table) -> None:
    """Print a table. It is wide if the output is not a terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=170)
    console.print(table)


def _bound(row: Row, bound: float | None) -> str:
    if bound is None:
        return ""
    return f"{'≥' if row.more_is_better else '≤'} {bound:g} x"
