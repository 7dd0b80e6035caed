"""Rows in dictionaries: what a ledger has to write for itself in addition to transactions and the errors of its store.

Each table is a dictionary from key to row. A row is replaced and never changed, so a copy of the dictionaries is a
snapshot. Statements are methods of their names, and walk whole tables.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from budgetd_server.domain.entry import Entry
from budgetd_server.ledger import columns as c
from budgetd_server.ledger.chains import NEWEST
from budgetd_server.ledger.rows import Row
from budgetd_server.ledger.saving import Write

Stored = Mapping[str, Any]
Tables = dict[str, dict[Row, Stored]]

_OF_BUDGET = ("project_key", "budget_key")
_REQUEST = ("project_key", "rpc", "request_id", "fingerprint", "entry_seq", "result", "created_at_us", "more")
KEYS = {
    "projects": ("project_id",),
    "budgets": _OF_BUDGET,
    "counters": (*_OF_BUDGET, "limit_id"),
    "models": (*_OF_BUDGET, "model"),
    "entries": ("project_key", "seq"),
    "entry_budgets": (*_OF_BUDGET, "seq"),
    "reservations": ("project_key", "seq"),
    "open_holds": (*_OF_BUDGET, "expires_at_us", "seq"),
    "request_ids": ("project_key", "rpc", "request_id"),
    "notes": ("project_key", "owner", "key"),
    "pending_deletions": _OF_BUDGET,
}
#: What columns hold that no statement has written.
DEFAULTS: Mapping[str, Stored] = {
    "entries": {
        **dict.fromkeys(c.STORED_ENTRY),
        **{name: Entry._field_defaults[name] for name in (*c.RARE_ENTRY_FIELDS, "cause")},
        "catalogue_name": "",
    },
    "request_ids": {"more": None},
}
#: The table of each statement that writes rows, and their columns. Those named `insert_` refuse a row that exists.
WRITES: Mapping[str, tuple[str, Sequence[str]]] = {
    "insert_project": ("projects", ("project_key", "project_id")),
    "save_budget": ("budgets", c.BUDGET),
    "save_counter": ("counters", (*KEYS["counters"], *c.CONFIGURED_COUNT)),
    "save_count": ("counters", (*KEYS["counters"], *c.COUNT)),
    "save_model": ("models", (*KEYS["models"], *c.SUMS)),
    "insert_entry": ("entries", c.ENTRY),
    "insert_plain_entry": ("entries", c.PLAIN_ENTRY),
    "insert_entry_budget": ("entry_budgets", KEYS["entry_budgets"]),
    "save_reservation": ("reservations", c.RESERVATION),
    "insert_hold": ("open_holds", KEYS["open_holds"]),
    "insert_request": ("request_ids", _REQUEST),
    "note_deletion": ("pending_deletions", (*_OF_BUDGET, "request_id")),
    "save_note": ("notes", (*KEYS["notes"], "note")),
}
#: The table from which a statement removes rows, by as much of the key as it gives.
REMOVALS = {
    "remove_counter": "counters",
    "clear_models": "models",
    "remove_hold": "open_holds",
    "forget_note": "notes",
}


class ToyRows:
    """One state of the tables: read, and written by the one transaction that has copied them."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def __call__(self, statement: str, parameters: Mapping[str, Any], /) -> Sequence[Row]:
        """See Rows."""
        return list(getattr(self, statement)(**parameters))

    def write(self, writes: Iterable[Write]) -> None:
        """Carry out writes, in order."""
        for statement, rows in writes:
            for row in rows:
                if isinstance(row, Mapping):
                    getattr(self, statement)(**row)
                elif statement in WRITES:
                    self._put(statement, row)
                else:
                    table = self.tables[REMOVALS[statement]]
                    for key in [key for key in table if key[: len(row)] == row]:
                        del table[key]

    def _put(self, statement: str, row: Any) -> None:
        name, names = WRITES[statement]
        new = dict(zip(names, row, strict=True))
        key = tuple(new[each] for each in KEYS[name])
        before = self.tables[name].get(key)
        assert before is None or not statement.startswith("insert_"), f"{statement}: {key} exists"
        self.tables[name][key] = {**(DEFAULTS.get(name, {}) if before is None else before), **new}

    def note_deletion(self, project_key: int, budget_key: int, request_id: str) -> None:
        if self._children(project_key, budget_key):
            self._put("note_deletion", (project_key, budget_key, request_id))

    def settle_deletion(self, project_key: int, budget_key: int) -> None:
        if not self._children(project_key, budget_key):
            self.tables["pending_deletions"].pop((project_key, budget_key), None)

    def load_pending_deletions(self, project_key: int, rows_max: int) -> list[Row]:
        return [(key,) for of, key in sorted(self.tables["pending_deletions"]) if of == project_key][:rows_max]

    def load_unfinished(self, project_key: int, keys: Sequence[int]) -> Iterator[Row]:
        for key in keys:
            above = self._above(self._budget(project_key, key))
            deleted = next((each for each in above if not self._lives(each)), None)
            if (
                deleted is not None
                and (place := (project_key, deleted["budget_key"])) in self.tables["pending_deletions"]
            ):
                yield key, deleted["deleted_at_us"], self.tables["pending_deletions"][place]["request_id"]

    def load_projects(self, ids: Sequence[str]) -> Iterator[Row]:
        for each in ids:
            for key, is_deleting in self.project_key(each):
                yield each, key, *(self._seqs_down("entries", key, rows_max=1) or [0]), is_deleting

    def project_key(self, project_id: str) -> Iterator[Row]:
        project = self.tables["projects"].get((project_id,))
        if project is not None:
            yield project["project_key"], any(self._of("pending_deletions", project["project_key"]))

    def last_project_key(self) -> list[Row]:
        return [(max((each["project_key"] for each in self.tables["projects"].values()), default=0),)]

    def last_budget_key(self, project_key: int) -> list[Row]:
        return [(max((each["budget_key"] for each in self._of("budgets", project_key)), default=0),)]

    def load_budgets(self, project_key: int, ids: Sequence[str]) -> list[Row]:
        found = (each for each in self._of("budgets", project_key) if each["budget_id"] in ids)
        return [self._with_count(each) for each in found if self._lives(each)]

    def load_upwards(self, project_key: int, keys: Sequence[int]) -> list[Row]:
        named = [self._budget(project_key, key) for key in keys]
        found = {each["budget_key"]: each for budget in named for each in (budget, *self._above(budget))}
        return [self._with_count(each) for each in found.values()]

    def list_budgets(
        self, project_id: str, after_key: int, with_deleted: bool, is_deleting: bool, rows_max: int
    ) -> Iterator[Row]:
        for project_key, _ in self.project_key(project_id):
            found = {each["budget_key"]: each for each in self._of("budgets", project_key)}
            keys = sorted(key for key, each in found.items() if key > after_key and (with_deleted or self._lives(each)))
            if is_deleting and not with_deleted:
                keys = [key for key in keys if all(map(self._lives, self._above(found[key])))]
            yield from (self._with_count(found[key]) for key in keys[:rows_max])

    def load_children(self, project_key: int, keys: Sequence[int], rows_max: int) -> list[Row]:
        return [(child,) for key in keys for child in self._children(project_key, key)][:rows_max]

    def count_children(self, project_key: int, budget_key: int) -> list[Row]:
        return [(len(self._children(project_key, budget_key)),)]

    def measure_tree(self, project_key: int, keys: Sequence[int], levels_max: int) -> list[Row]:
        budgets, levels, level = 0, 0, list(keys)
        while level and levels <= levels_max + 1:
            budgets, levels = budgets + len(level), levels + 1
            level = [child for key in level for child in self._children(project_key, key)]
        return [(budgets, levels)]

    def load_named(self, project_key: int, keys: Sequence[int]) -> Iterator[Row]:
        for key, each in sorted(self.tables["counters"].items()):
            if key[0] == project_key and key[1] in keys and each["limit_id"]:
                yield (key[1], *_taken(each, c.COUNTER))

    def load_all_models(self, project_key: int, keys: Sequence[int]) -> list[Row]:
        found = [key for key in self.tables["models"] if key[0] == project_key and key[1] in keys]
        return self._found("models", found, ("budget_key", "model", *c.SUMS))

    def load_models(self, project_key: int, pairs: Sequence[tuple[int, str]]) -> list[Row]:
        return self._found("models", [(project_key, *pair) for pair in pairs], ("budget_key", "model", *c.SUMS))

    def budget_names(self, project_key: int, keys: Sequence[int]) -> list[Row]:
        return self._found("budgets", [(project_key, key) for key in keys], ("budget_key", "budget_id"))

    def last_seq_of_live(self, project_key: int, budget_id: str) -> list[Row]:
        return [(row[c.TOTALS.index("last_seq")],) for row in self.load_budgets(project_key, [budget_id])]

    def last_seq_of_deleted(self, project_key: int, budget_id: str) -> list[Row]:
        found = [each for each in self._of("budgets", project_key) if each["budget_id"] == budget_id]
        keys = [each["budget_key"] for each in found if not self._lives(each)]
        return [(self.tables["counters"][(project_key, max(keys), "")]["last_seq"],)] if keys else []

    def load_requests(self, project_key: int, rpc: int, ids: Sequence[str]) -> list[Row]:
        names = ("request_id", "fingerprint", "entry_seq", "result", "more")
        return self._found("request_ids", [(project_key, rpc, each) for each in ids], names)

    def load_notes(self, project_key: int, keys: Sequence[Row]) -> list[Row]:
        return self._found("notes", [(project_key, *each) for each in keys], ("owner", "key", "note"))

    def load_corrected(self, project_key: int, seqs: Sequence[int]) -> Iterator[Row]:
        for seq, row in zip(seqs, self._entries(project_key, seqs), strict=True):
            found = (each for each in self._of("entries", project_key) if each["adjusted_seq"] == seq)
            yield (sum(each["cost_nano_usd"] for each in found), *row)

    def walk_chain(self, project_key: int, from_seq: int, until_seq: int, rows_max: int) -> Iterator[Row]:
        entry, read = self.tables["entries"].get((project_key, from_seq)), 0
        while entry is not None:
            yield from self._entries(project_key, [entry["seq"]])
            read += 1
            goes_on = read < rows_max and entry["previous_seq"] > until_seq
            entry = self.tables["entries"].get((project_key, entry["previous_seq"])) if goes_on else None

    def walk_others(
        self, project_key: int, budget_key: int, from_seq: int, until_seq: int, rows_max: int
    ) -> Iterator[Row]:
        found = (each["seq"] for each in self._of("entry_budgets", project_key) if each["budget_key"] == budget_key)
        seqs = sorted((seq for seq in found if until_seq < seq <= from_seq), reverse=True)
        return self._entries(project_key, seqs[:rows_max])

    def walk_project(self, project_key: int, from_seq: int, rows_max: int) -> Iterator[Row]:
        return self._entries(project_key, self._seqs_down("entries", project_key, rows_max, from_seq))

    def newest_entries(self, project_key: int, budget_key: int) -> list[Row]:
        (newest,) = self._seqs_down("entries", project_key, rows_max=1)
        return [(newest, self.tables["counters"][(project_key, budget_key, "")]["last_seq"])]

    def entries_by_number(self, project_id: str, seqs: Sequence[int]) -> Iterator[Row]:
        for project_key, _ in self.project_key(project_id):
            yield from self._entries(project_key, seqs)

    def load_reservations(self, project_key: int, seqs: Sequence[int]) -> Iterator[Row]:
        found = [(project_key, seq) for seq in seqs if (project_key, seq) in self.tables["reservations"]]
        for key, *row in self._found("reservations", found, ("budget_key", *c.RESERVATION)):
            entry = self.tables["entries"][(project_key, row[c.RESERVATION.index("seq")])]
            yield (self._budget(project_key, key)["budget_id"], *row, *_taken(entry, c.HOLD_ENTRY))

    def list_reservations(self, project_key: int, from_seq: int, rows_max: int) -> Iterator[Row]:
        return self.load_reservations(project_key, self._seqs_down("reservations", project_key, rows_max, from_seq))

    def load_first_holds(self, project_key: int, keys: Sequence[int], now_us: int, next_max: int) -> set[Row]:
        found: set[Row] = set()
        for key in keys:
            holds = [each for each in self._of("open_holds", project_key) if each["budget_key"] == key]
            later = sorted(each["expires_at_us"] for each in holds if each["expires_at_us"] > now_us)
            last_us = later[next_max - 1] if len(later) >= next_max else None
            found.update((each["seq"],) for each in holds if last_us is None or each["expires_at_us"] <= last_us)
        return found

    def load_holds(self, project_key: int, keys: Sequence[int]) -> set[Row]:
        return {(each["seq"],) for each in self._of("open_holds", project_key) if each["budget_key"] in keys}

    def load_own_holds(self, project_key: int, keys: Sequence[int]) -> list[Row]:
        made = self.tables["reservations"]
        return [seq for seq in self.load_holds(project_key, keys) if made[(project_key, *seq)]["budget_key"] in keys]

    def due_holds(self, now_us: int, rows_max: int) -> list[Row]:
        found = [each for each in self.tables["reservations"].values() if each["state"] == 1]
        due = sorted(_taken(each, ("expires_at_us", "project_key", "seq")) for each in found)
        return [(self._project_id(of), seq) for at_us, of, seq in due if at_us <= now_us][:rows_max]

    def due_windows(self, now_us: int, rows_max: int) -> list[Row]:
        found = [each for each in self.tables["counters"].values() if each["is_swept"]]
        due = sorted(_taken(each, ("window_end_at_us", *_OF_BUDGET)) for each in found)
        places = [(of, key) for at_us, of, key in due if at_us <= now_us][:rows_max]
        return [(self._project_id(of), self._budget(of, key)["budget_id"]) for of, key in places]

    def due_deletions(self, rows_max: int) -> list[Row]:
        return [(self._project_id(of),) for of in sorted({of for of, _ in self.tables["pending_deletions"]})][:rows_max]

    def _of(self, table: str, project_key: int) -> Iterator[Stored]:
        return (each for each in self.tables[table].values() if each["project_key"] == project_key)

    def _budget(self, project_key: int, key: int) -> Stored:
        return self.tables["budgets"][(project_key, key)]

    def _lives(self, budget: Stored) -> bool:
        return budget["deleted_at_us"] is None

    def _above(self, budget: Stored) -> Iterator[Stored]:
        """The ancestors of a budget, the nearest first."""
        while budget["parent_key"] is not None:
            budget = self._budget(budget["project_key"], budget["parent_key"])
            yield budget

    def _children(self, project_key: int, key: int) -> list[int]:
        found = (each for each in self._of("budgets", project_key) if each["parent_key"] == key)
        return [each["budget_key"] for each in found if self._lives(each)]

    def _with_count(self, budget: Stored) -> Row:
        """A budget with its main count, as it is read."""
        main = self.tables["counters"][(budget["project_key"], budget["budget_key"], "")]
        parent_id = next((each["budget_id"] for each in self._above(budget)), None)
        return (*_taken(main, c.TOTALS), *_taken(budget, c.BUDGET), parent_id, *_taken(main, c.COUNTER))

    def _found(self, table: str, keys: Iterable[Row], names: Iterable[str]) -> list[Row]:
        rows = self.tables[table]
        return [_taken(rows[key], names) for key in keys if key in rows]

    def _entries(self, project_key: int, seqs: Iterable[int]) -> Iterator[Row]:
        for key, *row in self._found("entries", [(project_key, seq) for seq in seqs], ("budget_key", *c.STORED_ENTRY)):
            yield (self._budget(project_key, key)["budget_id"], *row)

    def _seqs_down(self, table: str, project_key: int, rows_max: int, from_seq: int = NEWEST) -> list[int]:
        seqs = (each["seq"] for each in self._of(table, project_key) if each["seq"] <= from_seq)
        return sorted(seqs, reverse=True)[:rows_max]

    def _project_id(self, project_key: int) -> str:
        return next(str(each["project_id"]) for each in self._of("projects", project_key))


def _taken(row: Stored, names: Iterable[str]) -> Row:
    return tuple(row[name] for name in names)
