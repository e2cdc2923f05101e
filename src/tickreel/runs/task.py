"""One symbol's run: the task of a worker. Plain data in, small plain data out; the rest goes to files."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tickreel.books.at import bring_before
from tickreel.books.book import Book
from tickreel.runs.events import Changes, changes_of, events
from tickreel.runs.grid import Grid, boundaries
from tickreel.scan.plan import Stream
from tickreel.scan.read import Piece, StreamReader
from tickreel.schema import REASONS, RECORD_TYPES
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.compile import Engine, build
from tickreel.simulate.records import REFUSALS, LateTimes, Rows
from tickreel.simulate.strategy import Strategy
from tickreel.store.catalog import Store
from tickreel.store.format import BLOCK_ROWS, Meta
from tickreel.store.names import encode_exchange, encode_symbol
from tickreel.store.writer import SegmentWriter
from tickreel.strategies.load import StrategyRef, load

OUTPUTS = ("orders", "fills", "postings", "equity")
_PROGRESS_ROWS = 1 << 20
NO_BOOK = (
    "its order book is not known at the end of the range: without a snapshot since the store's first day of it, or"
    " since a day that is missing, on_book is not called"
)


class SymbolTask(msgspec.Struct, frozen=True):
    """What a worker needs to run one symbol.

    code  fingerprint of the strategy that the run began with
    """

    store: str
    stream: Stream
    changes: Stream | None
    strategy: StrategyRef
    code: str
    parameters: dict[str, float | int | bool]
    capital: float
    fee: float
    latency_ns: int
    allow_short: bool
    uncross: bool
    multiplier: float
    from_ns: int | None
    to_ns: int | None
    grid: Grid
    folder: str
    batch_rows: int | None
    jit: bool

    def account(self) -> AccountSettings:
        return AccountSettings(self.capital, self.fee, self.latency_ns, self.allow_short, self.multiplier)


def run_symbol(arguments: dict[str, Any], progress: Callable[..., None]) -> dict[str, Any]:
    """Run a strategy over one symbol; write its orders, fills, postings and equity.

    Returns {"summary": that of the engine, "refused": reason -> orders refused, in whole or in part,
    "book": fingerprint of the book that the range begins with, "" if it is not known, "notes": texts}.
    """
    task = msgspec.convert(arguments, SymbolTask)
    strategy, engine = prepared(task.strategy, task.code, task.jit)
    store = Store(task.store)
    book = book_of(task, store)
    begins_with = "" if book is None or not book.is_known else fingerprint_of(book)
    run = AccountRun(strategy, engine, dict(task.parameters), task.account(), boundaries(task.grid), book)
    with Outputs(Path(task.folder), task.stream.exchange, task.stream.symbol) as outputs:
        done = reported = 0
        for rows, changes in batches(task, store, engine.fields):
            if not isinstance(changes, Changes):
                run.feed(rows, outputs, changes)
            else:
                if changes.after_gap:
                    run.forget_book(outputs)
                run.feed_events(rows, changes.rows, changes.scale, outputs)
            done += len(rows.price)
            if done - reported >= _PROGRESS_ROWS:
                progress(trades=done)
                reported = done
        summary, samples = run.finish(outputs)
        outputs.equity(samples)
        outputs.finish()
    progress(trades=done)
    notes = [] if book is None or book.is_known else [NO_BOOK]
    return {"summary": summary._asdict(), "refused": outputs.refused, "book": begins_with, "notes": notes}


@lru_cache(maxsize=1)
def prepared(ref: StrategyRef, code: str, jit: bool) -> tuple[type[Strategy], Engine]:
    """Return strategy and engine; those of the symbol before where their code is the same."""
    strategy = load(ref, code)
    return strategy, build(strategy, jit=jit)


def output_path(folder: Path, type: str, exchange: str, symbol: str) -> Path:
    """Return where a run folder keeps one symbol's records of a type."""
    return folder / type / encode_exchange(exchange) / f"{encode_symbol(symbol)}.reel"


class Outputs:
    """The four files of one symbol; a Sink for the engine."""

    def __init__(self, folder: Path, exchange: str, symbol: str) -> None:
        self._exchange, self._symbol = exchange, symbol
        self._reasons = np.zeros(len(REASONS), np.int64)
        self._writers: dict[str, SegmentWriter] = {}
        for name in OUTPUTS:
            path = output_path(folder, name, exchange, symbol)
            path.parent.mkdir(parents=True, exist_ok=True)
            # A task that runs again after its worker died begins anew.
            path.unlink(missing_ok=True)
            self._writers[name] = SegmentWriter(path, RECORD_TYPES[name])

    @property
    def refused(self) -> dict[str, int]:
        """Return reason -> orders that the venue refused for it, most first; no reason without any."""
        found = {REASONS[place]: int(self._reasons[place]) for place in REFUSALS if self._reasons[place]}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def orders(self, rows: np.ndarray) -> None:
        self._reasons += np.bincount(rows["reason"], minlength=len(REASONS))
        self._append("orders", rows)

    def fills(self, rows: np.ndarray) -> None:
        self._append("fills", rows)

    def postings(self, rows: np.ndarray) -> None:
        self._append("postings", rows)

    def equity(self, rows: np.ndarray) -> None:
        self._append("equity", rows)

    def finish(self) -> None:
        """Seal the four files."""
        for name, writer in self._writers.items():
            meta = Meta("run", name, self._exchange, self._symbol, "", False, [])
            writer.finish(meta, [(self._symbol, writer.rows)])

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.abandon()

    def _append(self, type: str, rows: np.ndarray) -> None:
        # Copies: the writer keeps rows until a block is full, the engine goes on writing into these.
        names = RECORD_TYPES[type].names
        self._writers[type].append({name: np.array(rows[name]) for name in names})


def book_of(task: SymbolTask, store: Store) -> Book | None:
    """Return the book that the range begins with; None if the strategy watches none."""
    if task.changes is None:
        return None
    book = Book(uncross=task.uncross)
    if task.from_ns is not None:
        bring_before(book, store, task.changes, task.from_ns - (task.changes.lag_ns or 0))
    return book


def fingerprint_of(book: Book) -> str:
    """Return a hash of all levels."""
    columns = [column for levels in (book.bids(), book.asks()) for column in (len(levels.price), *levels)]
    return hashlib.sha256(b"".join(np.asarray(column).tobytes() for column in columns)).hexdigest()[:32]


def batches(
    task: SymbolTask, store: Store, fields: frozenset[str]
) -> Iterator[tuple[Rows, Changes | LateTimes | None]]:
    """Yield what the engine plays: trades alone, with their times or late ones, or with changes of the book.

    With batch_rows no times are late.
    """
    if task.changes is None:
        yield from _rows(task, store, fields)
    else:
        trades = (rows for rows, _ in _rows(task, store, fields | {"local_ns"}))
        yield from events(trades, changes_of(store, task.changes, from_ns=task.from_ns, to_ns=task.to_ns))


def _rows(task: SymbolTask, store: Store, fields: frozenset[str]) -> Iterator[tuple[Rows, LateTimes | None]]:
    """Yield the trades of the range with the columns that the strategy reads; the others are zeros.

    Times that it does not read come late where a block's last one is known without decoding them.
    """
    names = ("price", *(name for name in ("amount", "side", "exchange_ns") if name in fields))
    whole = ("local_ns", *names)
    reader = StreamReader(store, task.stream, whole, from_ns=task.from_ns, to_ns=task.to_ns, reuse=True)
    unread = Unread()
    for piece in reader.pieces():
        last_ns = None if "local_ns" in fields or task.batch_rows else piece.last_ns
        block = reader.read(piece, whole if last_ns is None else names)
        columns = unread.rows(block.columns, len(block))
        if last_ns is not None:
            yield columns, LateTimes(partial(_times, reader, piece), last_ns)
            continue
        step = task.batch_rows or len(block)
        for first in range(0, len(block), step):
            yield Rows(*(column[first : first + step] for column in columns)), None


def _times(reader: StreamReader, piece: Piece, start: int, stop: int) -> np.ndarray:
    rows = slice(piece.rows.start + start, piece.rows.start + stop)
    return reader.read(piece._replace(rows=rows), ("local_ns",))["local_ns"]


class Unread:
    """Stands in for columns that were not read: zeros, and no times."""

    _all: Rows
    _some: Rows

    def __init__(self) -> None:
        self._make(BLOCK_ROWS)

    def rows(self, columns: Mapping[str, np.ndarray], count: int) -> Rows:
        if len(self._all.side) < count:
            self._make(count)
        if len(self._some.side) != count:
            self._some = Rows(*(column[:count] for column in self._all))
        return self._some._replace(**columns)

    def _make(self, size: int) -> None:
        none = np.empty(0, np.int64)
        self._some = self._all = Rows(
            np.zeros(size), np.zeros(size), np.zeros(size, np.uint8), np.zeros(size, np.int64), none
        )
