"""SweepResult: what a finished sweep says, set by set."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tickreel.errors import InputError, TaskError, UsageError, read_error
from tickreel.measure import Conventions, Performance
from tickreel.report.sweep_summary import ranking
from tickreel.report.view import OneSet, SweepView
from tickreel.runs.axes import Axes
from tickreel.runs.contracts import notes_of
from tickreel.runs.folder import METRICS_FILE, REPORT_FILE, RunFolder
from tickreel.runs.result import RunRecord, json_text, told_conventions
from tickreel.runs.settings import shown
from tickreel.runs.sweep_sets import SetResult
from tickreel.scan.arrow import extra

SWEEP_FILE = "sweep.json"
_TABLE = tuple(field.name for field in fields(Performance) if field.name not in ("months", "reasons"))


class _Sets(msgspec.Struct):
    """What is read of metrics.json."""

    sets: list[SetResult]


class SweepResult:
    """Metrics of every parameter set of a sweep.

    axes     parameter -> its values
    sets     SetResult of each combination; the last parameter changes from each set to the next
    best     the set with the highest total return, of those that ran all symbols; if none did, of those that ran
             most. None if no set has a return. The best of many is also the luckiest
    failed   "exchange:symbol" -> (error, traceback) of those that failed with every set
    path     the folder, with report.html, metrics.json and sweep.json
    """

    def __init__(self, folder: RunFolder, record: RunRecord, sets: Sequence[SetResult]) -> None:
        self._folder = folder
        self._one_set: OneSet | None = None
        self.record = record
        self.conventions = Conventions(**record.conventions)
        self.axes: Axes = {axis["name"]: axis["values"] for axis in record.settings["set"]}
        self.sets = list(sets)
        self.failed = {one.name: (one.error, one.traceback) for one in record.symbols if one.summary is None}

    @classmethod
    def write(
        cls, folder: RunFolder, record: RunRecord, sets: Sequence[SetResult], one_set: OneSet | None = None
    ) -> "SweepResult":
        """Write the JSON and the report, and publish the folder."""
        from tickreel.report.sweep_html import sweep_html

        result = cls(folder, record, sets)
        result._one_set = one_set
        folder.write(SWEEP_FILE, json_text(record))
        folder.write(METRICS_FILE, json_text(result.document()))
        folder.write(REPORT_FILE, sweep_html(result.view()))
        folder.publish()
        return result

    @classmethod
    def open(cls, path: str | Path) -> "SweepResult":
        """Read a sweep's folder. Raises UsageError, InputError or ReadError naming the file at fault."""
        folder = Path(path)
        file = folder / SWEEP_FILE
        try:
            record = msgspec.json.decode(file.read_bytes(), type=RunRecord)
            file = folder / METRICS_FILE
            sets = msgspec.json.decode(file.read_bytes(), type=_Sets).sets
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{path} is no folder of a sweep: it has no {file.name}") from None
        except OSError as error:
            raise read_error(error, file) from error
        except msgspec.DecodeError as error:
            raise InputError(f"{file}: {error}") from None
        result = cls(RunFolder(folder, folder), record, sets)
        # JSON has its keys sorted.
        result.sets = [
            replace(one, parameters={name: one.parameters[name] for name in result.axes}) for one in sets
        ]
        return result

    @property
    def path(self) -> Path:
        return self._folder.path

    @property
    def report(self) -> Path:
        return self.path / REPORT_FILE

    @property
    def trades(self) -> int:
        """Market trades that a set was played over which ran all symbols."""
        return sum(one.summary["events"] for one in self.record.symbols if one.summary)

    @property
    def best(self) -> SetResult | None:
        place = self._best()
        return None if place is None else self.sets[place]

    def _best(self) -> int | None:
        order = ranking([one.metrics for one in self.sets], [len(one.failed) for one in self.sets])
        return order[0] if order else None

    def raise_failed(self) -> None:
        """Raise TaskError with the traceback of the first symbol that failed with every set, if any did."""
        for name, (error, traceback) in self.failed.items():
            raise TaskError(f"{name}: {error}\n{traceback}")

    def table(self) -> dict[str, np.ndarray]:
        """Return columns of one row a set: its parameters, then its metrics, NaN where there is none.

        A parameter called like a metric is "set_NAME". `failed` counts the symbols that failed.
        """
        columns = {
            head: np.array([one.parameters[name] for one in self.sets])
            for name, head in self._heads().items()
        }
        columns["failed"] = np.array([len(one.failed) for one in self.sets])
        for name in _TABLE:
            values = [getattr(one.metrics, name, None) for one in self.sets]
            columns[name] = np.array(values, float if None in values else None)  # None becomes NaN
        return columns

    def _heads(self) -> dict[str, str]:
        """Return parameter -> heading of its column, each another one."""
        taken = {*_TABLE, "failed", *self.axes}
        heads = {}
        for name in self.axes:
            head = name
            while head in taken - {name} or head in (*_TABLE, "failed"):
                head = f"set_{head}"
            heads[name] = head
            taken.add(head)
        return heads

    def to_polars(self) -> Any:
        """Return the table as a polars.DataFrame. Raises UsageError naming the extra to install."""
        return extra("polars").DataFrame(self.table())

    def to_pandas(self) -> Any:
        """Return the table as a pandas.DataFrame. Raises UsageError naming the extra to install."""
        return extra("pandas").DataFrame(self.table())

    def notes(self) -> list[str]:
        """Return what must be known of the instruments beside the figures, with the symbols."""
        return notes_of(self.record.symbols)

    def document(self) -> dict[str, Any]:
        """Return the metrics as plain data: the content of metrics.json. Keys: docs/OPERATIONS.md."""
        symbols: list[dict[str, Any]] = []
        for record in self.record.symbols:
            row: dict[str, Any] = {"exchange": record.exchange, "symbol": record.symbol}
            if record.summary is None:
                row |= {"error": record.error, "error_type": record.error_type, "traceback": record.traceback}
            else:
                row |= {"trades": record.summary["events"]}
                row |= {"instrument": record.instrument, "notes": record.notes}
            symbols.append(row)
        return {
            "strategy": self.record.strategy,
            "source": self.record.source,
            "from_ns": self.record.from_ns,
            "to_ns": self.record.to_ns,
            "settings": self.record.settings,
            "conventions": self.conventions.text(),
            "trades": self.trades,
            "axes": self.record.settings["set"],
            "best": self._best_document(),
            "sets": [
                {
                    "parameters": one.parameters,
                    "metrics": asdict(one.metrics) if one.metrics else None,
                    "returns": one.returns,
                    "failed": one.failed,
                }
                for one in self.sets
            ],
            "symbols": symbols,
            "failed": len(self.failed),
        }

    def _best_document(self) -> dict[str, Any] | None:
        place = self._best()
        if place is None:
            return None
        return {"set": place, "parameters": self.sets[place].parameters, "failed": self.sets[place].failed}

    def view(self) -> SweepView:
        """Return what a report shows."""
        record = self.record
        names = [one.name for one in record.symbols]
        return {
            "strategy": record.strategy,
            "source": record.source,
            "from_ns": record.from_ns,
            "to_ns": record.to_ns,
            "trades": self.trades,
            "wall_seconds": record.wall_seconds,
            "workers": record.workers,
            "version": record.machine.tickreel,
            "created": record.created,
            "command": record.command,
            "settings": shown({**record.settings, "set": {}}),
            "sharpe": self.conventions.brief(),
            "conventions": told_conventions(self.conventions, self.notes()),
            "played": sum(self._trades_of(one) for one in self.sets),
            "axes": self.axes,
            "parameters": [one.parameters for one in self.sets],
            "symbols": names,
            "metrics": [one.metrics for one in self.sets],
            "returns": {name: [one.returns[name] for one in self.sets] for name in names},
            "failed": [len(one.failed) for one in self.sets],
            "errors": self._errors(),
            "one_set": self._one_set,
        }

    def _trades_of(self, one: SetResult) -> int:
        lost = (record for record in self.record.symbols if record.summary and record.name in one.failed)
        return self.trades - sum(record.summary["events"] for record in lost if record.summary)

    def __repr__(self) -> str:
        from io import StringIO

        from rich.console import Console

        from tickreel.report.sweep_terminal import sweep_table

        console = Console(file=StringIO(), width=110)
        console.print(sweep_table(self.view()))
        return console.file.getvalue().rstrip()  # type: ignore[attr-defined]

    def _errors(self) -> list[tuple[str, str, int]]:
        """Return (symbol, first error, with how many sets) of the symbols that failed, most first."""
        counts = Counter(name for one in self.sets for name in one.failed)
        first = {name: traceback or error for name, (error, traceback) in self.failed.items()}
        for one in self.sets:
            for name, error in one.failed.items():
                first.setdefault(name, error)
        return [(name, first[name], count) for name, count in counts.most_common()]
