"""The few facts of a run that every output opens with."""

import re
from collections import Counter
from typing import NamedTuple

from tickreel.report.figures import number
from tickreel.report.view import Finished, RunView, SymbolView
from tickreel.report.words import spoken_time
from tickreel.units import NS_PER_S, counted


class KeyFigure(NamedTuple):
    """A headline number; `tone` is "gain", "loss" or ""."""

    label: str
    value: str
    note: str
    tone: str


def failed(view: RunView) -> list[SymbolView]:
    """Return the symbols that have an error, in the order given."""
    return [row for row in view["symbols"] if row["error"] is not None]


def row_return(row: SymbolView) -> float | None:
    return row["metrics"].total_return if row["metrics"] else None


def ranked(view: RunView) -> list[SymbolView]:
    """Return the symbols, best return first; those without one last, by name."""

    def key(row: SymbolView) -> tuple[bool, float, str, str]:
        gain = row_return(row)
        return gain is None, -(gain or 0.0), row["exchange"], row["symbol"]

    return sorted(view["symbols"], key=key)


def average_return(view: RunView) -> float | None:
    """Return the mean return of the symbols that have one, each counting the same."""
    gains = [gain for row in view["symbols"] if (gain := row_return(row)) is not None]
    return sum(gains) / len(gains) if gains else None


def trades_per_second(view: RunView) -> float | None:
    return view["trades"] / view["wall_seconds"] if view["wall_seconds"] > 0 else None


def time_range(view: Finished) -> str:
    """Return "2024-01-01 to 2024-07-01 UTC", with the time of day, in seconds, where it is not midnight."""
    ends = (spoken_time(view[name] // NS_PER_S * NS_PER_S) for name in ("from_ns", "to_ns"))
    return " to ".join(ends) + " UTC"


def assumed_clock(view: Finished) -> str:
    """Return how the times of arrival were assumed, "" where the rows have their own."""
    clock = view["settings"].get("clock", "local")
    return "" if clock == "local" else f"{clock}: the rows have no local times"


def speed(view: RunView) -> str:
    """Return "1.2 s, 383,333,333 trades/s, 2 workers"."""
    rate = trades_per_second(view)
    workers = f"{view['workers']} worker" + ("" if view["workers"] == 1 else "s")
    each = f", {number(rate, 'count')} trades/s" if rate is not None else ""
    return f"{view['wall_seconds']:,.3g} s{each}, {workers}"


def key_figures(view: RunView) -> list[KeyFigure]:
    """Return the headline numbers, in reading order."""
    metrics = view["portfolio"]["metrics"]
    reasons = metrics.reasons if metrics else {}
    count, errors = len(view["symbols"]), len(failed(view))
    measured = sum(row_return(row) is not None for row in view["symbols"])

    def figure(label: str, name: str, style: str, note: str = "") -> KeyFigure:
        value = getattr(metrics, name) if metrics else None
        note = note if value is not None else reasons.get(name, "no symbol was measured")
        return KeyFigure(label, number(value, style), note, tone(value) if style == "gain" else "")

    deepest = "max_drawdown" if metrics and metrics.max_drawdown is not None else "max_drawdown_sampled"
    where = "on every event" if deepest == "max_drawdown" else "on the equity samples"
    average = average_return(view)
    orders = number(metrics.orders if metrics else None, "count")
    return [
        KeyFigure("Average return", number(average, "gain"), counted(measured, "symbol"), tone(average)),
        figure("Portfolio return", "total_return", "gain", "sum of all accounts"),
        figure("Buy & hold", "buy_and_hold", "gain", "same capital, no fees"),
        figure("Sharpe", "sharpe", "ratio", "portfolio, a year"),
        figure("Max drawdown", deepest, "share", where),
        figure("Fees", "fees", "money", "settlement currency"),
        KeyFigure("Trades", number(view["trades"], "count"), f"in {view['wall_seconds']:,.3g} s", ""),
        figure("Fills", "fills", "count", f"of {orders} orders"),
        *_refused(view),
        *_sparse(view),
        *_sparse_books(view),
        KeyFigure(
            "Errors", number(errors, "count"), f"of {counted(count, 'symbol')}", "loss" if errors else ""
        ),
    ]


def _refused(view: RunView) -> list[KeyFigure]:
    """Return how many orders were refused, by reason, most first; nothing if none was."""
    reasons: Counter[str] = Counter()
    for row in view["symbols"]:
        reasons.update(row["refused"])
    if not reasons:
        return []
    note = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common())
    return [KeyFigure("Refused orders", number(reasons.total(), "count"), note, "loss")]


def _sparse(view: RunView) -> list[KeyFigure]:
    """Return on how many days there was data; nothing if there was some on all of them."""
    covered = [row["coverage"] for row in view["symbols"] if row["coverage"]]
    asked, found = (sum(one[name] for one in covered) for name in ("days_asked", "days_with_data"))
    return _days(
        "Days with data", "data", found, asked, len(covered),
        "a day without, between others, counts as a return of 0",
    )  # fmt: skip


def _sparse_books(view: RunView) -> list[KeyFigure]:
    """Return the same of order books, if the strategy watches them."""
    covered = [row["coverage"] for row in view["symbols"] if row["coverage"]]
    lost = [days for one in covered if (days := one["missing_book_days"]) is not None]
    asked = sum(one["days_asked"] for one in covered if one["missing_book_days"] is not None)
    return _days(
        "Days with books", "order books", asked - sum(map(len, lost)), asked, len(lost),
        "after a day without, no book is known until its next snapshot",
    )  # fmt: skip


def _days(label: str, what: str, found: int, asked: int, symbols: int, meaning: str) -> list[KeyFigure]:
    if found >= asked:
        return []
    of = f", {counted(symbols, 'symbol')} added up" if symbols > 1 else ""
    note = f"{what} on {found:,} of {asked:,} days{of}; {meaning}"
    return [KeyFigure(label, f"{found / asked:.2%}", note, "")]


def last_line(error: str) -> str:
    """Return the line of a traceback that says what happened, without the module of the error's class."""
    line = error.strip().rsplit("\n", 1)[-1]
    return re.sub(r"^(?:\w+\.)+(\w+)(?=:|$)", r"\1", line)


def tone(value: float | None) -> str:
    """Return "gain", "loss", or "" for 0 and for no value."""
    if value is None or value == 0:
        return ""
    return "gain" if value > 0 else "loss"
