"""RunResult: what a finished run says, read from its folder."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tickreel.errors import InputError, TaskError, UsageError, read_error
from tickreel.measure import (
    Account,
    Conventions,
    Performance,
    Trading,
    drawdown_curve,
    hold_return,
    performance,
    portfolio_performance,
    within,
)
from tickreel.report.view import Coverage, RunView, SymbolView
from tickreel.runs.contracts import notes_of
from tickreel.runs.folder import METRICS_FILE, REPORT_FILE, RUN_FILE, RunFolder
from tickreel.runs.settings import shown
from tickreel.runs.task import output_path
from tickreel.simulate.account import Summary
from tickreel.store.reader import Segment


class Machine(msgspec.Struct, frozen=True):
    """What a result's bytes depend on beside code and data."""

    tickreel: str
    python: str
    numpy: str
    numba: str
    system: str
    cores: int


class SymbolRecord(msgspec.Struct):
    """One symbol of a run: its data's fingerprint and the engine's summary, or an error.

    data  fingerprints of the trades, of the changes of the book and of the book that the range begins with
    missing_book_days  without rows of the order book; None if the strategy watches none
    instrument  name -> {"value", "source"} of the facts that its money rests on; notes: see Contract
    """

    exchange: str
    symbol: str
    data: str
    summary: dict[str, Any] | None = None
    error: str = ""
    error_type: str = ""
    traceback: str = ""
    days: int = 0
    missing_days: list[str] = []
    missing_book_days: list[str] | None = None
    refused: dict[str, int] = {}
    instrument: dict[str, dict[str, str]] = {}
    notes: list[str] = []
    range_ns: tuple[int, int] | None = None
    """What its figures speak of, half-open; None if it had no trade."""

    @property
    def name(self) -> str:
        return f"{self.exchange}:{self.symbol}"


class RunRecord(msgspec.Struct):
    """The content of run.json: what was asked, with what code and data, on what machine."""

    strategy: str
    command: str
    source: str | None
    from_ns: int
    to_ns: int
    code: str
    settings: dict[str, Any]
    capital: float
    conventions: dict[str, Any]
    symbols: list[SymbolRecord]
    wall_seconds: float
    workers: int
    created: str
    machine: Machine


class RunResult:
    """Metrics, equity, orders and fills of a run.

    metrics   Performance of all accounts together; None if every symbol failed
    symbols   "exchange:symbol" -> Performance of each that ran
    failed    "exchange:symbol" -> (error, traceback)
    path      the run folder, with report.html, metrics.json and run.json
    """

    def __init__(self, folder: RunFolder, record: RunRecord) -> None:
        self._folder = folder
        self.record = record
        self.conventions = Conventions(**record.conventions)
        self.symbols: dict[str, Performance] = {}
        self.failed = {s.name: (s.error, s.traceback) for s in record.symbols if s.summary is None}
        self.metrics: Performance | None = None
        self._accounts: dict[str, Account] = {}
        for symbol in record.symbols:
            if symbol.summary is not None:
                self._measure(symbol)
        self._times, self._equity = np.empty(0, np.int64), np.empty(0)
        if self._accounts:
            accounts = list(self._accounts.values())
            self._times, self._equity, self.metrics = portfolio_performance(accounts, self.conventions)

    @classmethod
    def write(cls, folder: RunFolder, record: RunRecord) -> "RunResult":
        """Measure a run, write its JSON and its report, and publish the folder."""
        from tickreel.report.html import report_html

        result = cls(folder, record)
        folder.write(RUN_FILE, json_text(record))
        folder.write(METRICS_FILE, json_text(result.document()))
        folder.write(REPORT_FILE, report_html(result.view()))
        folder.publish()
        return result

    @classmethod
    def open(cls, path: str | Path) -> "RunResult":
        """Read a run folder. Raises UsageError, InputError or ReadError naming the file at fault."""
        file = Path(path) / RUN_FILE
        try:
            record = msgspec.json.decode(file.read_bytes(), type=RunRecord)
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{path} is no run folder: it has no {RUN_FILE}") from None
        except OSError as error:
            raise read_error(error, file) from error
        except msgspec.DecodeError as error:
            raise InputError(f"{file}: {error}") from None
        return cls(RunFolder(Path(path), Path(path)), record)

    @property
    def path(self) -> Path:
        return self._folder.path

    @property
    def report(self) -> Path:
        return self.path / REPORT_FILE

    @property
    def trades(self) -> int:
        """Market trades that were replayed."""
        return sum(symbol.summary["events"] for symbol in self.record.symbols if symbol.summary)

    @property
    def average_return(self) -> float | None:
        """The mean of the symbols' returns, each counting the same."""
        returns = [m.total_return for m in self.symbols.values() if m.total_return is not None]
        return sum(returns) / len(returns) if returns else None

    def equity(self, symbol: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return (times int64 ns, equity float64) of one symbol, or of all accounts together."""
        if symbol is None:
            return self._times, self._equity
        account = self._accounts[self._record_of(symbol).name]
        return account.times_ns, account.equity

    def orders(self, symbol: str) -> dict[str, np.ndarray]:
        """Return the columns of the orders of one symbol; see schema, record type orders."""
        return self._columns("orders", symbol)

    def fills(self, symbol: str) -> dict[str, np.ndarray]:
        """Return the columns of the fills of one symbol; see schema, record type fills."""
        return self._columns("fills", symbol)

    def postings(self, symbol: str) -> dict[str, np.ndarray]:
        """Return the columns of the changes of cash of one symbol; see schema, record type postings."""
        return self._columns("postings", symbol)

    def notes(self) -> list[str]:
        """Return what must be known of the instruments beside the figures, with the symbols."""
        return notes_of(self.record.symbols)

    def raise_failed(self) -> None:
        """Raise TaskError with the first failed symbol's traceback, if any failed."""
        for name, (error, traceback) in self.failed.items():
            raise TaskError(f"{name}: {error}\n{traceback}")

    def document(self) -> dict[str, Any]:
        """Return the metrics as plain data: the content of metrics.json. Keys: docs/OPERATIONS.md."""
        symbols = []
        for record in self.record.symbols:
            row: dict[str, Any] = {"exchange": record.exchange, "symbol": record.symbol}
            if record.summary is None:
                row |= {"error": record.error, "error_type": record.error_type, "traceback": record.traceback}
            else:
                row |= {"trades": record.summary["events"], "metrics": asdict(self.symbols[record.name])}
                row |= {"rejected_orders": record.summary["rejected"], "refused_orders": record.refused}
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
            "average_return": self.average_return,
            "portfolio": asdict(self.metrics) if self.metrics else None,
            "symbols": symbols,
            "failed": len(self.failed),
        }

    def view(self) -> RunView:
        """Return what a report shows."""
        record = self.record
        single = len(self._accounts) == 1 and next(iter(self._accounts))
        drawdown = self._columns("equity", single)["drawdown"] if single else drawdown_curve(self._equity)
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
            "portfolio": {
                "times_ns": self._times, "equity": self._equity, "drawdown": drawdown, "metrics": self.metrics
            },
            "symbols": [self._symbol_view(symbol) for symbol in record.symbols],
            "settings": shown(record.settings),
            "sharpe": self.conventions.brief(),
            "conventions": self._conventions(),
        }  # fmt: skip

    def __repr__(self) -> str:
        from io import StringIO

        from rich.console import Console

        from tickreel.report.terminal import run_table

        console = Console(file=StringIO(), width=110)
        console.print(run_table(self.view()))
        return console.file.getvalue().rstrip()  # type: ignore[attr-defined]

    def _repr_html_(self) -> str:
        from tickreel.report.notebook import summary_html

        return summary_html(self.view())

    def _measure(self, symbol: SymbolRecord) -> None:
        equity = self._columns("equity", symbol.name)
        times, curve = equity["time_ns"], equity["equity"]
        account = account_of(Summary(**symbol.summary or {}), times, curve, symbol.range_ns)
        self._accounts[symbol.name] = account
        self.symbols[symbol.name] = performance(
            *within(times, curve, symbol.range_ns), account.drawdown,
            trading=account.trading, buy_and_hold=account.buy_and_hold, conventions=self.conventions,
        )  # fmt: skip

    def _record_of(self, symbol: str) -> SymbolRecord:
        found = [s for s in self.record.symbols if symbol in (s.name, s.symbol)]
        if len(found) == 1 and found[0].summary is not None:
            return found[0]
        names = ", ".join(s.name for s in self.record.symbols if s.summary is not None)
        what = "failed" if found and found[0].summary is None else "is not one symbol of this run"
        raise UsageError(f"{symbol!r} {what}; " + (f"it has {names}" if names else "all of them failed"))

    def _columns(self, type: str, symbol: str) -> dict[str, np.ndarray]:
        record = self._record_of(symbol)
        segment = Segment.open(output_path(self.path, type, record.exchange, record.symbol))
        blocks = range(len(segment.blocks))
        return {
            name: np.concatenate(
                [segment.read(name, block) for block in blocks] or [np.empty(0, column.kind.dtype)]
            )
            for name, column in zip(segment.record.names, segment.record.columns, strict=True)
        }

    def _symbol_view(self, symbol: SymbolRecord) -> SymbolView:
        asked = symbol.days + len(symbol.missing_days)
        summary = symbol.summary or {}
        coverage: Coverage = {
            "days_asked": asked,
            "days_with_data": symbol.days,
            "first_ns": summary.get("first_ns"),
            "last_ns": summary.get("last_ns"),
            "missing_days": symbol.missing_days,
            "missing_book_days": symbol.missing_book_days,
        }
        none = np.empty(0)
        equity = self._columns("equity", symbol.name) if symbol.summary else {}
        return {
            "exchange": symbol.exchange,
            "symbol": symbol.symbol,
            "trades": summary.get("events", 0),
            "metrics": self.symbols.get(symbol.name),
            "refused": symbol.refused,
            "error": None if symbol.summary else symbol.traceback or symbol.error,
            "times_ns": equity["time_ns"] if equity else np.empty(0, np.int64),
            "equity": equity.get("equity", none),
            "drawdown": equity.get("drawdown", none),
            "coverage": coverage,
        }

    def _conventions(self) -> list[str]:
        return told_conventions(self.conventions, self.notes())


def account_of(
    summary: Summary, times_ns: np.ndarray, equity: np.ndarray, range_ns: tuple[int, int] | None
) -> Account:
    """Return what an account's run says, in the form that is measured."""
    trading = Trading(
        orders=summary.orders, fills=summary.fills, notional=summary.notional,
        fees_nanos=summary.fees_nanos, trips=summary.trips, wins=summary.wins,
        gross_profit=summary.gross_profit_nanos / 1e9, gross_loss=summary.gross_loss_nanos / 1e9,
        in_position_ns=summary.in_position_ns, total_ns=max(summary.last_ns - summary.first_ns, 0),
    )  # fmt: skip
    hold = hold_return(summary.first_price, summary.last_price)
    return Account(times_ns, equity, summary.max_drawdown, trading, hold, range_ns)


def told_conventions(conventions: Conventions, notes: list[str]) -> list[str]:
    """Return what a reader of a report must know of its figures, line by line."""
    return [
        conventions.text(),
        *notes,
        "Each symbol is an account of its own; the average return is the mean over symbols; an open"
        " position is marked at the last trade.",
        "A market order fills at the first trade strictly later than its arrival (docs/SEMANTICS.md).",
        "Buy-and-hold: last price / first price - 1, without fees.",
        "Turnover: traded notional / mean sampled equity. Exposure: time in a position / time from the"
        " first to the last trade. Hit rate: round trips with a net result above 0 / all round trips.",
        "Drawdown: from the running maximum of equity, which starts at the initial capital; of single"
        " accounts on every trade, of the sum on the samples.",
    ]


def json_text(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1).decode() + "\n"
