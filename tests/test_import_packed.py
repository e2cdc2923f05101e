"""Packed files: read in pieces of some MiB however well they are packed, of any number of members and frames."""

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from counts import SOAK
from import_sample import fast_folder
from tickreel.errors import InputError
from tickreel.ingest.files import zstd_frames
from tickreel.ingest.files.text_file import TextFile

PIECE = 1 << 22
SKIPPED = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
"""A zstd frame that readers skip."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


def pieces(path: Path, data: bytes) -> list[bytes]:
    path.write_bytes(data)
    return list(TextFile(path).pieces())


def random_text(chance: random.Random) -> bytes:
    parts = (chance.randbytes(chance.randrange(9_000)), b"ab" * chance.randrange(600_000), b"")
    return b"".join(chance.choice(parts) for _ in range(chance.randrange(4)))


def zstd(chance: random.Random, text: bytes) -> bytes:
    packer = zstandard.ZstdCompressor(
        write_checksum=chance.random() < 0.5, write_content_size=chance.random() < 0.5
    )
    return packer.compress(text) + chance.choice([b"", SKIPPED])


def gz(chance: random.Random, text: bytes) -> bytes:
    return gzip.compress(text, 1) + bytes(chance.choice([0, 0, 512, 300_000]))


@pytest.mark.parametrize(("end", "pack"), [(".csv.zst", zstd), (".csv.gz", gz)])
def test_any_members_give_their_text_and_no_cut_one_does(folder: Path, end: str, pack) -> None:
    chance = random.Random(7)
    for _ in range(300 if SOAK else 25):
        texts = [random_text(chance) for _ in range(chance.randrange(1, 5))]
        packed = [pack(chance, text) for text in texts]
        found = pieces(folder / ("x" + end), b"".join(packed))
        assert b"".join(found) == b"".join(texts)
        assert max(map(len, found), default=0) <= PIECE
        last = packed[-1].removesuffix(b"hello") if end == ".csv.zst" else packed[-1].rstrip(b"\0")
        with pytest.raises(InputError, match=f"{end}: (cut|damaged)"):
            # A cut between two frames cannot be seen.
            whole = len(packed[-1].removesuffix(SKIPPED))
            cut = chance.choice([size for size in range(1, len(last)) if size != whole])
            pieces(folder / ("x" + end), b"".join(packed[:-1]) + last[:cut])


@pytest.mark.parametrize("end", [".csv.zst", ".csv.gz"])
def test_a_bomb_comes_in_pieces(folder: Path, end: str) -> None:
    text = b"a" * (1 << 27)
    bomb = zstandard.ZstdCompressor().compress(text) if end == ".csv.zst" else gzip.compress(text, 1)
    honest = random.Random(1).randbytes(1 << 20)
    before = zstandard.ZstdCompressor().compress(honest) if end == ".csv.zst" else gzip.compress(honest)
    (folder / ("bomb" + end)).write_bytes(before + bomb)
    total = 0
    for piece in TextFile(folder / ("bomb" + end)).pieces():
        assert len(piece) <= PIECE
        total += len(piece)
    assert total == len(honest) + len(text)


def test_the_smallest_blocks_come_few_at_a_time() -> None:
    """A block of 4 bytes stands for 128 KiB."""
    block = ((1 << 17) << 3 | 1 << 1).to_bytes(3, "little") + b"a"
    frame = b"\x28\xb5\x2f\xfd" + b"\x00\x58" + block * 50_000
    reads = iter([frame, b""])
    found = list(zstd_frames.steps(lambda: next(reads)))
    assert b"".join(found) == frame
    assert max(map(len, found)) <= 32 * 4 + 18


@pytest.mark.parametrize("data", [b"", b"x", b"no zstd at all" * 9_000, b"\x28\xb5\x2f\xfd", bytes(100)])
def test_what_is_no_zstd_passes_as_it_is(data: bytes) -> None:
    reads = iter([part for part in (data[:7], data[7:]) if part] + [b""])
    assert b"".join(zstd_frames.steps(lambda: next(reads))) == data
