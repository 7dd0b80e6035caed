"""Carries out the changes in a save of LiteLLM's class, which always sends the whole dictionary of users."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from budgetd.user_cost import KEYS
from budgetd_server.domain.commands import Outcome
from budgetd_server.domain.errors import FieldViolation, InvalidField, Refusal, StoreUnavailable
from budgetd_server.domain.names import broken_name_rule
from budgetd_server.domain.pricing import Prices
from budgetd_server.engine.engine import Engine
from budgetd_server.http.bodies import quote_value
from budgetd_server.litellm.hosted.loads import given_until
from budgetd_server.litellm.hosted.records import parse_record
from budgetd_server.litellm.hosted.unchanged import UNSETTLED, Seen, Unchanged, digest
from budgetd_server.litellm.hosted.views import MARKER, View, client_of_new
from budgetd_server.litellm.saving import DropRecord, RecordSaved, SaveRecord
from budgetd_server.metrics import Metrics

#: Records that are processed before the event loop runs other calls.
RECORDS_AT_A_TIME = 500
#: Views for which it is cached that no user is missing from their saves; for others it is computed again.
VIEWS_MAX = 1_000
#: How many violations of one record are reported.
VIOLATIONS_MAX = 8


@dataclass(slots=True)
class SaveResult:
    """The result of a save."""

    users: int
    #: How many records changed something, how many came late, and how many users were deleted.
    changed: int = 0
    late: int = 0
    deleted: int = 0
    #: Why records were not carried out, by user.
    refused: dict[str, str] = field(default_factory=dict)
    #: Unknown keys of records, which are dropped, by user.
    ignored: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Change:
    """A record that differs from the one that the client was given."""

    user: str
    record: object
    #: The view that returned the record; None if it has no marker.
    view: View | None
    given: object

    def digest(self) -> bytes:
        """Return a hash of the record; empty if it cannot be hashed."""
        if not isinstance(self.record, dict):
            return b""
        # A missing key, null, and NaN, which orjson writes as null, must give different hashes.
        parts = [self.record.get(key, "missing") for key in KEYS]
        return digest(["null" if part is None else part for part in parts])

    def keys(self) -> frozenset[str]:
        """Return the keys of the record; empty if it is not an object."""
        return frozenset(self.record) if isinstance(self.record, dict) else frozenset()

    def client(self, view: View | None) -> str:
        """Return the client that the record belongs to, in a save based on that view."""
        if self.view is not None:
            return self.view.view_id
        created_at = self.record.get("created_at") if isinstance(self.record, dict) else None
        return client_of_new(view, created_at)


class Present(NamedTuple):
    """A summary of the records of a view in a save. Two saves with equal summaries lack the same users."""

    marked: int
    #: A hash of the users without a marker, some of which may have been created again.
    new: bytes


@dataclass(slots=True)
class _Sorted:
    """The records of a save that have changed since they were given, and the number of records by view."""

    changes: list[_Change] = field(default_factory=list)
    #: The number of records with the marker of each view.
    marked: Counter[View] = field(default_factory=Counter)

    def present(self, view: View) -> Present:
        """Summarize which records of a view are in the save."""
        new = sorted(change.user for change in self.changes if change.view is None)
        return Present(self.marked[view], digest(new))


class Saves:
    """Carries out saves of all projects."""

    def __init__(self, engine: Engine, prices: Prices, metrics: Metrics) -> None:
        self._engine, self._prices, self._metrics = engine, prices, metrics
        self._unchanged = Unchanged()
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        #: By project and view, what the last save contained after which no user was left to delete.
        self._whole: OrderedDict[tuple[str, str], Present] = OrderedDict()

    def gave(self, project_id: str, view: View) -> None:
        """Record that a view was given, and that nothing of it has been saved yet."""
        self._unchanged.begin((project_id, view.view_id))

    async def save(self, project_id: str, users: Mapping[str, Any]) -> SaveResult:
        """Carry out what has changed, each record independently.

        Raises:
            Unavailable: Some of it may have been carried out; a retry of the same save completes it.
        """
        saved = SaveResult(len(users))
        first = next((view for view in map(_parse_view, users.values()) if view is not None), None)
        # Saves of one client run one at a time: otherwise one could skip as unchanged what another is just changing.
        key = (project_id, "" if first is None else first.view_id)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            found = await self._sort(project_id, users, saved)
            view = next((view for view, _ in found.marked.most_common(1)), None)
            await self._carry_out(project_id, found, view, saved)
            if view is not None:
                await self._delete_missing(project_id, users, view, found, saved)
        return saved

    async def _carry_out(self, project_id: str, found: _Sorted, view: View | None, saved: SaveResult) -> None:
        saves: list[SaveRecord] = []
        digests: list[bytes] = []
        now_us = self._engine.clock()
        for number, change in enumerate(found.changes, start=1):
            if number % RECORDS_AT_A_TIME == 0:
                await asyncio.sleep(0)
            digest = change.digest()
            client = (project_id, change.client(view))
            seen = self._unchanged.seen(client, change.user)
            if seen is not None and digest and seen.digest == digest:
                self._unchanged.keep(client, change.user, Seen(digest, now_us))
                continue
            try:
                save = self._parse_save(project_id, change, view)
            except InvalidField as error:
                saved.refused[change.user] = _sentence(error)
                if change.view is not None and broken_name_rule(change.user) is None:
                    self._unsettle(client, change.user)
                continue
            self._unsettle(client, change.user)
            saves.append(save if seen is None else replace(save, seen_at_us=seen.at_us))
            digests.append(digest)
            if unknown := change.keys().difference(KEYS):
                saved.ignored[change.user] = sorted(unknown)
        try:
            outcomes = await self._engine.submit_many([save.command() for save in saves])
        except StoreUnavailable:
            self._metrics.count_charges(unavailable=len(saves))
            raise
        for save, digest, outcome in zip(saves, digests, outcomes, strict=True):
            self._settle(saved, save, Seen(digest, now_us), outcome)
        self._metrics.count_charges(refused=sum(isinstance(outcome, Refusal) for outcome in outcomes))

    def _unsettle(self, client: tuple[str, str], user: str) -> None:
        """Make sure that the user's next record is processed if this one fails, even if it equals the given one."""
        self._unchanged.begin(client)
        if self._unchanged.seen(client, user) is None:
            self._unchanged.keep(client, user, UNSETTLED)

    async def _sort(self, project_id: str, users: Mapping[str, Any], saved: SaveResult) -> _Sorted:
        found = _Sorted()
        for number, (user, record) in enumerate(users.items(), start=1):
            if number % RECORDS_AT_A_TIME == 0:
                await asyncio.sleep(0)
            marker = record.pop(MARKER, None) if isinstance(record, dict) else None
            if marker is None:
                found.changes.append(_Change(user, record, None, None))
                continue
            view = View.parse(marker.get("view")) if isinstance(marker, dict) else None
            if view is None:
                saved.refused[user] = f"{MARKER}: must be as it was given, got {quote_value(marker)}"
                continue
            found.marked[view] += 1
            client = (project_id, view.view_id)
            is_known = self._unchanged.knows(client) and self._unchanged.seen(client, user) is None
            if not (is_known and _is_same(record, marker.get("given"))):
                found.changes.append(_Change(user, record, view, marker.get("given")))
        return found

    def _parse_save(self, project_id: str, change: _Change, view: View | None) -> SaveRecord:
        if (rule := broken_name_rule(change.user)) is not None:
            raise InvalidField([FieldViolation("user", f"{rule}, got {quote_value(change.user)}")])
        record = parse_record(change.record)
        names = {model: self._prices.other_names(model) for model, _ in record.models if model}
        is_new = change.view is None
        return SaveRecord(
            project_id=project_id,
            budget_id=change.user,
            client=change.client(view),
            record=record,
            given=None if is_new else parse_record(change.given, f"{MARKER}.given"),
            given_until_key=view.until_key if is_new and view is not None else None,
            other_names={model: name for model, name in names.items() if name},
        )

    def _settle(self, saved: SaveResult, save: SaveRecord, seen: Seen, outcome: Outcome[RecordSaved] | Refusal) -> None:
        if isinstance(outcome, Refusal):
            saved.refused[save.budget_id] = outcome.message
            return
        is_late, has_changed = outcome.result.is_late, outcome.result.has_changed
        saved.late += is_late
        saved.changed += has_changed
        if not is_late:  # A late record is not remembered: if it is sent again, it may prove to be a reset.
            self._unchanged.keep((save.project_id, save.client), save.budget_id, seen)

    async def _delete_missing(
        self, project_id: str, users: Mapping[str, Any], view: View, found: _Sorted, saved: SaveResult
    ) -> None:
        """Delete the users of the view that are missing from the save. Users created again are in it, unmarked."""
        if found.marked[view] >= view.records:
            return
        known, present = (project_id, view.view_id), found.present(view)
        if self._whole.get(known) == present:
            return
        given = await given_until(self._engine, project_id, view.until_key)
        drops = [
            DropRecord(
                project_id=project_id,
                budget_id=user,
                clients=(view.view_id, client_of_new(view, None)),
                given_until_key=view.until_key,
            )
            for user, budget in given.items()
            if user not in users and not budget.is_template
        ]
        outcomes = await self._engine.submit_many([drop.command() for drop in drops])
        refused = {
            drop.budget_id: outcome.message
            for drop, outcome in zip(drops, outcomes, strict=True)
            if isinstance(outcome, Refusal)
        }
        for client in (view.view_id, client_of_new(view, None)):
            self._unchanged.forget((project_id, client), (drop.budget_id for drop in drops))
        saved.deleted += len(drops) - len(refused)
        saved.refused.update(refused)
        if not refused and present.new:
            self._whole[known] = present
            self._whole.move_to_end(known)
            if len(self._whole) > VIEWS_MAX:
                self._whole.popitem(last=False)


def _parse_view(record: object) -> View | None:
    """Return the view that a record's marker names, or None if it has no valid marker."""
    marker = record.get(MARKER) if isinstance(record, dict) else None
    return View.parse(marker.get("view")) if isinstance(marker, dict) else None


def _sentence(error: InvalidField) -> str:
    """Describe the violations of a record, in bounded length."""
    first = "; ".join(f"{field}: {rule}" for field, rule in error.violations[:VIOLATIONS_MAX])
    more = len(error.violations) - VIOLATIONS_MAX
    return f"{first}; and {more} more" if more > 0 else first


def _is_same(record: object, given: object) -> bool:
    try:
        return record == given
    except RecursionError:  # Nested too deeply; it is processed as a change, and refused.
        return False
