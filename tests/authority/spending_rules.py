"""Money is charged, held, settled and corrected."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    CommitReservation,
    ExtendReservation,
    ReleaseReservation,
    Requested,
    ReserveCost,
    Rpc,
    UpdateBudget,
)
from budgetd_server.domain.reservation import OnExpiry, ReservationState
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import SECOND_US
from tests.authority.drawing import (
    HUGE,
    costs,
    held_usages,
    joins,
    jumps,
    models,
    numbers,
    picks,
    projects,
    rarely,
    ttls,
    usages,
)
from tests.authority.sending import Sender, has_holds
from tests.authority.slow_model import correctable


class SpendingRules(Sender):
    """Commands that spend."""

    @rule(
        project_id=projects,
        number=numbers,
        cost=costs,
        model=models,
        usage=usages,
        additional=st.lists(numbers, max_size=2),
        skips_missing=st.booleans(),
        template=picks,
        rejects=st.booleans(),
        joins=joins,
    )
    def charge(
        self,
        project_id: str,
        number: int,
        cost: int,
        model: tuple[str, tuple[str, ...]],
        usage: Usage | None,
        additional: list[int],
        skips_missing: bool,
        template: int,
        rejects: bool,
        joins: bool,
    ) -> None:
        command = Charge(
            **self.spender(project_id, number),
            request=self.request(Rpc.UPDATE_COST),
            cost_nano_usd=cost,
            model=model[0],
            other_names=model[1],
            usage=usage,
            additional_ids=self.additional(project_id, additional),
            skips_missing=skips_missing,
            template_id=self.template(template),
            rejects_over_limit=rejects,
        )
        self.send(command, joins=joins)

    @rule(
        project_id=projects,
        number=numbers,
        amount=costs,
        least=st.none() | st.integers(1, 6),
        model=models,
        usage=held_usages,
        ttl=ttls,
        on_expiry=st.sampled_from(OnExpiry),
        additional=st.lists(numbers, max_size=2),
        skips_missing=st.booleans(),
        template=picks,
        joins=joins,
    )
    def reserve(  # noqa: PLR0917 - Hypothesis names them.
        self,
        project_id: str,
        number: int,
        amount: int,
        least: int | None,
        model: tuple[str, tuple[str, ...]],
        usage: Usage | None,
        ttl: int,
        on_expiry: OnExpiry,
        additional: list[int],
        skips_missing: bool,
        template: int,
        joins: bool,
    ) -> None:
        command = ReserveCost(
            **self.spender(project_id, number),
            request=self.request(Rpc.RESERVE_COST),
            amount_nano_usd=amount,
            least_nano_usd=least,
            model=model[0],
            other_names=model[1],
            usage=usage,
            ttl_us=ttl,
            on_expiry=on_expiry,
            additional_ids=self.additional(project_id, additional),
            skips_missing=skips_missing,
            template_id=self.template(template),
        )
        self.send(command, joins=joins)

    @rule(
        project_id=projects,
        number=numbers,
        amount=costs,
        cost=costs,
        model=models,
        on_expiry=st.sampled_from(OnExpiry),
        settled_model=models | models | st.just(("", "")),
        keeps_open=st.booleans(),
        jump_us=st.sampled_from([0, 0, 1]) | st.sampled_from([0, SECOND_US]) | jumps,
        parent_id=st.sampled_from(["", *5 * [None], "org", "team"]),
        joins=joins,
    )
    def call(  # noqa: PLR0917 - Hypothesis names them.
        self,
        project_id: str,
        number: int,
        amount: int,
        cost: int,
        model: tuple[str, tuple[str, ...]],
        on_expiry: OnExpiry,
        settled_model: tuple[str, tuple[str, ...]],
        keeps_open: bool,
        jump_us: int,
        parent_id: str | None,
        joins: bool,
    ) -> None:
        """A hold that is settled after a while; its budget may have been moved in between."""
        place = self.spender(project_id, number)
        reserve = ReserveCost(
            **place,
            request=self.request(Rpc.RESERVE_COST),
            amount_nano_usd=amount,
            model=model[0],
            usage=Usage(amount, 1),
            ttl_us=60 * SECOND_US,
            on_expiry=on_expiry,
            template_id="tpl",
        )
        self.send(reserve)
        seq = len(self.books(project_id).lines)
        if parent_id is not None:
            self.send(UpdateBudget(**place, request=self.request(Rpc.UPDATE_BUDGET), parent_id=parent_id))
        self.rehearsal.now_us += jump_us
        settle = CommitReservation(
            project_id=project_id,
            reservation_seq=seq,
            request=self.request(Rpc.COMMIT_RESERVATION),
            cost_nano_usd=cost,
            usage=Usage(cost, 1),
            model=settled_model[0],
            other_names=settled_model[1],
            keeps_open=keeps_open,
        )
        self.send(settle, joins=joins)

    @rule(
        project_id=projects,
        number=numbers,
        amounts=st.lists(st.integers(3, 12), min_size=2, max_size=3),
        model=models,
        least=st.none() | st.integers(1, 6),
        on_expiry=st.sampled_from(OnExpiry),
        jump_us=st.sampled_from([0, 0, SECOND_US, 61 * SECOND_US]),
        joins=joins,
    )
    def fill(
        self,
        project_id: str,
        number: int,
        amounts: list[int],
        model: tuple[str, tuple[str, ...]],
        least: int | None,
        on_expiry: OnExpiry,
        jump_us: int,
        joins: bool,
    ) -> None:
        """Several holds on one budget, until there is no room; the later ones may find the earlier ones due."""
        for amount in amounts:
            command = ReserveCost(
                **self.place(project_id, number),
                request=self.request(Rpc.RESERVE_COST),
                amount_nano_usd=amount,
                least_nano_usd=least,
                model=model[0],
                other_names=model[1],
                usage=Usage(amount, 1),
                ttl_us=60 * SECOND_US,
                on_expiry=on_expiry,
            )
            self.send(command, joins=joins and not jump_us)
            self.rehearsal.now_us += jump_us

    @precondition(has_holds)
    @rule(
        project_id=projects,
        pick=picks,
        cost=costs,
        usage=usages,
        model=st.just(("", "")) | models,
        keeps_open=st.booleans(),
        is_due=rarely,
        joins=joins,
    )
    def commit(
        self,
        project_id: str,
        pick: int,
        cost: int,
        usage: Usage | None,
        model: tuple[str, tuple[str, ...]],
        keeps_open: bool,
        is_due: bool,
        joins: bool,
    ) -> None:
        if is_due:
            self.await_expiry(project_id)
        command = CommitReservation(
            **self.hold(project_id, pick),
            request=self.request(Rpc.COMMIT_RESERVATION),
            cost_nano_usd=cost,
            usage=usage,
            model=model[0],
            other_names=model[1],
            keeps_open=keeps_open,
        )
        self.send(command, joins=joins)

    @precondition(has_holds)
    @rule(project_id=projects, pick=picks, cost=costs, usage=usages, releases=st.booleans(), joins=joins)
    def correct_estimate(
        self, project_id: str, pick: int, cost: int, usage: Usage | None, releases: bool, joins: bool
    ) -> None:
        """A commit or release of a hold that has been booked as an estimate, or of any other ended one."""
        name = self.hold(project_id, pick, ReservationState.ESTIMATED, ReservationState.EXPIRED)
        command: Requested[Any]
        if releases:
            command = ReleaseReservation(**name, request=self.request(Rpc.RELEASE_RESERVATION))
        else:
            request = self.request(Rpc.COMMIT_RESERVATION)
            command = CommitReservation(**name, request=request, cost_nano_usd=cost, usage=usage, keeps_open=pick == 1)
        self.send(command, joins=joins)

    @precondition(has_holds)
    @rule(project_id=projects, pick=picks, is_due=rarely, joins=joins)
    def release(self, project_id: str, pick: int, is_due: bool, joins: bool) -> None:
        if is_due:
            self.await_expiry(project_id)
        request = self.request(Rpc.RELEASE_RESERVATION)
        self.send(ReleaseReservation(**self.hold(project_id, pick), request=request), joins=joins)

    @precondition(has_holds)
    @rule(project_id=projects, pick=picks, ttl=ttls, joins=joins)
    def extend(self, project_id: str, pick: int, ttl: int, joins: bool) -> None:
        request = self.request(Rpc.EXTEND_RESERVATION)
        command = ExtendReservation(**self.hold(project_id, pick), request=request, ttl_us=ttl)
        self.send(command, joins=joins)

    @precondition(lambda self: self.has_huge)
    @rule(
        project_id=projects,
        number=numbers,
        cost=st.sampled_from([0, HUGE]),
        usage=st.none() | st.just(Usage(HUGE, 0)),
        what=st.sampled_from(["charge", "hold", "settle", "adjust"]),
        pick=picks,
        joins=joins,
    )
    def spend_hugely(
        self, project_id: str, number: int, cost: int, usage: Usage | None, what: str, pick: int, joins: bool
    ) -> None:
        """As much that the second or third time no count can hold it."""
        place = self.place(project_id, number)
        command: Requested[Any]
        match what:
            case "charge":
                command = Charge(**place, request=self.request(Rpc.UPDATE_COST), cost_nano_usd=cost, usage=usage)
            case "hold":
                request = self.request(Rpc.RESERVE_COST)
                command = ReserveCost(**place, request=request, amount_nano_usd=cost, usage=usage, ttl_us=SECOND_US)
            case "settle":
                request = self.request(Rpc.COMMIT_RESERVATION)
                command = CommitReservation(
                    **self.hold(project_id, pick),
                    request=request,
                    cost_nano_usd=cost,
                    usage=usage,
                    keeps_open=pick > 6,
                )
            case _:
                request = self.request(Rpc.ADJUST_COST)
                command = AdjustCost(**place, request=request, amount_nano_usd=cost, reason="a correction")
        self.send(command, joins=joins)

    @rule(project_id=projects, number=numbers, amount=st.integers(-12, 6), model=models, is_over=rarely, joins=joins)
    def adjust(
        self,
        project_id: str,
        number: int,
        amount: int,
        model: tuple[str, tuple[str, ...]],
        is_over: bool,
        joins: bool,
    ) -> None:
        place = self.place(project_id, number)
        if is_over:
            self.await_end(place)
        command = AdjustCost(
            **place,
            request=self.request(Rpc.ADJUST_COST),
            amount_nano_usd=amount,
            reason="a correction",
            model=model[0],
            other_names=model[1],
        )
        self.send(command, joins=joins)

    @rule(
        project_id=projects,
        number=numbers,
        amount=st.integers(-12, 4),
        pick=picks,
        is_any=rarely,
        model=st.sampled_from(["", "", "", "m1"]),
        joins=joins,
    )
    def refund(
        self, project_id: str, number: int, amount: int, pick: int, is_any: bool, model: str, joins: bool
    ) -> None:
        """A correction of an entry: mostly of one that can be corrected, rarely of any other."""
        books, place = self.books(project_id), self.place(project_id, number)
        corrected = [line for each in books.living().values() for line in correctable(books, each)]
        if corrected and not is_any:
            line = corrected[-1 - pick % len(corrected)]
            place["budget_id"] = books.accounts[line.key].budget_id
            amount = max(amount, -line.cost - 1)
        else:
            line = books.lines[-1 - pick % len(books.lines)]
        command = AdjustCost(
            **place,
            request=self.request(Rpc.ADJUST_COST),
            amount_nano_usd=amount,
            reason="a refund",
            model=model,
            entry_seq=line.seq,
        )
        self.send(command, joins=joins)
