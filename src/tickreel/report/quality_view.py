"""What a quality report may show, as plain data; it is also the document of `tickreel quality --json`."""

from typing import Any, NotRequired, TypedDict


class VerdictView(TypedDict):
    """One sentence on one day. severity: 1 note, 2 warning, 3 bad."""

    rule: str
    severity: int
    text: str


class FindingView(TypedDict):
    """One rule over the days of a stream: how many days, the worst of them with its text."""

    rule: str
    severity: int
    days: int
    day: str
    text: str


class RunView(TypedDict):
    """Days without a segment, both ends included; None where no range of days is known."""

    first: str | None
    last: str | None
    days: int


class StreamView(TypedDict):
    """One type, exchange and symbol (or group). days: with a segment; asked: those that were looked for.

    exchange  None where the symbol is asked for and no exchange of the store has it
    """

    type: str
    exchange: str | None
    symbol: str
    group: bool
    asked: int
    days: int
    rows: int
    severity: int
    missing: list[RunView]
    findings: list[FindingView]


class SymbolView(TypedDict):
    symbol: str
    rows: int
    verdict: VerdictView


class DayView(TypedDict):
    """One segment. figures: those of quality.figures; places: kind -> (from ns, to ns or None, text)."""

    type: str
    exchange: str
    symbol: str
    day: str
    severity: int
    figures: dict[str, int | float]
    places: dict[str, list[tuple[int, int | None, str]]]
    verdicts: list[VerdictView]
    worst_symbols: list[SymbolView]
    error: NotRequired[str]


class TotalsView(TypedDict):
    """Sums over all streams. streams_missing: those of which no day is there; notes to bad: sentences on days."""

    streams: int
    segments: int
    rows: int
    streams_missing: int
    missing_days: int
    notes: int
    warnings: int
    bad: int
    unreadable: int


# "from" is a word of Python.
QualityView = TypedDict(
    "QualityView",
    {
        "store": str,
        "feed": str,
        "from": str | None,
        "to": str | None,
        "asked": dict[str, str],
        "totals": TotalsView,
        "streams": list[StreamView],
        "days": list[DayView],
    },
)
"""`from` and `to`: first day, and first day not looked at any more; None in an empty store."""

SEVERITIES = ("", "note", "warning", "bad")


def stream_key(entry: Any) -> tuple[str, str | None, str]:
    """Return what a stream and its days share."""
    return entry["type"], entry["exchange"], entry["symbol"]
