"""The codec patched: against a decoder in plain Python, over every mode and number of layers, in any range."""

import math
import os
import random
import struct
import subprocess
import sys
from fractions import Fraction
from itertools import product

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin_reader as twin
from tickreel.codecs import machine_kernel, patched, pco
from tickreel.codecs import patched_encode_kernel as e
from tickreel.codecs import patched_kernel as k
from tickreel.codecs.decimal_kernel import to_floats
from tickreel.codecs.decimals import INVERSES, MAX_SCALE, NULL_MANTISSA, POWERS
from tickreel.errors import CorruptionError
from tickreel.jit import kernel, kernels_key

SHARES = ((1.0,), (0.9, 0.1), (0.6, 0.3, 0.1), (0.5, 0.2, 0.15, 0.15), (0.97, 0.0, 0.0, 0.03))
ROWS = 2 * k.PIECE + 700


def samples() -> dict[str, np.ndarray]:
    """Return values whose lengths are mixed in many ways: alone, as steps of time, as a walk."""
    found, rng = {}, np.random.default_rng(11)
    for shares in SHARES:
        bits = rng.choice([2, 7, 13, 30][: len(shares)], ROWS, p=shares)
        sizes = rng.integers(0, 1 << bits)
        found[f"values {shares}"] = sizes - 10**15
        found[f"times {shares}"] = np.cumsum(sizes * 1_000) + 1_704_067_200_000_000_000
        found[f"walk {shares}"] = np.cumsum(np.where(rng.random(ROWS) < 0.5, sizes, -sizes) * 5)
    for share in (0.05, 0.3):
        moves = rng.integers(-8, 9, ROWS) * 3 ** rng.integers(0, 6, ROWS)
        found[f"seldom {share}"] = 422_653 + np.cumsum(np.where(rng.random(ROWS) < share, moves, 0))
    found["seldom, one step"] = 42 + np.cumsum(rng.choice([-1, 0, 1], ROWS, p=[0.01, 0.98, 0.01]))
    found["count"] = np.arange(ROWS) * 3 - 7
    found["equal"] = np.full(ROWS, 42)
    found["far"] = np.array([0, 2**62 - 1, 5] * 50)
    found["one"] = np.array([-(2**63)])
    return found


SAMPLES = samples()
ENCODED = {name: patched.encode(values) for name, values in SAMPLES.items()}


@pytest.mark.parametrize("name", SAMPLES)
def test_both_decoders_give_what_was_encoded(name: str) -> None:
    values, data = SAMPLES[name], ENCODED[name]
    assert data is not None
    out = np.full(len(values), -1)
    patched.decode(memoryview(data), out)
    assert out.tolist() == values.tolist()
    assert twin._read_patched(data, len(values)) == values.tolist()


def test_the_samples_are_of_every_mode_and_number_of_layers() -> None:
    heads = [np.frombuffer(data, np.int64, k.HEAD) for data in ENCODED.values() if data]
    assert {int(head[k.MODE]) for head in heads} == {k.VALUE, k.DELTA, k.ZIGZAG}
    assert {int(head[k.LAYERS]) for head in heads} == {1, 2, 3}
    assert {int(head[k.STEP]) for head in heads} >= {1, 1_000, 5}
    seldom = [head for head in heads if head[k.MODE] == k.ZIGZAG and head[k.WIDTH] == 0]
    assert {int(head[k.LAYERS]) for head in seldom} >= {2, 3}


@given(
    st.lists(st.integers(0, 2**41), min_size=1, max_size=300),
    st.sampled_from([1, 2, 7, 1_000, 10**6, 2**9]),
    st.integers(-(10**15), 10**15),
    st.lists(st.integers(1, 2**61), max_size=2),
    st.sampled_from([1, 300]),
)
def test_steps_are_the_greatest_that_all_values_take(
    counts: list[int], unit: int, base: int, odd: list[int], equal: int
) -> None:
    """Also where a value behind the first ones, or one beyond 53 bits, is none of theirs, or the first are all one."""
    values = [*[base] * equal, *(base + unit * count for count in counts), *(base + one for one in odd)]
    array, out = np.array(values), np.empty(len(values), np.int64)
    step = e.steps_from(array, base, out)
    assert step == max(1, math.gcd(*(value - base for value in values)))
    assert out.tolist() == [(value - base) // step for value in values]


def test_the_mode_of_a_sample_is_nearly_that_of_all() -> None:
    """An eighth of each piece tells the mode; widths are those of all values."""
    for name, data in ENCODED.items():
        if data and len(SAMPLES[name]) >= 4 * k.PIECE:
            found, least = len(data), []
            with pytest.MonkeyPatch.context() as patch:
                for mode in (k.DELTA, k.ZIGZAG, k.VALUE):
                    patch.setattr(patched, "_mode", lambda steps, leasts, mode=mode: mode)
                    least.append(len(patched.encode(SAMPLES[name]) or b""))
            assert found <= 1.01 * min(least), name


def test_a_unit_of_time_costs_no_bits() -> None:
    """Microseconds in ns, and milliseconds, take what their count takes."""
    steps = np.cumsum(np.random.default_rng(3).integers(0, 100, ROWS))
    sizes = [len(patched.encode(steps * unit) or b"") for unit in (1, 1_000, 1_000_000)]
    assert len(set(sizes)) == 1


@pytest.mark.parametrize("name", SAMPLES)
def test_any_range_is_decoded_on_its_own(name: str) -> None:
    values, data = SAMPLES[name], memoryview(ENCODED[name] or b"")
    rng, count = random.Random(name), len(values)
    edges = {0, 1, 63, 64, k.PIECE - 1, k.PIECE, k.PIECE + 1, count - 1, count}
    places = [edge for edge in edges if edge <= count] + [rng.randrange(count + 1) for _ in range(8)]
    for start, stop in product(places, places):
        out = np.full(max(stop - start, 0), -1)
        if stop >= start:
            patched.decode_rows(data, count, start, out)
            assert out.tolist() == values[start:stop].tolist()


@pytest.mark.parametrize("name", ["walk (0.6, 0.3, 0.1)", "count", "equal", "seldom 0.05", "seldom 0.3"])
def test_floats_are_those_of_the_integers(name: str) -> None:
    values, data = SAMPLES[name], memoryview(ENCODED[name] or b"")
    for start, stop in ((0, ROWS), (5, 6), (k.PIECE - 3, 2 * k.PIECE + 9), (7, 7)):
        out = np.full(stop - start, -1.0)
        patched.decode_floats(data, ROWS, start, POWERS[3], INVERSES[3], out)
        assert out.tobytes() == (values[start:stop] / 1_000.0).tobytes()
    with pytest.raises(CorruptionError):
        patched.decode_floats(data, ROWS + 1, 0, POWERS[3], INVERSES[3], np.empty(ROWS + 1))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_first_value_of_each_part_is_known_undecoded(name: str) -> None:
    values, data = SAMPLES[name], ENCODED[name] or b""
    found = patched.landmarks(memoryview(data), len(values))
    assert found.tolist() == values[patched.ROWS_ALONE :: patched.ROWS_ALONE].tolist()
    with pytest.raises(CorruptionError):
        patched.landmarks(memoryview(data[: 8 * k.HEAD - 8]), len(values))


@settings(deadline=None, max_examples=200)
@given(counts=st.dictionaries(st.integers(0, 64), st.integers(1, 1000), min_size=1, max_size=8))
def test_the_widths_need_the_fewest_bits(counts: dict[int, int]) -> None:
    table, widths = np.zeros(65, np.int64), np.full(3, -1)
    for length, count in counts.items():
        table[length] = count
    layers, bits = e.best_widths(table, widths)
    assert cost(counts, widths[:layers].tolist()) == bits
    assert not widths[layers:].any()
    top = max(counts)
    tried = [[top]] + [[a, top - a] for a in range(top)]
    tried += [[a, b, top - a - b] for a in range(top) for b in range(1, top - a)]
    assert bits == min(cost(counts, way) for way in tried if max(way) <= k.WIDEST)


def cost(counts: dict[int, int], widths: list[int]) -> int:
    """Return the bits of layers of these widths, with their bitmaps."""
    bits, below = 0, 0
    for layer, width in enumerate(widths):
        inside = sum(count for length, count in counts.items() if layer == 0 or length > below)
        bits += inside * (width + (layer + 1 < len(widths)))
        below += width
    return bits


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=200))
def test_any_integers_come_back_or_are_refused(values: list[int]) -> None:
    array = np.array(values, np.int64)
    data = patched.encode(array)
    assert (data is None) == (max(values) - min(values) >= 2**62)
    if data is not None:
        assert twin._read_patched(data, len(values)) == values
        out = np.empty(len(values), np.int64)
        patched.decode(memoryview(data), out)
        assert out.tolist() == values


LAYERED = [
    name for name, data in ENCODED.items() if data and np.frombuffer(data, np.int64, k.HEAD)[k.LAYERS] > 1
]


@pytest.mark.parametrize("name", LAYERED)
@pytest.mark.parametrize("by", [1, -1, 2**31])
def test_a_piece_that_does_not_begin_where_its_layers_say_is_refused(name: str, by: int) -> None:
    """One start is wrong, or all are: what is read in part is right or refused, as what is read whole."""
    values, data = SAMPLES[name], ENCODED[name] or b""
    head, pieces = np.frombuffer(data, np.int64, k.HEAD), -(-len(values) // k.PIECE)
    at = 8 * (k.HEAD + (pieces if head[k.MODE] != k.VALUE else 0))
    for layer, wrong in product(
        range(head[k.LAYERS] - 1), [range(pieces), *([one] for one in range(pieces))]
    ):
        forged = bytearray(data)
        starts = np.frombuffer(forged, np.uint32, pieces, at + layer * (4 * pieces + 4 * (pieces % 2)))
        starts[list(wrong)] += np.uint32(by & 0xFFFFFFFF)
        with pytest.raises(CorruptionError):
            patched.decode(memoryview(forged), np.empty(len(values), np.int64))
        for piece in range(pieces):
            whole = values[piece * k.PIECE : (piece + 1) * k.PIECE]
            for rows in (slice(None), slice(5, 6)):
                out = np.empty(len(whole[rows]), np.int64)
                try:
                    patched.decode_rows(
                        memoryview(forged), len(values), piece * k.PIECE + (rows.start or 0), out
                    )
                except CorruptionError:
                    continue
                assert piece not in wrong
                assert out.tolist() == whole[rows].tolist()


def by_hand(mode: int, widths: tuple[int, ...], first: int = 0) -> bytes:
    """Return four values from 100 on: p of the first is as given, the others are 0, all in the first layer."""
    layers = len(widths)
    head = struct.pack("<11q", mode, layers, *widths, *[0] * (3 - layers), 4, 0, 0, 100, 1, 0)
    firsts, starts, flags = bytes(8 * (mode > 0)), bytes(8 * (layers - 1)), bytes(8 * (layers > 1))
    return head + firsts + starts + struct.pack("<64I", first, *[0] * 63) + flags


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (by_hand(k.DELTA, (3,)), by_hand(k.DELTA, (3,), first=5)),
        (by_hand(k.ZIGZAG, (3,)), by_hand(k.ZIGZAG, (3,), first=1)),
        (by_hand(k.VALUE, (32, 31, 1)), by_hand(k.VALUE, (32, 32, 1))),
    ],
    ids=["a first delta", "a first distance", "more than 64 bits"],
)
def test_what_no_encoder_writes_is_refused(right: bytes, wrong: bytes) -> None:
    for start in (0, 2):
        out = np.empty(4 - start, np.int64)
        patched.decode_rows(memoryview(right), 4, start, out)
        assert out.tolist() == [100] * len(out)
        with pytest.raises(CorruptionError):
            patched.decode_rows(memoryview(wrong), 4, start, out)
    with pytest.raises(twin.Rejected):
        twin._read_patched(wrong, 4)


def damaged(seed: int) -> None:
    """Decode blocks with some bits flipped: refused, or as many values, and no other error."""
    rng = random.Random(seed)
    for name, data in ENCODED.items():
        for _ in range(20):
            forged = bytearray(data or b"")
            for _ in range(rng.choice((1, 1, 8))):
                place = rng.randrange(min(len(forged), rng.choice((96, 400, 10**9))))
                forged[place] ^= 1 << rng.randrange(8)
            rows = len(SAMPLES[name])
            start = rng.choice((0, rng.randrange(rows)))
            try:
                patched.decode_rows(memoryview(forged), rows, start, np.empty(rows - start, np.int64))
            except CorruptionError:
                continue


def test_damage_is_refused_or_harmless() -> None:
    damaged(1)


@pytest.mark.long
@pytest.mark.parametrize("setting", ["NUMBA_BOUNDSCHECK=1", "NUMBA_DISABLE_JIT=1", "NUMBA_CPU_NAME=generic"])
def test_no_damage_leads_out_of_bounds(setting: str, tmp_path: object) -> None:
    """With every index checked, in plain Python, which checks them too, and for a processor of the plainest kind."""
    folders, (name, value) = os.pathsep.join(sys.path), setting.split("=")
    environment = {**os.environ, name: value, "PYTHONPATH": folders, "TICKREEL_CACHE": str(tmp_path)}
    code = "import test_patched as t; t.ROWS = 300; t.SAMPLES = t.samples();" * (name == "NUMBA_DISABLE_JIT")
    code += "import test_patched as t; t.ENCODED = {n: t.patched.encode(v) for n, v in t.SAMPLES.items()};"
    code += "t.damaged(2); [t.test_both_decoders_give_what_was_encoded(name) for name in t.SAMPLES]"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_code_that_checks_indices_is_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba would take either for the other."""
    whole = kernels_key.__wrapped__
    before = whole()
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    assert whole() != before
    monkeypatch.undo()
    assert whole() == before


@settings(deadline=None)
@given(
    integers=st.lists(st.integers(-(2**53), 2**53) | st.integers(-999, 999), min_size=1, max_size=50),
    scale=st.integers(0, MAX_SCALE),
)
def test_floats_are_those_of_a_division(integers: list[int], scale: int) -> None:
    values, out = np.array(integers, np.int64), np.empty(len(integers))
    to_floats(values, POWERS[scale], INVERSES[scale], False, out)
    assert out.tobytes() == (values / POWERS[scale]).tobytes()
    assert out.tolist() == [float(f"{integer}e-{scale}") for integer in integers]


def test_empty_cells_are_nan_among_floats() -> None:
    out = np.empty(3)
    to_floats(np.array([5, NULL_MANTISSA, -7]), POWERS[1], INVERSES[1], True, out)
    assert np.array_equal(out, [0.5, np.nan, -0.7], equal_nan=True)


def test_every_scale_divides_as_a_division_does() -> None:
    """A million numbers of each: near 2^53, near powers of two, small."""
    rng = np.random.default_rng(5)
    near = rng.integers(1, 2**11, 300_000) << rng.integers(0, 42, 300_000)
    values = np.concatenate([2**53 - rng.integers(0, 2**20, 300_000), near - rng.integers(0, 2, 300_000),
                             rng.integers(-(10**9), 10**9, 400_000)])  # fmt: skip
    out = np.empty(len(values))
    for scale in range(MAX_SCALE + 1):
        to_floats(values, POWERS[scale], INVERSES[scale], False, out)
        assert out.tobytes() == (values / POWERS[scale]).tobytes()


def beside_a_middle(scale: int) -> list[int]:
    """Return integers whose quotients by 10^scale lie nearest to the middle of two floats, above and below it."""
    found, rng = set(), random.Random(scale)
    for halvings, off in product(range(1, 90), range(-3, 4)):
        # A middle is k / 2^t with k odd of 54 bits; here a x 2^halvings = k x 5^scale + off.
        each = 1 << halvings
        first = -off * pow(5**scale, -1, each) % each
        for _ in range(5):
            k = (
                first
                if each >= 2**54
                else 2**53 // each * each + first + each * rng.randrange(max(1, 2**53 // each))
            )
            if off and k % 2 and 2**53 <= k < 2**54:
                found.add((k * 5**scale + off) >> halvings)
    return [number for number in found if 0 < number <= 2**53]


@pytest.mark.parametrize("scale", range(1, MAX_SCALE + 1))
def test_quotients_beside_the_middle_of_two_floats_are_rounded_right(scale: int) -> None:
    values = np.array(beside_a_middle(scale), np.int64)
    out = np.empty(len(values))
    to_floats(values, POWERS[scale], INVERSES[scale], False, out)
    assert len(values) > 10
    assert out.tolist() == [float(Fraction(number, 10**scale)) for number in values.tolist()]


def test_it_is_within_half_of_pcodec_where_it_is_chosen() -> None:
    """Steps as trades have them: most are 0 or small, one in three is anything."""
    rng = np.random.default_rng(9)
    steps = np.where(
        rng.random(65_536) < 0.67,
        rng.integers(0, 4, 65_536),
        rng.integers(0, 1 << rng.integers(10, 20, 65_536)),
    )
    times = np.cumsum(steps * 1_000)
    assert len(patched.encode(times) or b"") < 1.15 * len(pco.encode(times))


@kernel
def _put(words, source, shift, target):
    done = 0
    for row in range(words.shape[0]):
        machine_kernel.put(words[row], source, done, shift, target[row * 64 :][:64])
        done += machine_kernel.count_ones(words[row])


def test_numbers_go_to_the_bits_that_are_set() -> None:
    """None, all, every single bit and any; what lies beyond the last number is not touched, nor are other rows."""
    rng = np.random.default_rng(3)
    words = [0, 2**64 - 1, *(1 << bit for bit in range(64)), *rng.integers(0, 2**63, 200).tolist()]
    target = rng.integers(0, 2**7, 64 * len(words)).astype(np.uint64)
    source = rng.integers(0, 2**50, sum(word.bit_count() for word in words)).astype(np.uint64)
    wanted, numbers = target.tolist(), iter(source.tolist())
    for row, word in enumerate(words):
        for bit in range(64):
            if word >> bit & 1:
                wanted[64 * row + bit] |= next(numbers) << 7
    _put(np.array(words, np.uint64), source, np.uint64(7), target)
    assert target.tolist() == wanted
