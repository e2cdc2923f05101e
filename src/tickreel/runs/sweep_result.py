"""SweepResult: what a finished sweep says, set by set."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tickreel.errors import InputError, UsageError
from tickreel.measure import Conventions, Performance
from tickreel.report.view import SweepView
from tickreel.runs.axes import Axes
from tickreel.runs.contracts import notes_of
from tickreel.runs.folder import METRICS_FILE, REPORT_FILE, RunFolder
from tickreel.runs.result import RunRecord, json_text, told_conventions
from tickreel.runs.settings import shown
from tickreel.runs.sweep_parts import SetResult
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
    best     the set with the highest total return, None if no set has one. The best of many is also the luckiest
    failed   "exchange:symbol" -> error of those that failed with every set
    path     the folder, with report.html, metrics.json and sweep.json
    """

    def __init__(self, folder: RunFolder, record: RunRecord, sets: Sequence[SetResult]) -> None:
        self._folder = folder
        self.record = record
        self.conventions = Conventions(**record.conventions)
        self.axes: Axes = record.settings["set"]
        self.sets = list(sets)
        self.failed = {one.name: one.error for one in record.symbols if one.summary is None}

    @classmethod
    def write(cls, folder: RunFolder, record: RunRecord, sets: Sequence[SetResult]) -> "SweepResult":
        """Write the JSON and the report, and publish the folder."""
        from tickreel.report.sweep_html import sweep_html

        result = cls(folder, record, sets)
        folder.write(SWEEP_FILE, json_text(record))
        folder.write(METRICS_FILE, json_text(result.document()))
        folder.write(REPORT_FILE, sweep_html(result.view()))
        folder.publish()
        return result

    @classmethod
    def open(cls, path: str | Path) -> "SweepResult":
        """Read a sweep's folder. Raises UsageError or InputError naming the file that is not there or not right."""
        folder = Path(path)
        file = folder / SWEEP_FILE
        try:
            record = msgspec.json.decode(file.read_bytes(), type=RunRecord)
            file = folder / METRICS_FILE
            sets = msgspec.json.decode(file.read_bytes(), type=_Sets).sets
        except FileNotFoundError:
            raise UsageError(f"{path} is no folder of a sweep: it has no {file.name}") from None
        except msgspec.DecodeError as error:
            raise InputError(f"{file}: {error}") from None
        return cls(RunFolder(folder, folder), record, sets)

    @property
    def path(self) -> Path:
        return self._folder.path

    @property
    def report(self) -> Path:
        return self.path / REPORT_FILE

    @property
    def trades(self) -> int:
        """Market trades that each set was played over."""
        return sum(one.summary["events"] for one in self.record.symbols if one.summary)

    @property
    def best(self) -> SetResult | None:
        best, highest = None, -np.inf
        for one in self.sets:
            gain = one.metrics.total_return if one.metrics else None
            if gain is not None and gain > highest:
                best, highest = one, gain
        return best

    def table(self) -> dict[str, np.ndarray]:
        """Return columns of one row a set: its parameters, then its metrics, NaN where there is none.

        A parameter called like a metric is "set_NAME".
        """
        columns = {
            f"set_{name}" if name in _TABLE else name: np.array([one.parameters[name] for one in self.sets])
            for name in self.axes
        }
        for name in _TABLE:
            values = [getattr(one.metrics, name, None) for one in self.sets]
            columns[name] = np.array(values, float if None in values else None)  # None becomes NaN
        return columns

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
        best = self.best
        return {
            "strategy": self.record.strategy,
            "source": self.record.source,
            "from_ns": self.record.from_ns,
            "to_ns": self.record.to_ns,
            "settings": self.record.settings,
            "conventions": self.conventions.text(),
            "trades": self.trades,
            "axes": self.axes,
            "best": best.parameters if best else {},
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
            "axes": self.axes,
            "symbols": names,
            "metrics": [one.metrics for one in self.sets],
            "returns": {name: [one.returns[name] for one in self.sets] for name in names},
            "failed": [len(one.failed) for one in self.sets],
            "errors": _errors(self.sets),
        }

    def __repr__(self) -> str:
        from io import StringIO

        from rich.console import Console

        from tickreel.report.sweep_terminal import sweep_table

        console = Console(file=StringIO(), width=110)
        console.print(sweep_table(self.view()))
        return console.file.getvalue().rstrip()  # type: ignore[attr-defined]


def _errors(sets: Sequence[SetResult]) -> list[tuple[str, str, int]]:
    """Return (symbol, first error, with how many sets) of the symbols that failed, most first."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for one in sets:
        for name, error in one.failed.items():
            counts[name] += 1
            first.setdefault(name, error)
    return [(name, first[name], count) for name, count in counts.most_common()]
