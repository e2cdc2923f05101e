"""How a verdict words times of day and shares of rows."""

from tickreel.quality.figures import Figures
from tickreel.report.figures import counted
from tickreel.report.words import percent
from tickreel.units import format_time


def clock_text(ns: int) -> str:
    """Return the time of day, UTC, to the second: "11:43:12"."""
    return format_time(ns)[11:19]


def of_rows(figures: Figures, name: str) -> str:
    return (
        f"{figures[name]:,} of {counted(figures['rows'], 'row')} ({percent(figures[name], figures['rows'])})"
    )


def of_looks(figures: Figures, name: str) -> str:
    """Return the share of rows, or of an order book's messages."""
    if "book_messages" not in figures:
        return of_rows(figures, name)
    whole = figures["book_messages"]
    return f"{figures[name]:,} of {counted(whole, 'message')} ({percent(figures[name], whole)})"
