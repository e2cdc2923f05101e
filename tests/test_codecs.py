"""Every codec of the table: lossless or refused, and never fooled by damaged bytes."""

import random
import uuid
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pcodec import ChunkConfig, DeltaSpec, standalone

import twin_reader as twin
from tickreel.codecs import (
    CODECS,
    READABLE,
    counted_text,
    number_text,
    patched,
    pco,
    plain_text,
    planes,
    stepped,
    uuid_text,
)
from tickreel.codecs.choice import PURPOSES, Choice, Purpose, check_purpose
from tickreel.codecs.decimals import MAX_SCALE, Decimals, from_floats, from_integers, parse_decimal
from tickreel.errors import CorruptionError, InputError, UsageError
from tickreel.schema import Kind
from tickreel.store.format import checksum

INT64, DOUBLE = np.iinfo(np.int64), np.finfo(np.float64)
RNG = np.random.default_rng(7)


def ints() -> dict[str, np.ndarray]:
    steps = RNG.integers(0, 50, 3000)
    return {
        "empty": np.empty(0, np.int64),
        "one": np.array([42]),
        "constant": np.full(1000, -3),
        "extremes": np.array([INT64.min, INT64.max, 0, -1, 1] * 9),
        "random": RNG.integers(INT64.min, INT64.max, 1000),
        "sorted": np.cumsum(steps) + 1_704_067_200_000_000_000,
        "milliseconds": (np.cumsum(steps) - 30) * 1_000_000,
        "far apart": np.array([7, 7 + 3 * (2**31 - 1), 7]),
        "farther": np.array([7, 7 + 3 * 2**31, 7, 10]),
        "adversarial": np.where(np.arange(1000) % 97 == 0, INT64.max, np.arange(1000) % 3),
    }


def floats() -> dict[str, np.ndarray]:
    payload = np.array([0x7FF8_0000_0000_0001, 0x7FF8_0000_0000_0002]).view(np.float64)
    return {
        "empty": np.empty(0),
        "one": np.array([0.1]),
        "constant": np.full(1000, -0.0),
        "extremes": np.array(
            [DOUBLE.max, -DOUBLE.max, DOUBLE.tiny, 5e-324, 0.0, -0.0, np.inf, -np.inf, np.nan]
        ),
        "random": RNG.normal(size=1000),
        "sorted": np.sort(RNG.normal(size=1000).round(3)),
        "adversarial": np.concatenate([payload, np.tile([0.0, -0.0], 400), payload]),
    }


def bytes_of_enum() -> dict[str, np.ndarray]:
    return {
        "empty": np.empty(0, np.uint8),
        "one": np.array([2], np.uint8),
        "constant": np.full(1001, 255, np.uint8),
        "extremes": np.array([0, 255] * 9, np.uint8),
        "random": RNG.integers(0, 3, 1001).astype(np.uint8),
        "sorted": np.arange(256).astype(np.uint8),
        "adversarial": np.append(np.zeros(1000, np.uint8), np.uint8(1)),
    }


def texts() -> dict[str, np.ndarray]:
    ids = [str(uuid.UUID(int=number * 2**77 + 5)).encode() for number in range(300)]
    upper = [*ids[:5], ids[5].upper()]
    return {
        "empty": np.empty(0, "S1"),
        "one": np.array([b"7"]),
        "constant": np.array([b"abc"] * 100),
        "constant of width 8": np.array([b"abcdefgh"] * 100),
        "no text": np.array([b""] * 100),
        "extremes": np.array([b"", b"x" * 255, b"0"]),
        "random": np.array([b"%d" % n for n in RNG.integers(0, 10**18, 500)]),
        "sorted": np.array([b"%d" % n for n in range(9_990, 10_020)]),
        "counted": np.array(
            [b"%d" % (n + 5 * (n > 12_000) - 9 * (n > 13_900)) for n in range(9_990, 14_000)]
        ),
        "uuids": np.array(ids),
        "one uuid": np.array(ids[:1]),
        "upper-case uuid": np.array(upper),
        "leading zero": np.array([b"1", b"01"]),
        "19 digits": np.array([b"9" * 18, b"9" * 19]),
        "sign": np.array([b"1", b"-1"]),
        "zero within": np.array([b"1\x002", b"a\0\0b"]),
        "adversarial": np.array([b"", b"\xff\xfe", "ü".encode(), b"1", b" 1", b"1 ", b"%s" % (b"q" * 36)]),
    }


SAMPLES = {
    Kind.TIME: ints, Kind.INT: ints, Kind.DECIMAL: ints, Kind.FLOAT: floats,
    Kind.ENUM: bytes_of_enum, Kind.TEXT: texts,
}  # fmt: skip


def samples(codec: ModuleType) -> list[tuple[str, np.ndarray]]:
    """Return the samples of every kind of column that may be in a codec."""
    makers = {SAMPLES[kind] for kind, ids in READABLE.items() if codec.ID in ids}
    if READABLE[Kind.DECIMAL] >= {codec.ID}:
        makers.add(floats)
    return [
        (f"{m.__name__}: {name}", a)
        for m in sorted(makers, key=lambda m: m.__name__)
        for name, a in m().items()
    ]


HELD = [
    pytest.param(codec, values, codec.encode(values), id=f"{codec.NAME}-{name}")
    for codec in CODECS.values()
    for name, values in samples(codec)
    if codec.encode(values) is not None
]
REFUSED = {
    f"{codec.NAME}-{name}"
    for codec in CODECS.values()
    for name, values in samples(codec)
    if codec.encode(values) is None
}


def decoded(codec: ModuleType, data: bytes, values: np.ndarray) -> np.ndarray:
    """Decode into a dirty buffer that fits `values`."""
    out = np.frombuffer(b"\xa5" * max(1, values.nbytes), np.uint8)[: values.nbytes].copy().view(values.dtype)
    codec.decode(memoryview(data), out)
    return out


@pytest.mark.parametrize(("codec", "values", "data"), HELD)
def test_what_is_encoded_comes_back_bit_for_bit(codec: ModuleType, values: np.ndarray, data: bytes) -> None:
    assert decoded(codec, data, values).tobytes() == values.tobytes()
    assert codec.encode(values[::1].copy()) == data


@pytest.mark.parametrize(("codec", "values", "data"), HELD)
def test_every_range_that_a_codec_gives_is_that_of_the_whole(
    codec: ModuleType, values: np.ndarray, data: bytes
) -> None:
    if not hasattr(codec, "decode_rows"):
        pytest.skip("whole blocks alone")
    count = len(values)
    for start, stop in (
        (0, count),
        (1, count),
        (count // 3, count // 2),
        (count, count),
        (count // 2, count // 2 + 1),
    ):
        out = np.empty(max(min(stop, count) - start, 0), values.dtype)
        codec.decode_rows(memoryview(data), count, start, out)
        assert out.tobytes() == values[start:stop].tobytes()


@pytest.mark.parametrize(("codec", "values", "data"), HELD)
def test_every_truncation_is_refused(codec: ModuleType, values: np.ndarray, data: bytes) -> None:
    if not len(values):
        pytest.skip("no values can be lost")
    for cut in (
        range(len(data)) if len(data) < 400 else {*range(100), *range(0, len(data), 13), len(data) - 1}
    ):
        with pytest.raises(CorruptionError):
            decoded(codec, data[:cut], values)


@pytest.mark.parametrize(("codec", "values", "data"), HELD)
def test_a_wrong_count_is_refused(codec: ModuleType, values: np.ndarray, data: bytes) -> None:
    same = len(np.unique(values)) <= 1
    if codec.NAME == "constant" or (codec is planes and same):
        pytest.skip("the count of equal values is not in the bytes")
    step = 8 if codec is planes else 1  # planes fill up their last byte
    for rows in {0, len(values) - step, len(values) + step, 3 * len(values) + step} - {len(values)}:
        if rows >= 0:
            with pytest.raises(CorruptionError):
                decoded(codec, data, np.zeros(rows, values.dtype))


@pytest.mark.parametrize(("codec", "values", "data"), HELD)
def test_damage_is_refused_or_left_to_the_checksum(
    codec: ModuleType, values: np.ndarray, data: bytes
) -> None:
    rng = random.Random(len(data))
    bits = range(8 * len(data)) if len(data) < 60 else rng.sample(range(8 * len(data)), 300)
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert checksum(bytes(damaged)) != checksum(data)
        try:
            out = decoded(codec, bytes(damaged), values)
        except CorruptionError as error:
            assert str(error)
        else:
            assert len(out) == len(values)


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.NAME)
@settings(max_examples=40, deadline=None)
@given(junk=st.binary(max_size=300), rows=st.integers(0, 70), width=st.integers(1, 40))
def test_junk_never_escapes_as_another_error(codec: ModuleType, junk: bytes, rows: int, width: int) -> None:
    for _, like in samples(codec):
        dtype = np.dtype(f"S{width}") if like.dtype.kind == "S" else like.dtype
        try:
            assert len(decoded(codec, junk, np.zeros(rows, dtype))) == rows
        except CorruptionError:
            pass


@settings(max_examples=60, deadline=None)
@given(
    values=npst.arrays(np.int64, st.integers(0, 50))
    | npst.arrays(np.float64, st.integers(0, 50))
    | npst.arrays(np.uint8, st.integers(0, 300))
    | npst.arrays("S12", st.integers(0, 30))
)
def test_random_arrays_come_back_from_every_codec_that_takes_them(values: np.ndarray) -> None:
    kinds = {"i": Kind.INT, "f": Kind.FLOAT, "u": Kind.ENUM, "S": Kind.TEXT}
    taken = 0
    for number in READABLE[kinds[values.dtype.kind]]:
        data = CODECS[number].encode(values)
        if data is not None:
            taken += 1
            assert decoded(CODECS[number], data, values).tobytes() == values.tobytes()
    assert taken


def test_each_text_codec_takes_only_what_it_can_give_back() -> None:
    for name in ("leading zero", "19 digits", "sign", "zero within", "no text", "uuids", "adversarial"):
        assert f"number_text-texts: {name}" in REFUSED
        assert f"counted_text-texts: {name}" in REFUSED
    for name in ("random", "empty", "constant"):
        assert f"counted_text-texts: {name}" in REFUSED
    for name in ("upper-case uuid", "random", "empty", "constant", "adversarial"):
        assert f"uuid_text-texts: {name}" in REFUSED
    assert not any(name.startswith(("raw", "pco", "planes", "plain_text")) for name in REFUSED)
    refused = {"empty", "extremes", "random", "farther", "adversarial"}
    assert {n.removeprefix("stepped-ints: ") for n in REFUSED if n.startswith("stepped-ints")} == refused
    assert plain_text.encode(np.array([b"x" * 256])) is None
    with pytest.raises(InputError, match="255"):
        chosen(Kind.TEXT, np.array([b"x" * 256, b""]))


@pytest.mark.parametrize(
    "values", [np.arange(5_000) * 7 % 1_000, np.arange(300) / 8, np.arange(300) % 3, np.empty(0)]
)
@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint8])
def test_nothing_lies_behind_a_chunk_of_pcodec(values: np.ndarray, dtype: type) -> None:
    values = values.astype(dtype)
    data = pco.encode(values)
    for tail in (b"\0", b"x", bytes(100), data, data[8:], data[:-1]):
        with pytest.raises(CorruptionError, match="pco: "):
            decoded(pco, data + tail, values)


def test_a_chunk_of_pcodec_may_need_a_long_description() -> None:
    values = RNG.choice(RNG.integers(0, 2**60, 3_000), 20_000)
    config = ChunkConfig(compression_level=12, delta_spec=DeltaSpec.no_op())
    data = standalone.simple_compress(values, config)
    assert decoded(pco, data, values).tolist() == values.tolist()


@settings(max_examples=300, deadline=None)
@given(
    values=npst.arrays(
        np.int64, st.integers(0, 40), elements=st.integers(-9, 9) | st.integers(INT64.min, INT64.max)
    ),
    place=st.integers(0, 60),
    letter=st.integers(0, 255),
)
def test_what_is_taken_of_pcodec_is_what_the_library_reads(
    values: np.ndarray, place: int, letter: int
) -> None:
    forged = bytearray(pco.encode(values))
    if place < len(forged):
        forged[place] = letter
    try:
        out = decoded(pco, bytes(forged), values)
    except CorruptionError:
        return
    again = np.zeros(len(values), np.int64)
    assert standalone.simple_decompress_into(bytes(forged), again).finished
    assert again.tolist() == out.tolist()


def chosen(kind: Kind, *blocks: np.ndarray, purpose: Purpose = "balanced", often: bool = True) -> list[int]:
    """Return the codecs of a column's blocks; what they hold must come back."""
    choice, found = Choice(kind, purpose, often=often), []
    for values in blocks:
        number, data = choice.encode(values)
        assert decoded(CODECS[number], data, values).tobytes() == values.tobytes()
        found.append(number)
    return found


def test_texts_and_words_take_the_first_codec_that_holds_them() -> None:
    sides = np.array([1, 2, 1, 1], np.uint8)
    assert chosen(Kind.ENUM, sides, sides[:1]) == [planes.ID, 1]
    assert Choice(Kind.ENUM, "balanced", often=False).encode(sides)[1] == bytes([2, 1, 2, 0b0100_0000])
    runs = np.repeat(np.tile(sides, 50), 300)
    assert chosen(Kind.ENUM, runs) == [pco.ID]
    assert chosen(Kind.ENUM, runs, purpose="speed") == [planes.ID]
    assert chosen(Kind.TEXT, np.array([b"12", b"3"]), texts()["uuids"], purpose="plain") == [
        number_text.ID,
        uuid_text.ID,
    ]
    assert chosen(Kind.TEXT, np.array([b"7", b"7"]), np.array([b"7", b"8"]), np.array([b"7", b"7", b"8"])) == [
        1, counted_text.ID, number_text.ID,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["sorted", "counted", "one", "random", "constant"])
def test_texts_that_are_handed_over_as_numbers_give_the_same_bytes(name: str) -> None:
    values = texts()[name] if name != "constant" else np.array([b"12"] * 9)
    numbers = number_text.to_numbers(values)
    assert numbers is not None
    assert Choice(Kind.TEXT, "balanced", often=False).encode(numbers) == Choice(
        Kind.TEXT, "balanced", often=False
    ).encode(values)
    assert number_text.to_texts(numbers).tolist() == values.tolist()
    assert number_text.width(numbers) == number_text.width(values) == max(map(len, values.tolist()))
    for parts in ([numbers, values], [values, numbers], [numbers, numbers], [values[:0], numbers]):
        found = number_text.joined(parts)
        assert (found.tolist() if found.dtype.kind == "S" else number_text.to_texts(found).tolist()) == [
            text for part in parts for text in (values.tolist() if len(part) else [])
        ]


def test_numbers_are_kept_as_the_purpose_says() -> None:
    """Steps of 0 and 1 are smaller by pcodec, but not by half; a few values far apart are much smaller by it."""
    steps = np.cumsum(RNG.integers(0, 2, 40_000))
    far = np.array([3, 10**9 + 7, 10**13 + 8])[RNG.integers(0, 3, 40_000)]
    assert chosen(Kind.TIME, steps, purpose="plain") == [0]
    assert chosen(Kind.TIME, steps, purpose="size") == [pco.ID]
    assert chosen(Kind.TIME, 1_000_000 * steps, purpose="size") == [stepped.ID]
    most = np.where(RNG.random(40_000) < 0.99, 100_000, 1) * RNG.integers(1, 5_000, 40_000)
    assert len(stepped.encode(most) or b"") < 1.02 * len(pco.encode(most)), "a step of most values alone"
    assert chosen(Kind.TIME, steps, often=False) == [stepped.ID]
    assert chosen(Kind.TIME, steps) == [patched.ID]
    assert chosen(Kind.TIME, steps[:20_000]) == [stepped.ID], "few rows"
    assert chosen(Kind.TIME, far) == [pco.ID]
    assert chosen(Kind.TIME, far, purpose="speed") == [patched.ID]
    assert chosen(Kind.FLOAT, floats()["random"], purpose="speed") == [pco.ID]


def test_a_codec_is_measured_once_for_a_column() -> None:
    """Constant blocks do not count, and a block that the codec cannot hold goes to pcodec."""
    steps, far = np.cumsum(RNG.integers(0, 2, 40_000)), ints()["extremes"]
    assert chosen(Kind.TIME, steps[:1], steps, far, far[:2], steps[:9]) == [
        1, patched.ID, pco.ID, pco.ID, patched.ID,
    ]  # fmt: skip


def test_an_unknown_purpose_is_refused() -> None:
    assert [check_purpose(name, "--optimise") for name in PURPOSES] == list(PURPOSES)
    with pytest.raises(UsageError, match="--optimise fast: it must be one of size, balanced, speed, plain"):
        check_purpose("fast", "--optimise")


@pytest.mark.parametrize("name", list(bytes_of_enum()))
def test_planes_are_laid_out_as_the_twin_reads_them(name: str) -> None:
    values = bytes_of_enum()[name]
    data = planes.encode(values)
    if len(values):
        assert twin._read_planes(data, len(values)) == values.tolist()
    assert data[0] == len(np.unique(values)) % 256


def test_text_at_a_forged_width_is_refused() -> None:
    for codec, values in (
        (number_text, [b"12345", b"7"]),
        (counted_text, [b"12345", b"12346"]),
        (plain_text, [b"ETH-1", b"x"]),
        (uuid_text, [b"0" * 36]),
    ):
        data = codec.encode(np.array(values)) or uuid_text.encode(texts()["one uuid"])
        assert data
        with pytest.raises(CorruptionError):
            decoded(codec, data, np.zeros(len(values), "S4"))


@pytest.mark.parametrize(
    "data",
    [
        bytes([2, 1, 0, 0b1010_0000]),
        bytes([2, 1, 1, 0b1010_0000]),
        bytes([3, 0, 2, 1, 0b1010_0000, 0]),
        bytes([0, *range(255), 0, *[0] * 8]),
    ],
)
def test_a_dictionary_of_planes_ascends(data: bytes) -> None:
    with pytest.raises(CorruptionError, match="ascend"):
        decoded(planes, data, np.zeros(3, np.uint8))


@pytest.mark.parametrize(
    ("base", "step", "steps"),
    [(0, 0, [1]), (0, -1, [1]), (0, 2**62, [1]), (5, 3, [-1]), (2**63 - 10, 5, [2]), (0, 2**61, [0, 4])],
)
def test_steps_that_64_bits_do_not_hold_are_refused(base: int, step: int, steps: list[int]) -> None:
    data = np.array([base, step]).tobytes() + pco.encode(np.array(steps, np.int32))
    with pytest.raises(CorruptionError, match="none that 64 bits hold"):
        decoded(stepped, data, np.zeros(len(steps), np.int64))


def test_times_are_laid_out_as_the_twin_reads_them() -> None:
    values = ints()["milliseconds"]
    data = stepped.encode(values)
    assert data is not None
    assert np.frombuffer(data[:16], np.int64).tolist() == [values.min(), 1_000_000]
    assert twin._read_numbers(stepped.ID, data, len(values), "q") == values.tolist()


@pytest.mark.parametrize("number", [-1, INT64.min, 10**18, INT64.max])
def test_a_negative_or_a_long_number_is_no_text(number: int) -> None:
    with pytest.raises(CorruptionError, match="negative or longer than 18"):
        decoded(number_text, pco.encode(np.array([5, number])), np.zeros(2, "S20"))
    with pytest.raises(CorruptionError, match="negative or longer than 18"):
        decoded(counted_text, np.array([number, 2, 0]).tobytes(), np.zeros(2, "S20"))


@pytest.mark.parametrize(
    "longs", [[], [1, 2], [1, 3, 0], [1, 2, 1], [1, 2, -1], [1, 2, 0, 1, 1], [1, 2, 2**62]]
)
def test_what_is_no_count_is_refused(longs: list[int]) -> None:
    with pytest.raises(CorruptionError, match="are no 2 numbers"):
        decoded(counted_text, np.array(longs, np.int64).tobytes(), np.zeros(2, "S9"))


@pytest.mark.parametrize("rows", [[0, 1], [1, 4], [2, 2], [2, 1], [-1, 2]])
def test_steps_lead_to_rows_of_the_block(rows: list[int]) -> None:
    data = np.array([1, 4, 2, *rows, 5, 5]).tobytes()
    with pytest.raises(CorruptionError, match="do not ascend"):
        decoded(counted_text, data, np.zeros(4, "S9"))


# Decimals


@settings(deadline=None)
@given(integers=st.lists(st.integers(-(2**53) + 1, 2**53 - 1)), scale=st.integers(0, MAX_SCALE))
def test_integers_lose_only_their_trailing_zeros(integers: list[int], scale: int) -> None:
    decimals = from_integers(np.array(integers, np.int64), scale)
    for number, mantissa, digits in zip(
        integers, decimals.mantissa.tolist(), decimals.scale.tolist(), strict=True
    ):
        assert number == mantissa * 10 ** (scale - digits)
        assert digits == 0 or mantissa % 10
    assert decimals.to_floats().tolist() == [number / 10**scale for number in integers]


@settings(deadline=None)
@given(st.lists(st.floats(allow_infinity=False), max_size=30))
def test_floats_survive_being_decimals(values: list[float]) -> None:
    back = from_floats(np.array(values, np.float64)).to_floats()
    nan = np.isnan(values)
    assert (np.isnan(back) == nan).all()
    assert back[~nan].tobytes() == np.array(values, np.float64)[~nan].tobytes()


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 6)).map(lambda pair: f"{pair[0]}e-{pair[1]}")
        | st.just("")
    )
)
def test_one_scale_holds_a_block_or_none_is_taken(rows: list[str]) -> None:
    pairs = [parse_decimal(text) for text in rows]
    mantissa, scale = (
        np.array([pair[place] for pair in pairs], dtype) for place, dtype in ((0, "i8"), (1, "i1"))
    )
    decimals = Decimals(mantissa, scale)
    found = decimals.to_integers()
    fits = all(abs(m) * 10 ** (int(scale.max(initial=0)) - s) < 2**53 for m, s in pairs if m != INT64.min)
    assert (found is not None) == fits
    if found is not None:
        integers, k, bounds = found
        assert k == scale.max(initial=0)
        assert bounds == (integers.min(initial=INT64.max), integers.max(initial=INT64.min))
        again = from_integers(integers, k)
        assert again.mantissa.tolist() == mantissa.tolist()
        assert again.scale.tolist() == scale.tolist()
