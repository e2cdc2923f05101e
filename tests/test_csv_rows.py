"""The CSV parser against its plain twin: any text, cut into any pieces, every line accounted for."""

import random
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from counts import SOAK
from tickreel.codecs.decimals import FLOAT_BITS, MAX_MANTISSA, MAX_SCALE, NULL_MANTISSA, Decimals, from_floats
from tickreel.errors import InputError
from tickreel.schema import NULL_TIME, RECORD_TYPES, Column, Kind, RecordType
from tickreel.sources import csv_batch
from tickreel.sources import csv_kernel as k
from tickreel.sources.csv_batch import RowBatch, SetAside
from tickreel.sources.csv_rows import CsvParser
from twin_csv import Reading, bits, read_csv

TYPES = (
    "trades", "incremental_book_L2", "book_snapshot_5", "quotes", "book_ticker", "derivative_ticker",
    "liquidations", "options_chain",
)  # fmt: skip
SHAPES = {f"{type} {shape}": one for type in TYPES for shape, one in enumerate(RECORD_TYPES[type].shapes)}
"""What the header of a file of each type may say."""
EXAMPLES = 2_000 if SOAK else 100
NOW_US = 1_704_067_200_000_000
GOOD = {
    Kind.TIME: st.integers(NOW_US - 10**9, NOW_US + 10**9).map(lambda us: b"%d" % us),
    Kind.DECIMAL: st.one_of(
        st.integers(1, 10**15).map(lambda digits: b"%d" % digits),
        st.tuples(st.integers(0, 99_999), st.integers(1, 10**8)).map(lambda two: b"%d.%08d" % two),
        st.floats(1e-9, 1e9).map(lambda value: repr(value).encode()),
    ),
    Kind.TEXT: st.one_of(st.integers(0, 10**18).map(lambda id: b"%d" % id), st.uuids().map(lambda id: str(id).encode())),
}  # fmt: skip
NUMBERS = (
    "1e-7", "0.1e3", "12345678901234567", "0.12345678901234567", "123456789012345678901", "9" * 400, "0." + "1" * 400,
    "7" * 5_000, "0." + "3" * 5_000, "1" + "0" * 30, "-0", "-0.0", "0", "0.000", ".5", "5.", ".", "-", "-.", "+1",
    "1e308", "1e309", "1e-400", "-1e-400", "1e20", "1e21", "999999999999999999999", "999999999999999999999.999",
    "9007199254740991", "9007199254740992", "9007199254740993", "0.9007199254740993", "0.7205759403792794",
    "1e22", "1e-22", "1e-23", "123e-23", "1.5e+3", "1E5", "1e", "1e+", "1e5.5", "1e99999", "1e-0007", "1e00007",
    "0e9999", "0e-9999", "nan", "NaN", "inf", "-inf", "Infinity", "", " 1", "1 ", "1_000", "1,5", "0x10", "1.2.3",
    "--1", "1-", "-5", "-1e30", "\u0661", "1\x00", "1\r", '"1"', "00012.50", "1e-9999", "100000000000000000000e-10",
)  # fmt: skip
TIMES = (
    b"0", b"1", b"-1", b"", b"1704067200", b"1704067200000", b"1704067200000000", b"1704067200000000000",
    b"946684799999999", b"946684800000000", b"4102444799999999", b"4102444800000000", b"4102444800000",
    b"9223372036854775807", b"9223372036854775808", b"9999999999999999999", b"1" * 20, b"x" * 20, b"1.5",
    b"4102444799999999999", b"4102444800000000000", b"946684799999999999", b"0" * 40 + b"1704067200000000", b"0" * 40,
    b"410244480000000009", b"9" * 40,
    b"1704067200000000.0", b"1e15", b"01704067200000000", b"0001704067200000000", b"00001704067200000000",
    b" 1704067200000000", b"2024-01-01T00:00:00Z", b"\xff", b"+1704067200000000",
)  # fmt: skip
TEXTS = (
    b"", b"1", b"a" * 127, b"a" * 128, b"a" * 129, b"x" * 9_000, b"\x00", b"a\x00b", b"\xff\xfe", "é".encode(),
    b'"quoted"', b"tab\there", b"\x7f", b" ", b"cr\rhere",
)  # fmt: skip
WORDS = (
    b"buy", b"sell", b"unknown", b"bid", b"ask", b"true", b"false", b"put", b"call", b"", b"BUY", b"buy ", b"x",
    b"\xff", b"buyy", b"bu",
)  # fmt: skip
NAMES = (
    b"binance", b"BTCUSDT", b"BTC-28JUN24-70000-C", b"", b"bad", b"\xff", b"\x00", "Ü".encode(), b"x" * 600, b"BTC/USD",
    b"X" * 255, b"y" * 256, b"a\rb",
)  # fmt: skip


def usable(exchange: str, symbol: str) -> bool:
    text = exchange + symbol
    return bool(exchange and symbol) and "bad" not in text and text.isprintable()


def check_name(exchange: str, symbol: str) -> None:
    if not usable(exchange, symbol):
        raise InputError(f"{exchange!r}, {symbol!r}")


def cells(record: RecordType) -> list[st.SearchStrategy[bytes]]:
    """A strategy for each cell of a line; most of what they give is good."""
    strange = {
        Kind.TIME: st.sampled_from(TIMES),
        Kind.DECIMAL: st.one_of(st.sampled_from([n.encode() for n in NUMBERS]), st.floats().map(lambda v: repr(v).encode())),
        Kind.TEXT: st.one_of(st.sampled_from(TEXTS), st.binary(max_size=5).map(lambda b: b.replace(b"\n", b""))),
        Kind.ENUM: st.sampled_from(WORDS),
    }  # fmt: skip
    found = [usually(st.just(b"binance"), st.sampled_from(NAMES)), usually(st.sampled_from([b"BTCUSDT", b"ETHUSDT"]), st.sampled_from(NAMES))]  # fmt: skip
    for name in record.csv_header[2:]:
        (column,) = (column for column in record.columns if column.csv == name)
        words = st.sampled_from([word.encode() for word in column.choices] or [b""])
        good = words if column.kind is Kind.ENUM else GOOD[column.kind]
        found.append(usually(good, strange[column.kind], one_in=3 * len(record.csv_header)))
    return found


def usually(good: st.SearchStrategy, strange: st.SearchStrategy, one_in: int = 20) -> st.SearchStrategy:
    return st.one_of(*[good] * (one_in - 1), strange)


@cache
def lines(shape: str) -> st.SearchStrategy[bytes]:
    record = SHAPES[shape]
    whole = st.tuples(*cells(record)).map(b",".join)
    strange = st.one_of(
        st.sampled_from(
            [b"", b"\r", b",", b"\x00", b"a,b,x", b"," * 7, b"," * 30, b'"a,b"' * 5, b"\xff" * 50]
        ),
        whole.map(lambda line: line + b","),
        whole.map(lambda line: line.rsplit(b",", 1)[0]),
        st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")),
    )
    ends = usually(st.just(b"\n"), st.just(b"\r\n"), one_in=6)
    return st.tuples(usually(whole, strange, one_in=12), ends).map(b"".join)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes, list[int]]:
    """A shape, a file of it, and the places where its bytes are cut into pieces."""
    shape = draw(st.sampled_from(sorted(SHAPES)))
    header = ",".join(SHAPES[shape].csv_header).encode() + draw(st.sampled_from([b"\n", b"\r\n"]))
    data = header + b"".join(draw(st.lists(lines(shape), max_size=8)))
    if draw(st.integers(0, 3)) == 0:
        data = data[: -draw(st.integers(1, 3))]
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    return shape, data, cuts


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def parse(record: RecordType, parts: list[bytes]) -> tuple[CsvParser, list[RowBatch]]:
    """Read a file of a type, or of one of its shapes: the header says which."""
    parser = CsvParser(RECORD_TYPES[record.name], "x.csv", check_name)
    found: list[RowBatch] = []
    for number, part in enumerate(parts, start=1):
        found += parser.feed(part, last=number == len(parts))
    return parser, found


def check_equal(record: RecordType, parser: CsvParser, batches: list[RowBatch], twin: Reading) -> None:
    aside: list[SetAside] = [one for batch in batches for one in batch.set_aside]
    assert parser.lines == twin.lines == len(aside) + sum(map(len, batches))
    assert [(one.line, one.text) for one in aside] == [(one.line, one.text) for one in twin.aside]
    for one, slow in zip(aside, twin.aside, strict=True):
        assert one.reason in slow.reasons
    assert [odd for batch in batches for odd in batch.odd] == twin.odd
    assert [n for batch in batches for n in batch.line.tolist()] == [row.line for row in twin.rows]
    names = [parser.names[n] for batch in batches for n in batch.name.tolist()]
    assert names == [(row.exchange, row.symbol) for row in twin.rows]
    assert all(list(batch.columns) == sorted(record.names, key=_place(record)) for batch in batches)
    for column in record.columns:
        wanted = [row.values[column.name] for row in twin.rows]
        assert column_values(column.kind, [batch.columns[column.name] for batch in batches]) == [
            bits(value) if column.kind is Kind.DECIMAL else value for value in wanted
        ]


def _place(record: RecordType) -> Callable[[str], int]:
    return lambda name: record.csv_header.index(record.column(name).csv or "")


def column_values(kind: Kind, parts: list) -> list:
    if kind is Kind.DECIMAL:
        return [n for part in parts for n in part.to_floats().view(np.int64).tolist()]
    values = [value for part in parts for value in part.tolist()]
    if kind is Kind.TEXT:
        return [value if isinstance(value, bytes) else b"%d" % value for value in values]
    return [None if kind is Kind.TIME and value == NULL_TIME else value for value in values]


@settings(max_examples=EXAMPLES, deadline=None)
@given(files())
def test_any_text_gives_what_the_twin_gives(file: tuple[str, bytes, list[int]]) -> None:
    shape, data, cuts = file
    record = SHAPES[shape]
    parts = pieces(data, cuts)
    try:
        twin = read_csv(record, data, usable=usable)
    except ValueError:
        with pytest.raises(InputError, match="begin with"):
            parse(record, parts)
        return
    parser, batches = parse(record, parts)
    check_equal(record, parser, batches, twin)


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(files())
def test_pieces_do_not_matter(file: tuple[str, bytes, list[int]]) -> None:
    """Cut at every byte, a file gives the same rows with the same reasons as in one piece."""
    shape, data, _ = file
    record, data = SHAPES[shape], data[:600]
    bytewise = [data[at : at + 1] for at in range(len(data))] or [b""]
    try:
        one, batches = parse(record, [data])
    except InputError as error:
        with pytest.raises(InputError) as other:
            parse(record, bytewise)
        assert str(other.value) == str(error)
        return
    many, found = parse(record, bytewise)
    assert many.lines == one.lines
    assert [a for b in found for a in b.set_aside] == [a for b in batches for a in b.set_aside]
    for column in record.columns:
        values = [
            column_values(column.kind, [b.columns[column.name] for b in part]) for part in (found, batches)
        ]
        assert values[0] == values[1]


@pytest.mark.parametrize("shape", SHAPES)
def test_thousands_of_lines_in_pieces(shape: str) -> None:
    """More lines than hypothesis has the time for, one in five of them with a strange cell or two."""
    chance, record = random.Random(shape), SHAPES[shape]
    strange = {
        Kind.TIME: TIMES, Kind.DECIMAL: [text.encode() for text in NUMBERS], Kind.TEXT: TEXTS, Kind.ENUM: WORDS,
    }  # fmt: skip
    columns = [next((c for c in record.columns if c.csv == name), None) for name in record.csv_header]
    text = [",".join(record.csv_header).encode()]
    for number in range(2_000):
        line = [_good(column, chance, number) for column in columns]
        for _ in range(chance.choice([0, 0, 0, 0, 0, 0, 0, 0, 1, 2])):
            place = chance.randrange(len(line))
            column = columns[place]
            line[place] = chance.choice(strange[column.kind] if column else NAMES)
        text.append(b",".join(line) + chance.choice([b"", b"", b"", b"\r"]))
    data = b"\n".join(text) + b"\n"
    cuts = sorted(chance.sample(range(len(data)), 40))
    parser, batches = parse(record, pieces(data, cuts))
    twin = read_csv(record, data, usable=usable)
    check_equal(record, parser, batches, twin)
    assert min(len(twin.rows), len(twin.aside)) > 100


@pytest.mark.parametrize("shape", list(SHAPES))
def test_lines_of_a_known_name_end_where_they_end(shape: str) -> None:
    """Cut after any cell, or with cells too many; before lines whose first cell could be the missing one; cut anywhere."""
    chance, record = random.Random(shape), SHAPES[shape]
    columns = [next((c for c in record.columns if c.csv == name), None) for name in record.csv_header]
    header, others = ",".join(record.csv_header).encode(), (b"7", b"buy", b"%d" % NOW_US, b"")
    for size in range(len(columns) + 3):
        good = [b"binance,X", *(_good(column, chance, 1) for column in columns[2:])]
        cells = [*good[0].split(b","), *good[1:], b"1", b"2"][:size]
        for other in others:
            lines = [header, b",".join(good), b",".join(cells), other, b",".join(good), b",".join(cells)]
            data = b"\n".join(lines) + b"\n"
            twin = read_csv(record, data, usable=usable)
            short = len(header) + len(lines[1]) + len(lines[2]) + 3
            for cut in (short, short + len(other), short + chance.randint(0, 40), len(data)):
                check_equal(record, *parse(record, pieces(data, [min(cut, len(data))])), twin)
    assert len(twin.rows) == 2


def _good(column: Column | None, chance: random.Random, number: int) -> bytes:
    if column is None:
        return b"binance" if number % 2 else b"BTCUSDT"
    if column.kind is Kind.TIME:
        return b"%d" % (NOW_US + number)
    if column.kind is Kind.ENUM:
        return chance.choice(column.choices).encode()
    return (
        b"%d" % number
        if column.kind is Kind.TEXT
        else b"%.*f" % (chance.randrange(9), chance.uniform(1, 1e6))
    )


def trade(**cells: object) -> bytes:
    given = {
        "exchange": "binance", "symbol": "BTCUSDT", "timestamp": NOW_US, "local_timestamp": NOW_US, "id": 1,
        "side": "buy", "price": 1.5, "amount": 2,
    } | cells  # fmt: skip
    return ",".join(str(cell) for cell in given.values()).encode() + b"\n"


HEADER = ",".join(RECORD_TYPES["trades"].csv_header).encode() + b"\n"


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("type", ["trades", "quotes", "derivative_ticker"])
def test_each_number_where_0_empty_or_negative_is_allowed_or_not(type: str, number: str) -> None:
    record = RECORD_TYPES[type]
    (cell,) = (name for name in ("price", "bid_price", "funding_rate") if name in record.csv_header)
    row = ["binance", "X", str(NOW_US), str(NOW_US), *(["1"] * (len(record.csv_header) - 4))]
    for name, text in (("funding_timestamp", str(NOW_US)), ("side", "buy"), (cell, number)):
        if name in record.csv_header:
            row[record.csv_header.index(name)] = text
    data = f"{','.join(record.csv_header)}\n{','.join(row)}\n".encode()
    parser, batches = parse(record, [data])
    check_equal(record, parser, batches, read_csv(record, data))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.one_of(
    st.floats(1e-9, 1e20, exclude_min=True).map(repr),
    st.tuples(st.integers(1, 10**20), st.integers(0, 24)).map(lambda two: f"{two[0]}e-{two[1]}"),
    st.tuples(st.integers(10**15, 10**17), st.integers(0, 22)).map(lambda two: f"{two[0] / 10**two[1]:.{two[1]}f}"),
    st.tuples(st.integers(10**14, 2**53), st.integers(1, 17)).map(lambda two: f"0.{two[0]:0{two[1]}d}"),
), min_size=1, max_size=30))  # fmt: skip
def test_a_number_is_kept_by_its_float64_alone(texts: list[str]) -> None:
    """Two texts of one float64 give one mantissa and scale, so bytes in the store do not tell the spelling."""
    texts = [text for text in texts if 0 < float(text) < 1e21]
    _, batches = parse(RECORD_TYPES["trades"], [HEADER + b"".join(trade(price=text) for text in texts)])
    found = [batch.columns["price"] for batch in batches]
    if not texts:
        return
    prices = Decimals.concatenate(found)
    floats = np.array([float(text) for text in texts])
    assert (prices.to_floats().view(np.int64) == floats.view(np.int64)).all()
    again = from_floats(floats)
    assert prices.mantissa.tolist() == again.mantissa.tolist()
    assert prices.scale.tolist() == again.scale.tolist()
    exact = prices.scale != FLOAT_BITS
    assert (np.abs(prices.mantissa[exact]) < MAX_MANTISSA).all()
    assert ((prices.scale[exact] >= 0) & (prices.scale[exact] <= MAX_SCALE)).all()


def test_an_empty_number_is_null_and_not_zero() -> None:
    record = RECORD_TYPES["quotes"]
    data = ",".join(record.csv_header) + f"\nbinance,X,{NOW_US},{NOW_US},,1,0,\n"
    _, (batch,) = parse(record, [data.encode()])
    assert [batch.columns[c].mantissa.tolist() for c in ("ask_amount", "ask_price", "bid_price", "bid_amount")] == [
        [NULL_MANTISSA], [1], [0], [NULL_MANTISSA],
    ]  # fmt: skip


def test_a_line_with_too_few_fields_says_so_though_a_cell_is_wrong_too() -> None:
    _, batches = parse(RECORD_TYPES["trades"], [HEADER + b"a,b,x\n" + b"a,b,x,y,z,1,2,3,4\n"])
    assert [a.reason for b in batches for a in b.set_aside] == ["wrong number of fields"] * 2


def test_more_lines_than_a_batch_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_batch, "MAX_BATCH_ROWS", 100)
    sides = ("BUY", "sell", "buy")
    rows = [
        trade(id=number, local_timestamp=NOW_US + number, side=sides[number % 3]) for number in range(210)
    ]
    rows[5] = rows[105] = b"\n"
    data = HEADER + b"".join(rows)
    parser, batches = parse(RECORD_TYPES["trades"], [data])
    assert [len(batch) for batch in batches] == [99, 99, 10]
    check_equal(RECORD_TYPES["trades"], parser, batches, read_csv(RECORD_TYPES["trades"], data))


def test_texts_are_numbers_until_one_is_none() -> None:
    """Also where the text has gone with its piece, and a line between them was set aside."""
    ids = [1, 10**17, 0, "", 7, "a-7", 8, 10**18, "007", 5]
    rows = [trade(id=id) for id in ids]
    rows[4:4] = [trade(price="x", id=9), b"\n"]
    for count, words in ((3, False), (len(rows), True)):
        parts = [HEADER, *rows[:count]]
        parser, (batch,) = parse(RECORD_TYPES["trades"], parts)
        check_equal(
            RECORD_TYPES["trades"], parser, [batch], read_csv(RECORD_TYPES["trades"], b"".join(parts))
        )
        assert batch.array("id").dtype.kind == ("S" if words else "i")


def test_a_batch_is_passed_on_before_what_is_set_aside_fills_the_memory() -> None:
    rows = [trade(), trade(price="x" * 400_000), trade(side="y" * 300_000)] * 4
    parser, batches = parse(RECORD_TYPES["trades"], [HEADER, *rows])
    assert len(batches) == 3
    check_equal(
        RECORD_TYPES["trades"], parser, batches, read_csv(RECORD_TYPES["trades"], HEADER + b"".join(rows))
    )


def test_batches_do_not_share_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may keep one while the next is filled."""
    monkeypatch.setattr(csv_batch, "MAX_BATCH_ROWS", 4)
    data = HEADER + b"".join(trade(id=number, price=number + 1) for number in range(12))
    _, batches = parse(RECORD_TYPES["trades"], [data])
    assert [batch.array("id").tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [n for batch in batches for n in batch.columns["price"].mantissa.tolist()] == list(range(1, 13))


def test_a_name_of_megabytes_is_set_aside_and_the_rest_is_read() -> None:
    data = (
        HEADER
        + trade()
        + trade(symbol="X" * 5_000_000)
        + trade(exchange="e" * 9_000)
        + trade(symbol="ETHUSDT")
    )
    parser, batches = parse(RECORD_TYPES["trades"], pieces(data, list(range(0, len(data), 1 << 20))))
    check_equal(RECORD_TYPES["trades"], parser, batches, read_csv(RECORD_TYPES["trades"], data))


def test_too_many_symbols_are_refused_with_the_number_allowed() -> None:
    data = HEADER + b"".join(trade(symbol=number) for number in range(65_537))
    with pytest.raises(InputError, match=r"x\.csv: more than 65536 symbols in one file; split it"):
        parse(RECORD_TYPES["trades"], [data])
    parser, _ = parse(RECORD_TYPES["trades"], [HEADER + b"".join(trade(symbol=n) for n in range(65_536))])
    assert len(set(parser.names)) == 65_536


def test_long_names_do_not_fill_the_table_before_there_are_too_many() -> None:
    long = "S" * 450
    parser, _ = parse(
        RECORD_TYPES["trades"], [HEADER + b"".join(trade(symbol=f"{long}{n}") for n in range(10_000))]
    )
    assert len(set(parser.names)) == 10_000


@pytest.mark.parametrize("cell", ["é€😀".encode(), b"\xf4\x8f\xbf\xbf", b"\xed\x9f\xbf", b"a\xc2\x80"])
def test_texts_of_unicode_are_kept(cell: bytes) -> None:
    parser, batches = parse(RECORD_TYPES["trades"], [HEADER + trade(id="ID").replace(b"ID", cell)])
    assert [value for batch in batches for value in batch.array("id").tolist()] == [cell]


@settings(max_examples=5 * EXAMPLES, deadline=None)
@given(st.binary(max_size=6) | st.text(max_size=4).map(str.encode), st.integers(0, 2))
@example("é".encode(), 0)
@example("€".encode(), 0)
@example("😀".encode(), 1)
def test_utf8_is_judged_alike_compiled_and_in_python(letters: bytes, cut: int) -> None:
    letters = letters[: len(letters) - cut]
    try:
        letters.decode()
        wanted = True
    except UnicodeDecodeError:
        wanted = False
    data = np.frombuffer(letters, np.uint8)
    for judge in (k._is_utf8, getattr(k._is_utf8, "py_func", k._is_utf8)):
        assert judge(data, 0, len(data)) == wanted


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=6), max_size=20))
@example(
    [
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
    ]
)
def test_texts_that_are_not_utf8_are_set_aside(cells: list[bytes]) -> None:
    record = RECORD_TYPES["trades"]
    table = bytes.maketrans(b",\n\r", b"\xc3\xe2\x82")
    data = HEADER + b"".join(trade(id="ID").replace(b"ID", cell.translate(table)) for cell in cells)
    parser, batches = parse(record, [data])
    check_equal(record, parser, batches, read_csv(record, data))


@pytest.mark.parametrize("type", TYPES)
def test_no_type_takes_the_header_of_another(type: str) -> None:
    for other in TYPES:
        data = ",".join(RECORD_TYPES[other].csv_header).encode() + b"\n"
        if RECORD_TYPES[other].csv_header == RECORD_TYPES[type].csv_header:
            assert parse(RECORD_TYPES[type], [data])[0].lines == 0
        else:
            with pytest.raises(InputError, match=f"{type} files begin with"):
                parse(RECORD_TYPES[type], [data])


@pytest.mark.parametrize(
    "data",
    [
        b"\n", b"\xef\xbb\xbf" + HEADER, HEADER.replace(b",", b";"), b"exchange", HEADER[1:],
        HEADER.replace(b"\n", b",fee,fee\n"), HEADER.replace(b"\n", b",rebate\n"),
        HEADER.replace(b",id", b",fee,id"), HEADER.replace(b",timestamp", b""),
        HEADER.replace(b"timestamp,local_timestamp", b"local_timestamp,timestamp"),
    ],
)  # fmt: skip
def test_what_is_not_quite_the_header_is_refused(data: bytes) -> None:
    allowed = r"line 1 is .*trades files begin with 'exchange,symbol,.*amount', or that without local_timestamp, or with fee after it;"
    with pytest.raises(InputError, match=allowed):
        parse(RECORD_TYPES["trades"], [data])


def test_the_fee_is_a_number_of_any_sign_that_may_be_empty() -> None:
    record = RECORD_TYPES["trades"].widest
    data = ",".join(record.csv_header).encode() + b"\n"
    data += b"".join(trade(fee=fee) for fee in ("0.01", "-2e-7", "", "0", "x"))
    parser, (batch,) = parse(record, [data])
    check_equal(record, parser, [batch], read_csv(record, data))
    assert batch.columns["fee"].mantissa.tolist() == [1, -2, NULL_MANTISSA, 0]
    assert [one.reason for one in batch.set_aside] == ["fee: not a finite number"]


def test_a_long_first_line_is_refused_before_it_ends() -> None:
    parser = CsvParser(RECORD_TYPES["trades"], "x.csv")
    with pytest.raises(InputError, match="line 1 is 'zzz"):
        list(parser.feed(b"z" * 100_000))


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    parser, piece = CsvParser(RECORD_TYPES["trades"], "x.csv"), bytes(1 << 24)
    assert list(parser.feed(HEADER + trade())) == []
    with pytest.raises(InputError, match="line 3 is longer than 67108864 bytes"):
        for _ in range(5):
            assert list(parser.feed(piece)) == []
    assert parser.lines == 1


@pytest.mark.parametrize("data", [b"", HEADER, HEADER[:-1], HEADER[:-1] + b"\r\n", HEADER[:-1] + b"\r"])
def test_files_without_rows(data: bytes) -> None:
    parser, batches = parse(RECORD_TYPES["trades"], [data])
    assert (parser.lines, sum(map(len, batches))) == (0, 0)
