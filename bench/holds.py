"""Scenarios of holds: a thousand at once on a budget with room for fifty, and holds that are committed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count

from bench.budgets import create
from bench.load import LoadFailed, send_messages
from bench.many import charging
from bench.messages import COST_NANO_USD, HOLD_NANO_USD, HOLDS_A_GRANT, MODELS, PROJECT, budget_id, uuid7, write_frames
from bench.processes import ServerProcess, budgetd, contender
from bench.rows import Contestants, Row, Scenario
from bench.stage import CALLERS, Stage, figures, method
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import reservation_pb2 as reservation_pb

HOLDS = 1_000
#: Enough that some are granted and some refused, at any scale.
HOLDS_MIN = 5 * HOLDS_A_GRANT
PAIRS = 1_000
BUDGETS = 200
#: Each measurement is on new budgets.
_runs = count(1)


def thousand(stage: Stage) -> Scenario:
    """Compare a thousand holds with a thousand undecided answers. Unless exactly fifty are granted, the bench stops."""
    row = partial(
        Row,
        reference=("refusals", "ms"),
        reference_what="as many calls, 950 answer a like refusal, none is decided",
        unit="ms",
        at_least=1.5,
        after=1.2,
        more_is_better=False,
    )
    undecided = Row(
        what="the same messages and handlers, nothing decided",
        here=("undecided", "ms"),
        reference=("refusals", "ms"),
        reference_what="as above",
        unit="ms",
        more_is_better=False,
    )
    return Scenario(
        "holds",
        lambda: _thousand(stage),
        (*(row(what=f"1,000 holds, 64 callers, 50 fit: {name}", here=(name, "ms")) for name in _PLACES), undecided),
        rounds_a_pair=4,
    )


def pairs(stage: Stage) -> Scenario:
    """Compare a hold and its commit with a charge."""
    row = partial(
        Row,
        what="ReserveCost and CommitReservation, 64 callers",
        reference_what="one UpdateCost",
        unit="µs",
        more_is_better=False,
    )
    return Scenario(
        "hold-pairs",
        lambda: _pairs(stage),
        (
            row(here=("pairs", "charge_us"), reference=("charges", "charge_us")),
            row(what="CPU of the two", here=("pairs", "cpu_us"), reference=("charges", "cpu_us")),
        ),
    )


def _one_budget(limits: Sequence[pb.Limit], name: str) -> tuple[list[pb.Budget], reservation_pb.ReserveCostRequest]:
    return [_budget(name, limits=limits)], _hold(name)


def _three_levels(limits: Sequence[pb.Limit], name: str) -> tuple[list[pb.Budget], reservation_pb.ReserveCostRequest]:
    top, middle = _budget(f"{name}-top", limits=limits), _budget(f"{name}-middle", parent_budget_id=f"{name}-top")
    return [top, middle, _budget(name, parent_budget_id=f"{name}-middle")], _hold(name)


def _additional(limits: Sequence[pb.Limit], name: str) -> tuple[list[pb.Budget], reservation_pb.ReserveCostRequest]:
    others = [f"{name}-{number}" for number in range(3)]
    made = [_budget(name), *(_budget(each) for each in others[:-1]), _budget(others[-1], limits=limits)]
    return made, _hold(name, additional_budget_ids=others)


def _template(limits: Sequence[pb.Limit], name: str) -> tuple[list[pb.Budget], reservation_pb.ReserveCostRequest]:
    template = f"{name}-template"
    return [_budget(template, limits=limits, is_template=True)], _hold(name, template_budget_id=template)


_Place = Callable[[Sequence[pb.Limit], str], tuple[list[pb.Budget], reservation_pb.ReserveCostRequest]]
#: The places of the limit with room for one hold in twenty: the budgets to create, and a hold that counts on the limit.
_PLACES: dict[str, _Place] = {
    "a limit of its own": _one_budget,
    "at the top of 3 levels": _three_levels,
    "on the last of 3 additional": _additional,
    "made of a template at first sight": _template,
}


def _budget(
    name: str, *, limits: Sequence[pb.Limit] = (), parent_budget_id: str = "", is_template: bool = False
) -> pb.Budget:
    return pb.Budget(
        project_id=PROJECT, budget_id=name, parent_budget_id=parent_budget_id, limits=limits, is_template=is_template
    )


def _hold(
    name: str, *, additional_budget_ids: Sequence[str] = (), template_budget_id: str = ""
) -> reservation_pb.ReserveCostRequest:
    return reservation_pb.ReserveCostRequest(
        project_id=PROJECT,
        budget_id=name,
        additional_budget_ids=additional_budget_ids,
        template_budget_id=template_budget_id,
        amount_nano_usd=HOLD_NANO_USD,
    )


@contextmanager
def _thousand(stage: Stage) -> Iterator[Contestants]:
    holds = stage.sized(HOLDS, least=HOLDS_MIN)
    with ExitStack() as stack:
        server = stack.enter_context(budgetd(stage.folder / "holds.db"))
        refusals = stack.enter_context(contender("refusals", stage.folder))
        undecided = stack.enter_context(contender("undecided", stage.folder))
        yield {
            **{name: _holding(stage, server, holds=holds, place=place) for name, place in _PLACES.items()},
            "refusals": _holding(stage, refusals, holds=holds),
            "undecided": _holding(stage, undecided, holds=holds),
        }


def _holding(
    stage: Stage, server: ServerProcess, *, holds: int, place: _Place | None = None
) -> Callable[[], dict[str, float]]:
    """Return a contestant: `holds` holds, of which exactly one in twenty is granted.

    Args:
        stage: Where the messages are written.
        server: The server that receives them.
        holds: The number of holds.
        place: Where the limit is. None: there is no limit, and nothing is decided.
    """

    def measure() -> dict[str, float]:
        made, hold = (place or _one_budget)(
            [pb.Limit(amount=holds // HOLDS_A_GRANT * HOLD_NANO_USD)], f"holds-{next(_runs)}"
        )
        if place is not None:
            create(server, made)
        return granting(stage, server, [hold] * holds)

    return measure


def granting(
    stage: Stage, server: ServerProcess, holds: Sequence[reservation_pb.ReserveCostRequest]
) -> dict[str, float]:
    """Send holds from all callers at once.

    Raises:
        LoadFailed: Not exactly one in twenty was granted.
    """
    bodies = []
    for hold in holds:
        hold.request_id = uuid7()
        bodies.append(hold.SerializeToString())
    frames = write_frames(stage.folder / "holds.frames", bodies)
    load = send_messages(server.address, method("ReserveCost"), frames, callers=CALLERS, may_refuse=True)
    granted, refused = len(load.calls), len(load.refused)
    if granted != len(holds) // HOLDS_A_GRANT or granted + refused != len(holds):
        raise LoadFailed(f"of {len(holds)} holds {granted} were granted and {refused} refused")
    return {"granted": granted, "ms": load.seconds * 1e3}


@contextmanager
def _pairs(stage: Stage) -> Iterator[Contestants]:
    calls, budgets = stage.sized(PAIRS, least=CALLERS), stage.sized(BUDGETS)
    with budgetd(stage.ledgers.with_budgets(budgets)) as server:

        def hold_and_commit() -> dict[str, float]:
            holds = [
                reservation_pb.ReserveCostRequest(
                    project_id=PROJECT,
                    budget_id=budget_id(number % budgets),
                    model=MODELS[number % len(MODELS)],
                    amount_nano_usd=2 * COST_NANO_USD,
                    request_id=uuid7(),
                )
                for number in range(calls)
            ]
            frames, cpu = write_frames(stage.folder / "pairs.frames", holds), server.cpu_seconds
            load = send_messages(
                server.address,
                method("ReserveCost"),
                frames,
                callers=CALLERS,
                commit_path=method("CommitReservation"),
            )
            cpu_us = (server.cpu_seconds - cpu) / calls * 1e6
            return {**figures(load), "charge_us": 1e6 / load.per_second, "cpu_us": cpu_us}

        yield {
            "pairs": hold_and_commit,
            "charges": charging(stage, server, items=calls, batch_items=1, budgets=budgets, callers=CALLERS),
        }
