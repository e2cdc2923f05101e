"""Damaged and forged segments: found, named, and never a wrong row, a crash or a heap of memory."""

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import forgeries
import store_sample as sample
from counts import SOAK
from tickreel.errors import CorruptionError, DiskError, FormatError
from tickreel.schema import RECORD_TYPES, RecordType
from tickreel.store import format as fmt
from tickreel.store.maintain import verify
from tickreel.store.reader import Segment

SEED = int(os.environ.get("TICKREEL_SEED", "20240101"))
FLIPS = 1000 if SOAK else 100


@dataclass(frozen=True)
class Victim:
    """A sound segment, what it holds, and where its chunks lie: (start, stop with padding, block, column)."""

    record: RecordType
    data: bytes
    cells: sample.Cells
    places: list[tuple[int, int, int, str]]

    def chunk_at(self, offset: int) -> tuple[int, str] | None:
        return next(
            ((block, name) for start, stop, block, name in self.places if start <= offset < stop), None
        )

    def boundaries(self) -> list[int]:
        """Return where one thing ends and the next begins, from the header to the trailer's magic."""
        size = len(self.data)
        footer = self.places[-1][1]
        columns, blocks = len(self.record.columns), len(self.places) // len(self.record.columns)
        tables = [48, 48 * columns, 32 * blocks, 48 * blocks * columns, 24]
        inside = [footer + sum(tables[:count]) for count in range(len(tables) + 1)]
        ends = [end for start, stop, *_ in self.places for end in (start, stop - 1)]
        return sorted({0, 1, 8, 12, 56, 64, *ends, *inside, *range(size - 64, size, 8), size - 1})


def victim(folder: Path, name: str, rows: int, **options: object) -> Victim:
    record = RECORD_TYPES[name]
    cells = sample.random_cells(record, rows, seed=len(name))
    parts = [sample.part(record, cells)]
    path = sample.write(folder / name, record, cells, parts=parts, **options)  # type: ignore[arg-type]
    segment = Segment.open(path)
    places = []
    for block in range(len(segment.blocks)):
        for column, chunk in zip(record.names, segment.footer.chunks[block], strict=True):
            start, stop = int(chunk["offset"]), int(chunk["offset"] + chunk["length"])
            places.append((start, stop + -stop % 8, block, column))
    assert list(verify(segment)) == []
    return Victim(record, path.read_bytes(), sample.expected(record, cells), places)


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> list[Victim]:
    folder = tmp_path_factory.mktemp("sound")
    return [
        victim(folder, "trades", 60, block_rows=16),
        victim(folder, "derivative_ticker", 40, block_rows=13),
        victim(folder, "quotes", 40, block_rows=64, optimise="plain"),
        victim(folder, "options_chain", 30, block_rows=11, symbols=[("A", 10), ("B", 20)]),
        victim(folder, "orders", 30, block_rows=16),
    ]


def problems(path: Path, sound: Victim) -> list[str]:
    """Return all that opening and verifying say; what can still be read must be right."""
    try:
        segment = Segment.open(path)
    except (CorruptionError, FormatError) as error:
        return [str(error)]
    first = 0
    for block in range(len(segment.blocks)):
        rows = int(segment.blocks["rows"][block])
        for column in sound.record.columns:
            try:
                values = segment.read(column.name, block).tolist()
            except CorruptionError:
                continue
            right = sound.cells[column.name][first : first + rows]
            assert sample.comparable(column.kind, values) == right, (
                f"wrong rows in block {block}, {column.name}"
            )
        first += rows
    return list(verify(segment))


def test_every_flipped_bit_is_found_and_its_place_named(victims: list[Victim], tmp_path: Path) -> None:
    rng = random.Random(SEED)
    path = tmp_path / "damaged.reel"
    for _ in range(FLIPS):
        sound = rng.choice(victims)
        bit = rng.randrange(8 * len(sound.data))
        damaged = bytearray(sound.data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = problems(path, sound)
        about = f"TICKREEL_SEED={SEED}: bit {bit} of {sound.record.name}: {found}"
        assert found, about
        assert all(text.startswith(str(path)) for text in found), about
        if place := sound.chunk_at(bit // 8):
            block, column = place
            assert all(f"block {block}" in text for text in found), about
            assert any(f"column {column}:" in text for text in found), about


def test_every_bit_of_a_small_file_is_looked_at(tmp_path: Path) -> None:
    path = sample.three_trades(tmp_path / "three.reel")
    sound = path.read_bytes()
    bits = range(8 * len(sound)) if SOAK else range(SEED % 23, 8 * len(sound), 23)
    for bit in bits:
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert list(verify(Segment.open(path))), f"bit {bit}"
        except (CorruptionError, FormatError) as error:
            assert str(path) in str(error)


def test_a_file_cut_at_any_boundary_does_not_open(victims: list[Victim], tmp_path: Path) -> None:
    path = tmp_path / "cut.reel"
    for sound in victims:
        for size in sound.boundaries():
            for tail in (b"", bytes(len(sound.data) - size)):  # some file systems give zeros instead
                if sound.data[size:] != tail:
                    path.write_bytes(sound.data[:size] + tail)
                    with pytest.raises(CorruptionError, match=path.name):
                        Segment.open(path)


def test_a_small_file_cut_anywhere_does_not_open(tmp_path: Path) -> None:
    path = sample.three_trades(tmp_path / "three.reel")
    for size in range(path.stat().st_size - 1, -1, -1):
        os.truncate(path, size)
        with pytest.raises(CorruptionError, match=path.name):
            Segment.open(path)


def test_a_file_with_more_at_its_end_does_not_open(victims: list[Victim], tmp_path: Path) -> None:
    path = tmp_path / "long.reel"
    for tail in (b"\0", bytes(4096), victims[0].data):
        path.write_bytes(victims[1].data + tail)
        with pytest.raises(CorruptionError, match=path.name):
            Segment.open(path)


def test_chunks_that_changed_places_are_found(victims: list[Victim], tmp_path: Path) -> None:
    path = tmp_path / "swapped.reel"
    sound = victims[2]
    (a, a_end, *_), (b, b_end, *_) = sound.places[2], sound.places[4]
    assert a_end - a == b_end - b
    data = bytearray(sound.data)
    data[a:a_end], data[b:b_end] = sound.data[b:b_end], sound.data[a:a_end]
    path.write_bytes(data)
    assert len(problems(path, sound)) == 2


def test_damage_is_noticed_however_often_a_chunk_is_read(victims: list[Victim], tmp_path: Path) -> None:
    path = tmp_path / "damaged.reel"
    data = bytearray(victims[0].data)
    data[victims[0].places[0][0]] ^= 1
    path.write_bytes(data)
    segment = Segment.open(path)
    for _ in range(2):
        with pytest.raises(CorruptionError, match="block 0, column exchange_ns: checksum"):
            segment.read("exchange_ns", 0)


def test_what_is_no_file_of_ours_is_refused_by_name(tmp_path: Path) -> None:
    for name, data in (("empty", b""), ("csv", b"exchange,symbol\n" * 50), ("zeros", bytes(500))):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(CorruptionError, match=name):
            Segment.open(path)
    with pytest.raises(DiskError, match="missing"):
        Segment.open(tmp_path / "missing")
    with pytest.raises(DiskError, match=tmp_path.name):
        Segment.open(tmp_path)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """What a process of its own, short of memory, says of every forgery."""
    folder = tmp_path_factory.mktemp("forged")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, forgeries.__file__, str(folder)],
        env=environment,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_forger_changes_nothing_by_itself(judged: dict[str, list]) -> None:
    assert judged["untouched"] == ["verifying", "", ""]
    assert "footer" in judged["sparse"][2]


@pytest.mark.parametrize(
    "name", ["sparse", *forgeries.AT_OPENING, *forgeries.AT_READING, *forgeries.BY_VERIFYING]
)
def test_a_forgery_is_refused_at_once_and_cheaply(name: str, judged: dict[str, list]) -> None:
    when, error, text, seconds, memory = judged[name]
    wanted = "reading" if name in forgeries.AT_READING else "opening"
    assert when == ("verifying" if name in forgeries.BY_VERIFYING else wanted), text
    assert error == {"newer reader": "FormatError"}.get(
        name, "" if when == "verifying" else "CorruptionError"
    )
    assert f"{name if name == 'sparse' else 'forged'}.reel: " in text
    if when == "reading":
        assert "block " in text
        assert "column " in text
    assert seconds < 1
    assert memory < forgeries.MEMORY_BYTES


def test_what_a_later_writer_says_this_reader_may_read_is_read(tmp_path: Path) -> None:
    data = sample.three_trades(tmp_path / "three.reel").read_bytes()
    forgery = forgeries.Forgery(data)
    forgery.header["writer_version"] = fmt.WRITER_VERSION + 7
    path = tmp_path / "later.reel"
    forgeries.not_zero("header", 0)(forgery)
    forgeries.described_as(b'"feed":', b'"new":[1],"feed":')(forgery)
    path.write_bytes(forgery.pack())
    assert Segment.open(path).rows == 3
    assert list(verify(Segment.open(path))) == []
