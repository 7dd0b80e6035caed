"""The clock is set, counts begin again, the sweeper comes, and callers send again."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from budgetd_server.domain.commands import (
    Charge,
    ResetCost,
    ResetManyOnDuration,
    ResetOnDuration,
    Rpc,
    Sweep,
    UpdateBudget,
)
from tests.authority.drawing import (
    IDS,
    OTHER_CONTENT,
    joins,
    jumps,
    numbers,
    projects,
    rarely,
    some_limit_ids,
    steps_made,
)
from tests.authority.sending import Sender, seldom


class TimeRules(Sender):
    """What time brings, and retries."""

    @precondition(seldom)
    @rule(jump_us=jumps)
    def jump(self, jump_us: int) -> None:
        """The clock goes on, or is set back."""
        steps_made[0] += 1
        self.rehearsal.now_us += jump_us

    @precondition(seldom)
    @rule(
        project_id=projects,
        number=numbers,
        limit_ids=some_limit_ids,
        joins=joins,
    )
    def reset(self, project_id: str, number: int, limit_ids: list[str], joins: bool) -> None:
        request = self.request(Rpc.RESET_COST)
        command = ResetCost(**self.place(project_id, number), request=request, limit_ids=tuple(limit_ids))
        self.send(command, joins=joins)

    @precondition(seldom)
    @rule(project_id=projects, number=numbers, joins=joins)
    def reset_on_duration(self, project_id: str, number: int, joins: bool) -> None:
        request = self.request(Rpc.RESET_ON_DURATION)
        self.send(ResetOnDuration(**self.place(project_id, number), request=request), joins=joins)

    @precondition(seldom)
    @rule(project_id=projects, before=st.integers(0, 2), is_last=st.booleans(), joins=joins)
    def reset_many(self, project_id: str, before: int, is_last: bool, joins: bool) -> None:
        command = ResetManyOnDuration(
            project_id=project_id,
            budget_ids=IDS[project_id],
            request=self.request(Rpc.RESET_ALL_ON_DURATION),
            reset_count_before=before,
            is_last=is_last,
        )
        self.send(command, joins=joins)

    @rule(project_id=projects, number=numbers, is_due=st.booleans(), joins=joins)
    def sweep(self, project_id: str, number: int, is_due: bool, joins: bool) -> None:
        """The sweeper looks after one budget and all holds that are not settled."""
        if is_due:
            self.await_expiry(project_id)
        seqs = [each.seq for each in self.books(project_id).holds.values() if each.seq % 5]
        place = self.place(project_id, number)
        command = Sweep(project_id=project_id, budget_ids=[place["budget_id"]], reservation_seqs=seqs[-6:])
        self.send(command, joins=joins)

    @precondition(lambda self: self.sent)
    @rule(pick=st.integers(0, 30), has_other_content=rarely, joins=joins)
    def send_again(self, pick: int, has_other_content: bool, joins: bool) -> None:
        """An earlier command once more, or another one under its request id."""
        command: Any = self.sent[-1 - pick % len(self.sent)]
        if has_other_content:
            request = command.request._replace(fingerprint=OTHER_CONTENT)
            if isinstance(command, Charge):
                command = command._replace(request=request)
            else:
                command = replace(command, request=request)
        if isinstance(command, UpdateBudget):
            command = self.rehearsal.prepared(command)
        self.send(command, joins=joins)
