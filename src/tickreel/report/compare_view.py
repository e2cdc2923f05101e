"""What a comparison of two feeds may show, as plain data; it is also the document of `tickreel compare --json`."""

from typing import Any, NotRequired, TypedDict


class SumView(TypedDict):
    """Counts of one day, of a stream's days or of all.

    days, days_a, days_b  held by both feeds and compared, by A alone, by B alone; alone_a, alone_b: rows of the latter
    late, lag_*_ns        local time of B - local time of A over pairs; None where `lag_none` says why there is none
    given_up              rows that were counted as missing or extra because too many waited for a partner
    """

    rows_a: int
    rows_b: int
    matched: int
    missing: int
    extra: int
    different: int
    fields: dict[str, int]
    given_up: int
    late: int | None
    lag_min_ns: int | None
    lag_p50_ns: int | None
    lag_p99_ns: int | None
    lag_max_ns: int | None
    lag_none: str | None
    days: int
    days_a: int
    days_b: int
    alone_a: int
    alone_b: int


class StreamView(SumView):
    """One type, exchange and symbol. matched_by: "id" or "content", both if days differ in that."""

    type: str
    exchange: str
    symbol: str
    matched_by: list[str]


class DayView(StreamView):
    day: str


class ExampleView(TypedDict):
    """One of the first rows of a kind, missing, extra, different or late. a, b: column to value, of those that there are."""

    kind: str
    type: str
    exchange: str
    symbol: str
    day: str
    a: NotRequired[dict[str, Any]]
    b: NotRequired[dict[str, Any]]


class CompareView(TypedDict):
    """rules, limits: name -> value as asked; equal: within all limits, else `exceeded` says which are passed."""

    a: str
    b: str
    store: str
    from_ns: int | None
    to_ns: int | None
    rules: dict[str, int | str]
    limits: dict[str, str]
    equal: bool
    exceeded: list[str]
    totals: SumView
    streams: list[StreamView]
    days: list[DayView]
    examples: list[ExampleView]
