"""What rows say, beside their times: one class for each kind of content, each with its record and its kernel."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tickreel.quality import content_kernel as kernel
from tickreel.quality import ids_kernel
from tickreel.quality.figures import Figures, Place, best_columns
from tickreel.quality.times_kernel import PLACES
from tickreel.schema import RecordType

Columns = Mapping[str, np.ndarray]


def kept_places(state: np.void, *names: str) -> dict[str, list[Place]]:
    """Return the places of counts: a field NAME and one NAME_at with the first local times, ns."""
    return {
        name: [(local, None, "") for local in state[f"{name}_at"][: state[name]].tolist()] for name in names
    }


class Content:
    """Figures of one kind of content of one symbol.

    NAMES   the fields of `STATE` that are figures
    PLACED  those of them whose first places it keeps, with the field NAME_at
    """

    STATE: ClassVar[np.dtype]
    NAMES: ClassVar[tuple[str, ...]]
    PLACED: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *columns: str) -> None:
        self.columns = columns
        self.state = np.zeros(1, self.STATE)

    def begin(self) -> None:
        """Forget the symbol before."""
        self.state[:] = 0

    def add(self, columns: Columns) -> None:
        """Add some rows; the columns are those named, with `local_ns`."""
        raise NotImplementedError

    def figures(self) -> Figures:
        return {name: self.state[name][0].item() for name in self.NAMES}

    def places(self) -> dict[str, list[Place]]:
        """Return kind -> the first places; called after `figures`."""
        return kept_places(self.state[0], *self.PLACED)


class Ids(Content):
    STATE = ids_kernel.IDS
    PLACED = ("ids_empty", "ids_text", "ids_repeated", "ids_backwards", "ids_late")
    NAMES = (*PLACED, "id_holes", "ids_missing", "id_hole_max")

    def __init__(self) -> None:
        super().__init__("id")
        self._open = np.zeros((ids_kernel.OPEN, 3), np.int64)
        self._holes = np.zeros((PLACES, 3), np.int64)

    def add(self, columns: Columns) -> None:
        ids = np.ascontiguousarray(columns["id"])
        letters = ids.view(np.uint8).reshape(len(ids), ids.dtype.itemsize)
        ids_kernel.look_at_ids(letters, columns["local_ns"], self.state, self._open, self._holes)

    def figures(self) -> Figures:
        ids_kernel.close_ids(self.state, self._open, self._holes)
        ends = ("first_id", "highest_id") if self.state["numbers"][0] else ()
        return super().figures() | {name: self.state[name][0].item() for name in ends}

    def places(self) -> dict[str, list[Place]]:
        holes = self._holes[: self.state["id_holes"][0]].tolist()
        found: list[Place] = [
            (local, None, f"{missing:,} missing after {last}") for local, last, missing in holes
        ]
        return {**super().places(), "id_holes": found}


class Prints(Content):
    STATE = kernel.PRINTS
    NAMES = ("side_unknown", "amount_total", "amount_max")
    PLACED = ("side_unknown",)

    def add(self, columns: Columns) -> None:
        kernel.look_at_prints(columns["local_ns"], columns["side"], columns["amount"], self.state)

    def places(self) -> dict[str, list[Place]]:
        local, amount = self.state["amount_max_ns"][0].item(), self.state["amount_max"][0].item()
        return {**super().places(), "amount_max": [(local, None, f"{amount:.12g}")]}


class Prices(Content):
    STATE = kernel.PRICES
    NAMES = ("outliers", "outliers_alike")

    def __init__(self) -> None:
        super().__init__("price")
        self._ring = np.zeros(kernel.WINDOW)
        self._ring_ns = np.zeros(kernel.WINDOW, np.int64)
        self._scratch = np.zeros((2, kernel.WINDOW))
        self._outliers = np.zeros(PLACES, kernel.OUTLIER)

    def add(self, columns: Columns) -> None:
        kernel.look_at_prices(
            columns["local_ns"], columns["price"], self.state, self._ring, self._ring_ns,
            self._scratch, self._outliers,
        )  # fmt: skip

    def places(self) -> dict[str, list[Place]]:
        found = self._outliers[: self.state["outliers"][0]].tolist()
        return {
            "outliers": [
                (local, None, f"{price:.12g} where its neighbours have {median:.12g}")
                for local, price, median in found
            ]
        }


class Best(Content):
    STATE = kernel.BEST
    NAMES = (
        "sides_empty", "locked_rows", "crossed_rows", "crossed_intervals", "crossed_ns", "crossed_max_ns",
    )  # fmt: skip

    def add(self, columns: Columns) -> None:
        bid, ask = (columns[name] for name in self.columns)
        kernel.look_at_best(columns["local_ns"], bid, ask, self.state)

    def places(self) -> dict[str, list[Place]]:
        return best_places(self.state[0])


def best_places(state: np.void) -> dict[str, list[Place]]:
    """Return the first places of a record BEST: crossed intervals have an end."""
    crossed: list[Place] = [
        (start, end, "") for start, end in state["crossed_at"][: state["crossed_intervals"]].tolist()
    ]
    return {**kept_places(state, "sides_empty", "locked_rows"), "crossed_intervals": crossed}


class Book(Content):
    STATE = kernel.BOOK
    NAMES = (
        "snapshots", "snapshot_rows", "snapshot_zeros", "rows_before_snapshot", "cells_empty", "removals",
    )  # fmt: skip
    PLACED = ("snapshots", "snapshot_zeros", "cells_empty")

    def add(self, columns: Columns) -> None:
        is_snapshot, price, amount = (columns[name] for name in self.columns)
        kernel.look_at_book(columns["local_ns"], is_snapshot, price, amount, self.state)

    def figures(self) -> Figures:
        found = super().figures()
        return found | {"reconnects": max(found["snapshots"] - 1, 0)}

    def places(self) -> dict[str, list[Place]]:
        later = self.state["reconnects_at"][0][: max(self.state["snapshots"][0] - 1, 0)].tolist()
        return {**super().places(), "reconnects": [(local, None, "") for local in later]}


class Funding(Content):
    STATE = kernel.FUNDING
    NAMES = ("funding_steps", "funding_steps_back", "funding_empty", "funding_rate_changes")
    PLACED = ("funding_steps_back",)

    def add(self, columns: Columns) -> None:
        kernel.look_at_funding(
            columns["local_ns"], columns["funding_ns"], columns["funding_rate"], self.state
        )


def contents(record: RecordType) -> list[Content]:
    """Return what there is to look at in a record type's rows beside their times."""
    found: list[Content] = []
    if "id" in record.names:
        found += [Ids(), Prints("side", "amount")]
    if record.name == "trades":
        found.append(Prices())
    if pair := best_columns(record.name):
        found.append(Best(*pair))
    if "is_snapshot" in record.names:
        found.append(Book("is_snapshot", "price", "amount"))
    if "funding_ns" in record.names:
        found.append(Funding("funding_ns", "funding_rate"))
    return found
