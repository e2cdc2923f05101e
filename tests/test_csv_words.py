"""Cells read many bytes at a time: what they are to plain Python, or left to the code that judges any cell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickreel.codecs.decimals import parse_decimal
from tickreel.jit import inlined
from tickreel.sources import csv_digits_kernel as digits
from tickreel.sources import csv_words_kernel as words
from tickreel.sources.csv_kernel import gather_text

SPELLED = (b"buy", b"sell", b"unknown")
cells = st.one_of(
    st.from_regex(rb"[0-9]{0,9}(\.[0-9]{0,9})?", fullmatch=True),
    st.integers(0, 10**16).map(lambda number: b"%d" % number),
    st.text("0123456789.,-e \r\n\x00\x7f/:az", max_size=20).map(str.encode),
    st.binary(max_size=20),
    st.sampled_from(SPELLED),
)


def padded(cell: bytes, end: bytes, after: bytes) -> bytes:
    return b"," + cell + end + after + bytes(words.REACH)


@settings(deadline=None)
@given(cells, st.sampled_from([b",", b"\n", b"\r\n"]), st.binary(max_size=8))
def test_numbers(cell: bytes, end: bytes, after: bytes) -> None:
    place, mantissa, scale = words.word_number(np.frombuffer(padded(cell, end, after), np.uint8), 1)
    cell = re.split(b"[,\n]", cell + end)[0]
    usual = re.fullmatch(rb"[0-9]+\.?[0-9]*|\.[0-9]+", cell) and len(cell.replace(b".", b"")) <= 15
    assert place == (1 + len(cell) if usual else words.LEFT)
    if usual:
        assert (mantissa, scale) == parse_decimal(cell.decode())


@settings(deadline=None)
@given(st.one_of(cells, st.integers(10**15, 10**16).map(lambda us: b"%d" % us)), st.sampled_from([b",", b"\n", b"\r\n"]))  # fmt: skip
def test_times(cell: bytes, end: bytes) -> None:
    place, value = words.word_time(np.frombuffer(padded(cell, end, b""), np.uint8), 1)
    cell = re.split(b"[,\n]", cell + end)[0]
    usual = re.fullmatch(rb"[0-9]{16}", cell)
    assert place == (17 if usual else words.LEFT)
    assert not usual or value == int(cell)


@settings(deadline=None)
@given(st.one_of(cells, st.from_regex(rb"[0-9]{0,18}", fullmatch=True)), st.sampled_from([b",", b"\n", b"\r\n"]), st.binary(max_size=8))  # fmt: skip
def test_whole_numbers(cell: bytes, end: bytes, after: bytes) -> None:
    place, value = words.word_integer(np.frombuffer(padded(cell, end, after), np.uint8), 1)
    cell = re.split(b"[,\n]", cell + end)[0]
    usual = re.fullmatch(rb"0|[1-9][0-9]{0,15}", cell)
    assert place == (1 + len(cell) if usual else words.LEFT)
    assert not usual or value == int(cell)


@settings(deadline=None)
@given(cells, st.sampled_from([b",", b"\n"]))
def test_choices(cell: bytes, end: bytes) -> None:
    spelled = np.array([int.from_bytes(word + b",", "little") for word in SPELLED], np.uint64)
    masks = np.array([(1 << 8 * (len(word) + 1)) - 1 for word in SPELLED], np.uint64)
    lengths = np.array([len(word) for word in SPELLED])
    data = padded(cell, end, b"")
    place, found = words.word_choice(np.frombuffer(data, np.uint8), 1, spelled, masks, lengths)
    wanted = [number for number, word in enumerate(SPELLED) if data[1:].startswith(word + b",")]
    assert found == (wanted[0] if wanted else words.LEFT)
    assert place == (1 + len(SPELLED[found]) if wanted else words.LEFT)


@settings(deadline=None)
@given(cells, st.sampled_from([b",", b"\n"]), st.integers(0, 20))
def test_texts(cell: bytes, end: bytes, longest: int) -> None:
    place = words.word_text(np.frombuffer(padded(cell, end, b""), np.uint8), 1, longest)
    usual = re.match(rb"[ -+\--~]*(?=,)", cell + end)
    assert place == (1 + usual.end() if usual and usual.end() <= longest else words.LEFT)


@settings(deadline=None)
@given(st.binary(max_size=40), st.data())
def test_same_words(key: bytes, draw: st.DataObject) -> None:
    other = bytearray(key + draw.draw(st.sampled_from([b",", b"x"])))
    if draw.draw(st.booleans()):
        other[draw.draw(st.integers(0, len(key)))] ^= draw.draw(st.integers(0, 255))
    data = np.frombuffer(bytes(other) + bytes(8) + key + bytes(8), np.uint8)
    same = words.same_words(data, 0, len(other) + 8, len(key))
    assert same == (bytes(other) == key + b",")


@settings(deadline=None)
@given(st.binary(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=9))
def test_texts_are_gathered(data: bytes, cells: list[tuple[int, int]]) -> None:
    places = [(min(start, len(data)), min(start + length, len(data))) for start, length in cells]
    starts, stops = np.array(places, np.int64).reshape(-1, 2).T
    width = max([1, *(stops - starts).tolist()])
    letters = np.full((len(places), width), 255, np.uint8)
    gather_text(np.frombuffer(data, np.uint8), starts, stops, letters)
    assert letters.reshape(-1).view(f"S{width}").tolist() == [
        data[start:stop].ljust(width, b"\0").rstrip(b"\0") for start, stop in places
    ]


@inlined
def marks_of(data: np.ndarray, place: int) -> int:
    return digits.others_than_digits(data, place)


@inlined
def number_of(data: np.ndarray, place: int, point: int, end: int) -> int:
    return digits.number_of_digits(data, place, point, end)


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=30), st.data())
def test_sixteen_letters_at_once_are_those_in_turn(letters: bytes, draw: st.DataObject) -> None:
    data = np.frombuffer(letters, np.uint8)
    place = draw.draw(st.integers(0, len(letters) - digits.AT_ONCE))
    marks = sum((letters[place + n] not in b"0123456789") << n for n in range(digits.AT_ONCE))
    assert (marks_of(data, place), digits.others_in_turn(data, place)) == (marks, marks)


@settings(deadline=None)
@given(
    st.from_regex(rb"[0-9]{16}", fullmatch=True), st.integers(0, 16), st.integers(0, 16), st.integers(0, 3)
)
def test_the_number_is_that_of_the_digits(text: bytes, point: int, end: int, place: int) -> None:
    letters = bytearray(text)
    if point < end:
        letters[point : point + 1] = b"."
    data = np.frombuffer(b"x" * place + letters, np.uint8)
    wanted = int(bytes(letters[:end]).replace(b".", b"") or b"0")
    assert number_of(data, place, point, end) == wanted
    assert digits.number_in_turn(data, place, point, end) == wanted


@pytest.mark.long
@pytest.mark.parametrize("setting", ["NUMBA_BOUNDSCHECK=1", "NUMBA_DISABLE_JIT=1", "NUMBA_CPU_NAME=generic"])
def test_the_same_is_read_otherwise(setting: str, tmp_path: Path) -> None:
    """With every index checked, in plain Python, and for a processor of the plainest kind."""
    name, value = setting.split("=")
    environment = {
        **os.environ,
        name: value,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TICKREEL_CACHE": str(tmp_path),
    }
    files = [__file__, str(Path(__file__).with_name("test_csv_rows.py"))]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", "not otherwise"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout
