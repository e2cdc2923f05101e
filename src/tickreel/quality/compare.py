"""Compares two feeds: which symbols and days both have, all of them compared on all cores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import msgspec

from tickreel.compute import Task, make_executor
from tickreel.errors import UsageError
from tickreel.quality.compare_day import Compared, Rules, compare_day
from tickreel.scan.plan import Question, Stream, plan_each
from tickreel.scan.read import contents, open_slice
from tickreel.schema import MARKET_TYPES
from tickreel.store.catalog import Store
from tickreel.store.kept import KeptStore
from tickreel.store.names import check_feed
from tickreel.units import NS_PER_DAY, day_of, day_start

_FIRST_NS, _LAST_NS = day_start("0001-01-01"), day_start("9999-12-31")
_MOST_DAYS = 16
"""Days of a task at most."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed of a store; `text` is how it was named."""

    text: str
    store: str
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is compared; what is left out matches all that one of the feeds holds. Times are half-open, ns UTC."""

    a: Feed
    b: Feed
    exchange: str | None = None
    symbols: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    rules: Rules = field(default_factory=Rules)

    @property
    def is_timed(self) -> bool:
        return (self.from_ns, self.to_ns) != (None, None)


class StreamName(msgspec.Struct, frozen=True, order=True):
    """What the two streams that are compared share."""

    type_order: int
    exchange: str
    symbol: str

    @property
    def type(self) -> str:
        return MARKET_TYPES[self.type_order]


class Day(msgspec.Struct, frozen=True):
    """One symbol and day: compared, or held by one feed alone, which then has `rows` rows of it."""

    of: StreamName
    day: str
    alone: Literal["a", "b"] | None = None
    rows: int = 0
    found: Compared | None = None


def feed_of(text: str, store: str) -> Feed:
    """Return the feed that "NAME", of the store at hand, or "NAME@STORE" means."""
    name, at, place = text.partition("@")
    if at and not place:
        raise UsageError(f"{text}: name the store after the @, or leave the @ out for the one of --store")
    return Feed(text, place or store, check_feed(name))


def compare(
    asked: Asked,
    *,
    workers: int | None = None,
    on_plan: Callable[[int], None] = lambda days: None,
    on_progress: Callable[[int], None] = lambda days: None,
) -> Iterator[Day]:
    """Yield every symbol and day that one of the feeds holds, by type in schema order, exchange, symbol and day.

    Raises UsageError for wrong words, and where neither feed holds anything of what is asked; CorruptionError,
    and FailedError if a segment is replaced meanwhile.
    """
    stores = stores_of(asked)
    streams = streams_of(stores, asked)
    pairs = [(name, found, _days_of(found, asked)) for name, found in sorted(streams.items())]
    both = {(name, day): found for name, found, days in pairs for day in sorted(days[0] & days[1])}
    if not any(one or other for _, _, (one, other) in pairs):
        raise UsageError(f"neither {asked.a.text} nor {asked.b.text} has a day in that range of time")
    on_plan(len(both))
    compared = _compare(asked, both, workers, on_progress)
    for name, found, days in pairs:
        for day in sorted(days[0] | days[1]):
            if (name, day) in both:
                yield Day(name, day, found=next(compared))
            else:
                side = 0 if day in days[0] else 1
                yield Day(name, day, "ab"[side], _rows_on(stores[side], found[side], day))  # type: ignore[arg-type]


def stores_of(asked: Asked) -> tuple[Store, Store]:
    """Return the stores of A and of B. Raises UsageError for wrong words."""
    for type in asked.types:
        if type not in MARKET_TYPES:
            raise UsageError(f"--types {type}: no record type; known are {', '.join(MARKET_TYPES)}")
    if asked.from_ns is not None and asked.to_ns is not None and asked.from_ns >= asked.to_ns:
        raise UsageError("--from must be before --to: the range is half-open")
    one, other = Store.existing(asked.a.store), Store.existing(asked.b.store)
    if (one.root, asked.a.name) == (other.root, asked.b.name):
        raise UsageError(
            f"{asked.a.text} and {asked.b.text} are one feed: name two, or another store with FEED@STORE"
        )
    return one, other


_Pair = tuple[Stream | None, Stream | None]


def streams_of(stores: tuple[Store, Store], asked: Asked) -> dict[StreamName, _Pair]:
    """Return the streams of both feeds, with the days around the range; None for what one of them has not.

    Raises UsageError for a name that neither has.
    """
    found: dict[StreamName, list[Stream | None]] = {}
    absent: list[set[str]] = []
    for side, (store, feed) in enumerate(zip(stores, (asked.a, asked.b), strict=True)):
        if feed.name not in store.feeds():
            raise UsageError(f"{feed.text}: {store.root} has no such feed; it has {', '.join(store.feeds())}")
        streams, lacking = _held(store, feed, asked)
        absent.append(lacking)
        for stream in streams:
            name = StreamName(MARKET_TYPES.index(stream.type), stream.exchange, stream.symbol)
            found.setdefault(name, [None, None])[side] = stream
    if (nowhere := absent[0] & absent[1]) or not found:
        raise UsageError(_refusal(stores, asked, [text for text in asked.symbols if text in nowhere]))
    return {name: (one, other) for name, (one, other) in found.items()}


def _held(store: Store, feed: Feed, asked: Asked) -> tuple[list[Stream], set[str]]:
    """Return what a feed has of what is asked, and the symbols of which it has nothing."""
    try:
        return plan_each(store, _questions(feed, asked), partial=True), set()
    except UsageError:
        if len(asked.symbols) < 2:
            return [], set(asked.symbols)
    parts = [_held(store, feed, replace(asked, symbols=(text,))) for text in asked.symbols]
    return [stream for streams, _ in parts for stream in streams], {text for _, of in parts for text in of}


_NAMED = 12
"""So many names a refusal lists."""


def _refusal(stores: tuple[Store, Store], asked: Asked, nowhere: list[str]) -> str:
    """Return why there is nothing to compare: the option that names what neither feed has, and what they have."""
    pairs = zip(stores, (asked.a, asked.b), strict=True)
    keys = [key for store, feed in pairs for key in store.find(feed=feed.name)]
    neither = f"neither {asked.a.text} nor {asked.b.text} has"
    for option, wanted, have in (
        ("--types", set(asked.types), {key.type for key in keys}),
        ("--exchange", {asked.exchange} - {None}, {key.exchange for key in keys}),
    ):
        if wanted and not wanted & have:
            return f"{option} {', '.join(map(str, wanted))}: {neither} rows of that; they have {_some(have)}"
    names = {f"{key.exchange}:{key.symbol}" for key in keys if asked.exchange in (None, key.exchange)}
    if nowhere:
        when = " in that time" if asked.is_timed else ""
        return f"--symbols {', '.join(nowhere)}: {neither} rows of that{when}; they have {_some(names)}"
    return f"{neither} rows of what is asked for in that time; tickreel ls --days shows what there is"


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:_NAMED]) + (" ..." if len(names) > _NAMED else "") or "nothing"


def _questions(feed: Feed, asked: Asked) -> list[Question]:
    # A day more on both sides, as far as there are days.
    start = None if asked.from_ns is None else max(asked.from_ns - NS_PER_DAY, _FIRST_NS)
    end = None if asked.to_ns is None else min(asked.to_ns + NS_PER_DAY, _LAST_NS)
    return [
        Question(type, feed.name, asked.exchange, asked.symbols, start, end)
        for type in asked.types or MARKET_TYPES
    ]


def _days_of(pair: _Pair, asked: Asked) -> tuple[set[str], set[str]]:
    """Return the days of A and of B that the range touches."""
    one, other = (
        {part.key.day for part in stream.slices if _span(part.key.day, asked) is not None}
        if stream
        else set()
        for stream in pair
    )
    return one, other


def _span(day: str, asked: Asked) -> tuple[int, int] | None:
    """Return the part of a day that is in the range, [from, to) in ns; None if there is none."""
    start = day_start(day)
    end = start + NS_PER_DAY
    start = start if asked.from_ns is None else max(start, asked.from_ns)
    end = end if asked.to_ns is None else min(end, asked.to_ns)
    return (start, end) if start < end else None


def _rows_on(store: Store, stream: Stream | None, day: str) -> int:
    """Return the rows of a day, of the whole day."""
    assert stream is not None
    part = next(part for part in stream.slices if part.key.day == day)
    found = contents(open_slice(store, part), part, stream.symbol)
    return found.stop - found.start


class _Work(msgspec.Struct, frozen=True):
    """What a worker needs to compare some days of one symbol."""

    stores: tuple[str, str]
    streams: tuple[Stream, Stream]
    days: list[tuple[str, tuple[int, int]]]
    rules: Rules


def _compare(
    asked: Asked,
    both: dict[tuple[StreamName, str], _Pair],
    workers: int | None,
    on_progress: Callable[[int], None],
) -> Iterator[Compared]:
    """Yield what was found of every day, in the order given."""
    done = 0
    with make_executor(min(workers, max(1, len(both))) if workers else None) as executor:
        tasks = [
            Task(str(number), "tickreel.quality.compare:compare_days", msgspec.to_builtins(work))
            for number, work in enumerate(_works(asked, both, executor.workers))
        ]
        if len(tasks) > 1 and executor.workers > 1:
            # Alone, so that no two workers compile the same thing at once.
            for outcome in executor.run([Task("warm", "tickreel.quality.compare_warm:warm_up", {})]):
                if not outcome.ok:
                    raise outcome.as_error()
        waiting: dict[str, Any] = {}
        following = 0
        for outcome in executor.run(tasks, in_order=True):
            if not outcome.ok:
                raise outcome.as_error()
            waiting[outcome.task_id] = outcome.value
            done += len(outcome.value)
            on_progress(done)
            while str(following) in waiting:
                yield from msgspec.convert(waiting.pop(str(following)), list[Compared])
                following += 1


def _works(asked: Asked, both: dict[tuple[StreamName, str], _Pair], workers: int) -> Iterator[_Work]:
    """Yield the days in the order given, some of one symbol together."""
    most = max(1, min(_MOST_DAYS, len(both) // (4 * workers)))
    days: list[str] = []
    for place, (name, day) in enumerate(keys := list(both)):
        days.append(day)
        ends = place + 1 == len(keys) or keys[place + 1][0] != name
        if ends or len(days) == most:
            one, other = both[name, day]
            assert one is not None
            assert other is not None
            spans = [(each, _span(each, asked)) for each in days]
            yield _Work(
                (asked.a.store, asked.b.store), (_around(one, days), _around(other, days)),
                [(each, span) for each, span in spans if span is not None], asked.rules,
            )  # fmt: skip
            days = []


def _around(stream: Stream, days: Sequence[str]) -> Stream:
    """Return a stream with the slices of some days, of the day before and of the day after."""
    near = {day_of(day_start(day) + step * NS_PER_DAY) for day in days for step in (-1, 0, 1)}
    return replace(stream, slices=[part for part in stream.slices if part.key.day in near])


@lru_cache(2)
def _kept(root: str) -> KeptStore:
    """Return a store whose segments stay open: a group's is asked for by each of its symbols."""
    return KeptStore(root)


def compare_days(arguments: dict[str, Any], progress: Callable[..., None]) -> list[Any]:
    """Compare some days of one symbol; the task of a worker."""
    work = msgspec.convert(arguments, _Work)
    stores = _kept(work.stores[0]), _kept(work.stores[1])
    found = []
    for day, span in work.days:
        streams = tuple(_around(stream, [day]) for stream in work.streams)
        found.append(compare_day(stores, streams, day, span, work.rules))  # type: ignore[arg-type]
    return msgspec.to_builtins(found)
