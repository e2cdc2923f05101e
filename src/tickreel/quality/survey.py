"""What a report is about: what is there, what is missing against what was asked for, all of it measured."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from tickreel.compute import Task, make_executor
from tickreel.errors import TickreelError, UsageError
from tickreel.quality.asked import MOST_DAYS, Asked, StreamKey, named_streams
from tickreel.quality.segments import Measured
from tickreel.scan.plan import choose_feed
from tickreel.schema import GROUPS
from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.describe import check_names
from tickreel.units import NS_PER_DAY, day_of, day_start

_BATCH = 16


@dataclass(slots=True)
class Stream:
    """What was looked for on one line of the map. days: asked, ascending; found: day -> figures."""

    key: StreamKey
    days: list[str] = field(default_factory=list)
    found: dict[str, Measured] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        return [day for day in self.days if day not in self.found]


def survey(
    store: Store,
    asked: Asked,
    *,
    workers: int | None = None,
    on_plan: Callable[[int], None] = lambda segments: None,
    on_progress: Callable[[int], None] = lambda segments: None,
) -> tuple[str, list[Stream]]:
    """Return the feed and its streams, sorted by type in schema order, exchange and symbol, all measured.

    Raises UsageError for wrong words, for an exchange of which nothing is there, and for a symbol that lies
    in a group's file; a segment that cannot be read is `Measured.error`.
    """
    asked.check()
    feed = choose_feed(store, asked.feed)
    check_names(store, feed=feed, exchange=asked.exchange)
    lines = named_streams(
        asked, {StreamKey.of(key) for key in store.find(feed=feed, exchange=asked.exchange)}
    )
    keys = [
        key
        for key in store.find(feed=feed, exchange=asked.exchange, from_ns=asked.from_ns, to_ns=asked.to_ns)
        if StreamKey.of(key) in lines
    ]
    there: dict[StreamKey, set[str]] = {line: set() for line in sorted(lines, key=_order)}
    for key in keys:
        there[StreamKey.of(key)].add(key.day)
    found = {line: Stream(line, days) for line, days in _days(asked, there)}
    if asked.symbols:
        _refuse_grouped(store, feed, asked, found.values(), there)
    on_plan(len(keys))
    for measured in _measure(store, keys, asked.gap_ns, workers, on_progress):
        found[StreamKey.of(measured.key)].found[measured.key.day] = measured
    return feed, list(found.values())


def _order(key: StreamKey) -> tuple[int, str, str, bool]:
    return key.type_order, key.exchange or "", key.symbol, key.group


def _days(asked: Asked, there: dict[StreamKey, set[str]]) -> Iterator[tuple[StreamKey, list[str]]]:
    """Yield the days of every stream: those of the range, which without one is from its first to its last segment.

    A stream without any segment in the range is looked for on the days of all others.
    """
    others = set().union(*there.values())
    ends = {min(others), max(others)} if others else set()
    for line, own in there.items():
        days = own or ends
        first = asked.from_ns if asked.from_ns is not None else day_start(min(days)) if days else None
        last = asked.to_ns if asked.to_ns is not None else day_start(max(days)) + NS_PER_DAY if days else None
        if first is None or last is None:
            yield line, []
            continue
        _refuse_too_long(first, last)
        yield line, [day_of(ns) for ns in range(first, last, NS_PER_DAY)]


def _refuse_too_long(first: int, last: int) -> None:
    days = (last - first) // NS_PER_DAY
    if days > MOST_DAYS:
        raise UsageError(
            f"{day_of(first)} to {day_of(last)} are {days:,} days, at most {MOST_DAYS:,} are looked for;"
            " leave --from or --to out: then a stream begins or ends with its own days"
        )


def _refuse_grouped(
    store: Store, feed: str, asked: Asked, streams: Iterable[Stream], there: dict[StreamKey, set[str]]
) -> None:
    """Raise UsageError for a symbol that was named and lies in a group's file on a day that would be missing."""
    missing = [(stream.key, {*stream.days} - there[stream.key]) for stream in streams if not stream.key.group]
    for type in {line.type for line, days in missing if days or not there[line]}:
        for key in store.find(
            feed=feed,
            type=type,
            exchange=asked.exchange,
            symbol=GROUPS,
            from_ns=asked.from_ns,
            to_ns=asked.to_ns,
        ):
            lost = [
                line.symbol
                for line, days in missing
                if line.type == type
                and line.exchange in (None, key.exchange)
                and (key.day in days or not there[line])
            ]
            if lost and (symbol := _within(store, key, lost)):
                raise UsageError(
                    f"{symbol} lies in a group's file with other symbols ({key}): it is judged only with them;"
                    f" name the group, {key.exchange}:{key.symbol}"
                )


def _within(store: Store, key: SegmentKey, symbols: list[str]) -> str | None:
    """Return the first of the symbols that has rows in a group's segment; None if it cannot be read."""
    try:
        segment = store.open(key)
    except (TickreelError, FileNotFoundError):
        return None
    return next((symbol for symbol in symbols if segment.symbol_rows(symbol)), None)


def _measure(
    store: Store,
    keys: Sequence[SegmentKey],
    gap_ns: int | None,
    workers: int | None,
    on_progress: Callable[[int], None],
) -> Iterator[Measured]:
    """Yield every segment's figures, in the order of the keys."""
    tasks = [
        Task(str(start), "tickreel.quality.segments:measure_segments", {
            "store": str(store.root), "gap_ns": gap_ns,
            "keys": [msgspec.to_builtins(key) for key in keys[start : start + _BATCH]],
        })
        for start in range(0, len(keys), _BATCH)
    ]  # fmt: skip
    done = 0
    with make_executor(min(workers, max(1, len(tasks))) if workers else None) as executor:
        if len(tasks) > 1:
            # Alone, so that no two workers compile the same thing at once.
            for outcome in executor.run([Task("warm", "tickreel.quality.warm:warm_up", {})]):
                if not outcome.ok:
                    raise outcome.as_error()
        for outcome in executor.run(tasks, in_order=True):
            if not outcome.ok:
                raise outcome.as_error()
            done += _BATCH
            on_progress(min(done, len(keys)))
            yield from msgspec.convert(outcome.value, list[Measured])
