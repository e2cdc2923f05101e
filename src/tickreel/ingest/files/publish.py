"""Gives what workers staged its place in the store: what is new, replaced, merged or refused is decided here."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from tickreel.books import checkpoints
from tickreel.codecs.choice import Purpose
from tickreel.errors import FailedError
from tickreel.ingest.files.open_segment import Staged
from tickreel.ingest.files.places import Place, Places, named_key, parts_of
from tickreel.ingest.files.stage_task import FileResult
from tickreel.schema import GROUPS
from tickreel.store.catalog import SegmentKey, WritingStore
from tickreel.store.format import BLOCK_ROWS, Part
from tickreel.store.maintain import Source, merge
from tickreel.store.reader import Segment


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a file's rows. state: imported, merged, replaced or skipped."""

    state: str
    segments: tuple[str, ...] = ()
    rejects: str = ""


@dataclass(frozen=True, slots=True)
class _Change:
    """What one segment becomes: `file`, or nothing. heirs: (path, sha256) of parts that pass to another path."""

    key: SegmentKey
    file: Path | None
    state: str
    heirs: tuple[tuple[str, str], ...] = ()


class Publisher:
    """Publishes the files of an import into one feed, one after the other, while the store's lock is held."""

    def __init__(
        self,
        store: WritingStore,
        feed: str,
        *,
        replace: bool = False,
        block_rows: int = BLOCK_ROWS,
        optimise: Purpose = "balanced",
    ) -> None:
        self._store = store
        self._feed = feed
        self._replace = replace
        self._block_rows = block_rows
        self._optimise = optimise
        self._places = Places(store, feed)
        self._merged = 0

    def known(self, type: str, source: str, *, without: Collection[str] = ()) -> list[str]:
        """Return each sha256 with which a file has nothing to bring: all its rows are there, and no others of it.

        without  other paths, whose parts do not count: they may go before it is this file's turn
        """
        place = self._places.find(type, source)
        parts = [
            part
            for _, part in self._parts(type, source, place)
            if part.source == source or part.source not in without
        ]
        return _known(source, parts, place)

    def skip(self, type: str, source: str, sha256: str) -> bool:
        """Note that a path has bytes that are there; False if they are not, or not any more."""
        place = self._places.find(type, source)
        parts = self._parts(type, source, place)
        if sha256 not in _known(source, [part for _, part in parts], place):
            return False
        if place or any(part.source != source for _, part in parts):
            self._settle(type, source, sha256)
        return True

    def publish(self, type: str, result: FileResult) -> Published:
        """Put a file's segments in place, and take what it brought before out of all others.

        All or nothing is decided before anything is published. Killed at any moment and called
        again, it ends with the same bytes. Raises FailedError where rows of others are in the way.
        """
        source, sha256 = result.path, result.sha256
        staged = {segment.key: segment for segment in result.segments}
        before = self._places.find(type, source)
        left = [key for key in self._keys(type, source, before) if key not in staged]
        found = [self._change(key, staged.get(key), result) for key in (*left, *staged)]
        changes = [change for change in found if change]
        if not changes and (staged or self.known(type, source) == [sha256]):
            self._settle(type, source, sha256, staged)
            return Published("skipped")
        rejects = self._publish_rejects(result)
        heirs = {heir for change in changes for heir in change.heirs}
        self._announce(
            Place(source, type, sha256, sorted({*left, *staged}), before.also if before else []), heirs
        )
        self._store.publish([(one.file, self._store.path(one.key)) for one in changes if one.file])
        self._remove([one.key for one in changes if one.file is None])
        for path, inherited in sorted(heirs):
            self._settle(type, path, inherited)
        self._settle(type, source, sha256)
        states = {change.state for change in changes}
        state = next((state for state in ("replaced", "merged") if state in states), "imported")
        return Published(state, tuple(str(key) for key in staged), rejects)

    def _keys(self, type: str, source: str, place: Place | None) -> list[SegmentKey]:
        """Return every segment that may hold a part of a path: the one of its name, and those of its record."""
        named = named_key(self._feed, type, source)
        return sorted({*([named] if named else []), *(place.segments if place else [])})

    def _parts(
        self, type: str, source: str, place: Place | None, more: Iterable[SegmentKey] = ()
    ) -> list[tuple[SegmentKey, Part]]:
        keys = sorted({*self._keys(type, source, place), *more})
        return [(key, part) for key in keys for part in parts_of(self._store, key)]

    def _change(self, key: SegmentKey, staged: Staged | None, result: FileResult) -> _Change | None:
        """Return what becomes of a segment; None: it stays."""
        try:
            there = self._store.open(key)
        except FileNotFoundError:
            there = None
        parts = there.meta.parts if there else []
        new = None
        if staged and all(part.sha256 != result.sha256 for part in parts):
            new = Segment.open(Path(staged.file))
            self._refuse_twice(key, new)
        stale = [part for part in parts if part.source == result.path and part.sha256 != result.sha256]
        if not stale and not new:
            return None
        heirs = [heir for part in stale if (heir := self._inherited(key, part))]
        others = [part for part in parts if part not in stale] + heirs
        kept = self._beside(key, others, new.meta.parts[0]) if new else others
        if there and new:
            _refuse_other_clock(key, there, kept, new)
        sources = [Source(there, part) for part in kept] if there else []
        state = "imported" if not there else "replaced" if stale or len(kept) < len(parts) else "merged"
        if staged and new and not kept:
            return _Change(key, Path(staged.file), state)
        file = self._merge(key, [*sources, *([Source(new, new.meta.parts[0])] if new else [])])
        return _Change(key, file, state, tuple((part.source, part.sha256) for part in heirs if part in kept))

    def _inherited(self, key: SegmentKey, part: Part) -> Part | None:
        """Return a part under another path that brought the same bytes, the first that still stands for them."""
        claims = self._places.claims(self._places.find(key.type, part.source), part.sha256)
        return replace(part, source=claims[0]) if claims else None

    def _beside(self, key: SegmentKey, others: list[Part], mine: Part) -> list[Part]:
        """Return the parts that stay beside a new one. Raises FailedError if not all do, without `replace`."""
        kept = [part for part in others if not _overlap(part, mine)]
        if len(kept) < len(others) and not self._replace:
            other = next(part for part in others if part not in kept)
            raise FailedError(
                f"{mine.source}: {key} already has rows of that time from {other.source};"
                " import with --replace to put this file in its place, or under another --feed"
            )
        return kept

    def _merge(self, key: SegmentKey, sources: list[Source]) -> Path | None:
        if not sources:
            return None
        self._merged += 1
        file = self._store.staging / f"{self._merged}.merged"
        merge(key, sources, file, block_rows=self._block_rows, optimise=self._optimise)
        return file

    def _refuse_twice(self, key: SegmentKey, new: Segment) -> None:
        """Raise FailedError if a symbol's day would lie in two segments: its own and a group's, or two groups'."""
        names = set(new.footer.names) if new.rows else set()
        for other in self._others(key, names):
            there = self._store.open(other)
            twice = sorted(names.intersection(there.footer.names)) if there.rows else []
            if twice:
                raise FailedError(
                    f"{new.meta.parts[0].source}: {other} has rows of {twice[0]} already, and a symbol's day lies"
                    f" in its own segment or in a group's, not in both; remove that one (tickreel rm --exchange"
                    f" {other.exchange} --symbols {other.symbol} --from {key.day} ...), or import under another"
                    " --feed"
                )

    def _others(self, key: SegmentKey, names: set[str]) -> Iterator[SegmentKey]:
        """Yield the segments of a day, but for `key`, that may have rows of some symbols."""
        day = (key.feed, key.type, key.exchange)
        others = [SegmentKey(*day, group, key.day, True) for group in GROUPS if names]
        if key.grouped:
            others += [SegmentKey(*day, name, key.day) for name in sorted(names)]
        yield from (other for other in others if other != key and self._store.path(other).exists())

    def _publish_rejects(self, result: FileResult) -> str:
        if not result.rejects_file:
            return ""
        target = self._store.rejects_path(self._feed, result.sha256)
        self._store.publish([(Path(result.rejects_file), target)])
        return str(target)

    def _remove(self, keys: list[SegmentKey]) -> None:
        self._store.remove([self._store.path(key) for key in keys])
        self._store.remove([path for key in keys for path in checkpoints.files_of(self._store, key)])

    def _announce(self, place: Place, heirs: set[tuple[str, str]]) -> None:
        """Write down what the segments are about to say: the records may say too much, never too little."""
        self._places.begin()
        for path, sha256 in heirs:
            others = [other for other in self._places.claims(place, sha256) if other != path]
            heir = self._places.find(place.type, path)
            assert heir is not None, "a claim is a record"
            self._places.keep(replace(heir, also=sorted({*heir.also, *others})))
        self._places.settle(place)

    def _settle(self, type: str, source: str, sha256: str, more: Iterable[SegmentKey] = ()) -> None:
        """Make a path's record say what the segments say, and its bytes' first path know of it.

        more  segments to look into beside those that the path is known for
        """
        before = self._places.find(type, source)
        parts = self._parts(type, source, before, more)
        found = [(key, part) for key, part in parts if part.sha256 == sha256]
        also = self._places.claims(before, sha256)
        place = Place(source, type, sha256, [key for key, _ in found], also)
        first = {part.source for _, part in found} - {source}
        if not first:
            self._places.settle(place)
            return
        self._places.keep(place)
        for path in sorted(first):
            other = self._places.find(type, path) or replace(place, source=path, also=[])
            self._places.keep(replace(other, also=sorted({*other.also, source})))


def _refuse_other_clock(key: SegmentKey, there: Segment, kept: list[Part], new: Segment) -> None:
    """Raise FailedError if rows with local time and rows without would lie in one segment."""
    other = next((part for part in kept if part.rows), None)
    if other and new.rows and there.record.has_local != new.record.has_local:
        with_it, without = (
            (other, new.meta.parts[0]) if there.record.has_local else (new.meta.parts[0], other)
        )
        raise FailedError(
            f"{new.meta.parts[0].source}: rows of {with_it.source} have local times, those of {without.source} have"
            f" none, and {key} is on one clock: import this file under another --feed"
        )


def _known(source: str, parts: list[Part], place: Place | None) -> list[str]:
    """Return each sha256 whose rows are all among some parts, if no other bytes of `source` are."""
    if not parts and place and not place.segments:
        return [place.sha256]
    mine = {part.sha256 for part in parts if part.source == source}
    return [
        sha256
        for sha256 in sorted({part.sha256 for part in parts})
        if mine <= {sha256} and _is_whole(parts, sha256)
    ]


def _is_whole(parts: list[Part], sha256: str) -> bool:
    """Return whether some parts hold every good row of the bytes: each part knows how many those are."""
    found = [part for part in parts if part.sha256 == sha256]
    good = found[0].lines - sum(finding.count for finding in found[0].set_aside.values())
    return sum(part.rows for part in found) == good


def _overlap(a: Part, b: Part) -> bool:
    if a.interval is None or b.interval is None:
        return False
    return a.interval[0] < b.interval[1] and b.interval[0] < a.interval[1]
