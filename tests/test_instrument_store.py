"""Instruments in a store: import, damage, what is shown, what runs take and refuse."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

import tickreel
from instrument_sample import ITEMS, store_of, write_json
from tickreel.cli.app import run
from tickreel.errors import CorruptionError, FormatError, InputError, LockedError, UsageError
from tickreel.ingest.files.check import check_store
from tickreel.ingest.files.importer import ImportSettings, import_files
from tickreel.ingest.files.instruments import import_instruments
from tickreel.runs.contracts import KnownInstruments
from tickreel.store.catalog import Store
from tickreel.store.instruments import file_names, find_item, item_line, read_file, split_lines
from tickreel.units import parse_time

DAY = parse_time("2024-01-01")
SWAP = ("okex-swap", "BTC-USDT-SWAP")


@pytest.fixture
def okx(tmp_path: Path) -> Store:
    """A store with trades of an OKX swap and of a spot pair, and no instruments."""
    return store_of(tmp_path, SWAP, ("binance", "BTCUSDT"))


def terms(store: Store, exchange: str, symbol: str, file: Path | None = None):
    return KnownInstruments(store, str(file) if file else None).find(exchange, symbol).at(DAY)


# Import


def test_symbols_are_found_whatever_their_case_in_the_file(tmp_path):
    store = Store(tmp_path / "tape")
    import_instruments(store, [str(write_json(tmp_path / "all.json", *ITEMS.values()))])
    assert file_names(store) == sorted(f"{exchange}.jsonl" for exchange in ITEMS)
    names = {
        "binance": "BTCUSDT",
        "binance-futures": "BTCUSDT_240628",
        "binance-delivery": "BTCUSD_PERP",
        "bybit": "BTCUSD",
        "okex-swap": "BTC-USDT-SWAP",
        "deribit": "AVAX_USDC-29MAY26-8D6-P",
        "bitmex": "ETHUSD",
    }
    for exchange, symbol in names.items():
        assert terms(store, exchange, symbol).tick == Decimal(str(ITEMS[exchange]["priceIncrement"]))
    assert terms(store, "binance", "ETHUSDT").tick is None


def test_an_object_replaces_its_own_symbol_and_leaves_the_others(tmp_path):
    store = Store(tmp_path / "tape")
    import_instruments(
        store,
        [
            str(
                write_json(
                    tmp_path / "a.json", ITEMS["binance"], {**ITEMS["binance"], "id": "b", "datasetId": "B"}
                )
            )
        ],
    )
    changed = {**ITEMS["binance"], "priceIncrement": 0.5}
    (report,) = import_instruments(store, [str(write_json(tmp_path / "b.json", changed, single=True))])
    assert (report.exchanges, report.instruments, report.refused) == (["binance"], 1, [])
    assert (terms(store, "binance", "BTCUSDT").tick, terms(store, "binance", "B").tick) == (
        Decimal("0.5"),
        Decimal("0.01"),
    )
    assert terms(store, "binance", "B").facts["tick"].source == "Tardis (a.json)"
    assert terms(store, "binance", "BTCUSDT").facts["tick"].source == "Tardis (b.json)"


def test_the_same_files_give_the_same_bytes(tmp_path):
    stores = [Store(tmp_path / "a"), Store(tmp_path / "b")]
    items = [{**ITEMS["binance"], "id": name, "datasetId": None} for name in ("z", "a", "m")]
    import_instruments(stores[0], [str(write_json(tmp_path / "f.json", *items))])
    for item in reversed(items):
        import_instruments(stores[1], [str(write_json(tmp_path / "f.json", item))])
    first, second = ((store.root / "instruments" / "binance.jsonl").read_bytes() for store in stores)
    assert first == second


def test_wrong_instruments_are_left_out_and_named_and_the_others_taken(tmp_path):
    store = Store(tmp_path / "tape")
    wrong = {**ITEMS["binance"], "id": "x", "datasetId": "X", "priceIncrement": 0}
    path = write_json(tmp_path / "f.json", wrong, ITEMS["binance"], ITEMS["binance"])
    (report,) = import_instruments(store, [str(path)])
    assert report.instruments == 1
    assert report.refused == [
        f"{path}[0].priceIncrement: 0; a number above 0 belongs there",
        f"{path}[2].id: BTCUSDT is here twice; leave one out",
    ]
    with pytest.raises(InputError, match=r"f\.json\[0\]\.priceIncrement: 0; a number above 0 belongs there$"):
        import_instruments(store, [str(write_json(path, wrong))])


def test_nothing_is_written_if_one_of_the_files_cannot_be_read(tmp_path):
    store = Store(tmp_path / "tape")
    good = str(write_json(tmp_path / "good.json", ITEMS["binance"]))
    (tmp_path / "bad.toml").write_text("a.X = {tikc = 1}")
    (tmp_path / "bad.json").write_text("{")
    for name, error in (
        ("bad.toml", InputError),
        ("bad.json", InputError),
        ("none.json", UsageError),
        ("a.csv", UsageError),
    ):
        with pytest.raises(error, match=name):
            import_instruments(store, [good, str(tmp_path / name)])
    assert file_names(store) == []


def test_the_writer_s_lock_is_respected(tmp_path):
    store = Store(tmp_path / "tape")
    with store.writing(), pytest.raises(LockedError):
        import_instruments(store, [str(write_json(tmp_path / "f.json", ITEMS["binance"]))])


def test_a_symbol_is_found_among_many_by_halving():
    symbols = sorted(f"S{k}" for k in range(0, 600, 2))
    body = b"".join(item_line(name, "f", b'{"id": "%s"}' % name.encode()) for name in symbols)
    for k in range(600):
        found = find_item(body, f"S{k}")
        assert (found is not None) == (f"S{k}" in symbols)
        assert found is None or json.loads(found[1])["id"] == f"S{k}"
    assert find_item(b"", "S1") is None
    assert list(split_lines(body)) == symbols


# Damage


def test_a_changed_byte_is_found_by_reading_and_by_check(okx, tmp_path):
    import_instruments(okx, [str(write_json(tmp_path / "f.json", ITEMS["okex-swap"]))])
    path = okx.root / "instruments" / "okex-swap.jsonl"
    whole = path.read_bytes()
    assert check_store(okx, [])["problems"] == []
    path.write_bytes(whole.replace(b"0.01", b"0.02", 1))
    with pytest.raises(CorruptionError, match=r"okex-swap\.jsonl: its checksum does not fit"):
        terms(okx, *SWAP)
    assert len(check_store(okx, [])["problems"]) == 1
    path.write_bytes(whole[: whole.index(b"\n") // 2])
    with pytest.raises(CorruptionError, match="holds no checksum"):
        read_file(okx, path.name)
    path.write_bytes(whole.replace(b'"format": 1', b'"format": 2', 1))
    with pytest.raises(FormatError, match="upgrade"):
        read_file(okx, path.name)


def test_no_feed_is_called_instruments_and_links_are_not_followed(okx, tmp_path):
    import_instruments(okx, [str(write_json(tmp_path / "f.json", ITEMS["okex-swap"]))])
    assert okx.feeds() == ["tardis"]
    path = okx.root / "instruments" / "okex-swap.jsonl"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="symbolic link"):
        terms(okx, *SWAP)


# Precedence


def test_the_user_s_file_before_the_store_s_toml_before_tardis_before_the_rules(okx, tmp_path):
    assert terms(okx, *SWAP).contract == "linear"
    assert terms(okx, *SWAP).multiplier is None
    import_instruments(okx, [str(write_json(tmp_path / "f.json", ITEMS["okex-swap"]))])
    assert terms(okx, *SWAP).multiplier == Decimal("0.01")
    (tmp_path / "mine.toml").write_text('okex-swap.btc-usdt-swap = {multiplier = "0.02", tick = "1"}')
    import_instruments(okx, [str(tmp_path / "mine.toml")])
    assert terms(okx, *SWAP).multiplier == Decimal("0.02")
    assert terms(okx, *SWAP).facts["multiplier"].source == "instruments/user.toml"
    (tmp_path / "now.toml").write_text('okex-swap.BTC-USDT-SWAP = {multiplier = "0.03"}')
    found = terms(okx, *SWAP, file=tmp_path / "now.toml")
    assert (found.multiplier, found.tick, found.lot) == (Decimal("0.03"), 1, Decimal("0.01"))
    (tmp_path / "none.toml").write_text("")
    import_instruments(okx, [str(tmp_path / "none.toml")])
    assert terms(okx, *SWAP).multiplier == Decimal("0.01")


def test_names_that_the_store_has_not_are_told_with_the_nearest(okx, tmp_path, capsys):
    path = tmp_path / "my.toml"
    path.write_text(
        "[okex-swap.btc-usdt-swap]\ntick = 1\n[okex-swap.BTC-USDT-SWAPP]\ntick = 1\n"
        "[okexx-swap.BTC-USDT-SWAP]\ntick = 1\n[nowhere.Z]\ntick = 1"
    )
    near = "okex-swap:BTC-USDT-SWAP"
    absent = {"okex-swap:BTC-USDT-SWAPP": near, "okexx-swap:BTC-USDT-SWAP": near, "nowhere:Z": None}
    (report,) = import_instruments(okx, [str(path)])
    assert (report.instruments, report.absent) == (4, absent)
    assert run(["instruments", "import", str(path), "--store", str(okx.root)]) == 0
    assert (
        f"no data of okex-swap:BTC-USDT-SWAPP (did you mean {near}?), okexx-swap:BTC-USDT-SWAP (did you mean"
        f" {near}?), nowhere:Z: what is known" in capsys.readouterr().err
    )
    _, out = call(capsys, "instruments", "import", path, "--store", okx.root, "--json")
    assert json.loads(out)["files"][0]["absent"] == absent
    (report,) = import_instruments(Store(tmp_path / "empty"), [str(path)])
    assert len(report.absent) == 4 and not any(report.absent.values())


def test_names_within_groups_are_there_and_damaged_groups_stop_no_import(tmp_path):
    name = tmp_path / "deribit_trades_2024-01-01_OPTIONS.csv"
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
    name.write_text(head + f"deribit,BTC-1MAR24-50000-C,{DAY // 1000},{DAY // 1000},,buy,1,1\n")
    store = Store(tmp_path / "tape")
    import_files(store, [str(name)], ImportSettings(workers=1))
    (tmp_path / "my.toml").write_text(
        "deribit = {btc-1mar24-50000-c = {tick = 1}, BTC-1MAR24-5000-C = {tick = 1}}"
    )
    (report,) = import_instruments(store, [str(tmp_path / "my.toml")])
    assert report.absent == {"deribit:BTC-1MAR24-5000-C": "deribit:BTC-1MAR24-50000-C"}
    (key,) = store.find()
    store.path(key).write_bytes(b"")
    (report,) = import_instruments(store, [str(tmp_path / "my.toml")])
    assert len(report.absent) == 2


def test_a_store_keeps_one_toml(tmp_path):
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match=r"b\.toml: a store keeps one"):
        import_instruments(Store(tmp_path / "tape"), [str(tmp_path / "a.toml"), str(tmp_path / "b.toml")])


# Runs

BUYER = """
from tickreel import Strategy

class Buyer(Strategy):
    done: int = 0

    def on_trade(self, trade, ctx):
        if self.done == 0:
            ctx.buy(3)
        self.done = 1
"""


def backtest(store: Store, tmp_path: Path, **options):
    (tmp_path / "buyer.py").write_text(BUYER)
    return tickreel.backtest(str(tmp_path / "buyer.py"), store=store.root, workers=1, jit=False, **options)


def test_a_run_refuses_what_is_not_known_to_be_money_and_finishes_the_rest(tmp_path):
    store = store_of(tmp_path, SWAP, ("binance", "BTCUSDT"), ("deribit", "BTC-PERPETUAL"), ("venue", "X"))
    result = backtest(store, tmp_path)
    assert list(result.symbols) == ["binance:BTCUSDT"]
    refused = {name: error for name, (error, _) in result.failed.items()}
    assert "its amounts count contracts, and its multiplier" in refused["okex-swap:BTC-USDT-SWAP"]
    assert 'write okex-swap.BTC-USDT-SWAP = { multiplier = "NUMBER" }' in refused["okex-swap:BTC-USDT-SWAP"]
    assert "it is inverse (rule of deribit)" in refused["deribit:BTC-PERPETUAL"]
    assert "its contract" in refused["venue:X"]


def test_an_inverse_symbol_in_lower_case_is_refused_too(tmp_path):
    store = store_of(tmp_path, ("bybit", "btcusd"), ("bybit", "btcusdt"))
    result = backtest(store, tmp_path)
    assert list(result.symbols) == ["bybit:btcusdt"]
    assert "it is inverse (rule of bybit)" in result.failed["bybit:btcusd"][0]


def test_contracts_are_counted_with_their_multiplier(okx, tmp_path):
    """3 contracts of 0.01 BTC at 101: 3.03 in money, and the fee of that."""
    (tmp_path / "my.toml").write_text('okex-swap.BTC-USDT-SWAP = {multiplier = "0.01", taker_fee = "0.0005"}')
    result = backtest(okx, tmp_path, instruments=tmp_path / "my.toml", fee=0.001)
    assert not result.failed
    assert result.postings("okex-swap:BTC-USDT-SWAP")["nanos"].tolist() == [-3_030_000_000, -3_030_000]
    assert result.postings("binance:BTCUSDT")["nanos"].tolist() == [-303_000_000_000, -303_000_000]
    _, equity = result.equity("okex-swap:BTC-USDT-SWAP")
    assert equity[-1] == 100_000 - 3.03 - 0.00303 + 3 * 0.01 * 100.0
    record = next(s for s in result.record.symbols if s.exchange == "okex-swap")
    assert record.instrument["multiplier"] == {"value": "0.01", "source": str(tmp_path / "my.toml")}
    assert record.instrument["contract"]["source"] == "rule of okex-swap"
    assert result.notes() == [
        f"okex-swap:BTC-USDT-SWAP: fees of the venue as the range begins: taker 0.0005 of notional ({tmp_path / 'my.toml'});"
        " the run took 0.001 for both"
    ]
    assert result.notes()[0] in result.view()["conventions"]
    assert type(result).open(result.path).notes() == result.notes()


def test_the_fee_that_was_taken_is_not_noted(okx, tmp_path):
    (tmp_path / "my.toml").write_text("binance.BTCUSDT = {maker_fee = 0.0004, taker_fee = 0.0004}")
    assert (
        backtest(okx, tmp_path, instruments=tmp_path / "my.toml", fee=0.0004, symbols="BTCUSDT").notes() == []
    )


def test_only_the_rows_of_the_run_must_be_known(okx, tmp_path):
    """The multiplier changes at the 25th of 50 trades."""
    change = '[{until = 2024-01-01T00:00:00.025Z, multiplier = "0.1"}]'
    (tmp_path / "my.toml").write_text(
        f'okex-swap.BTC-USDT-SWAP = {{multiplier = "0.01", changes = {change}}}'
    )
    known = {"instruments": tmp_path / "my.toml", "exchange": "okex-swap"}
    error, _ = backtest(okx, tmp_path, **known).failed["okex-swap:BTC-USDT-SWAP"]
    assert "its multiplier changes from 0.1 to 0.01 at 2024-01-01T00:00:00.025Z" in error
    cut = DAY + 25_000_000
    before, after = backtest(okx, tmp_path, end=cut, **known), backtest(okx, tmp_path, start=cut, **known)
    assert [result.fills("BTC-USDT-SWAP")["quantity"].tolist() for result in (before, after)] == [
        [3.0],
        [3.0],
    ]
    assert before.record.symbols[0].instrument["multiplier"]["value"] == "0.1"
    assert after.record.symbols[0].instrument["multiplier"]["value"] == "0.01"


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ("expiry = 2024-01-01", "it expired at 2024-01-01T00:00:00Z"),
        ("listed = 2024-01-02", "it is not listed before 2024-01-02T00:00:00Z"),
        ('contract = "quanto"', "it is quanto"),
        ('kind = "combo"', "it is a combo"),
    ],
)
def test_what_a_file_says_against_a_symbol_refuses_it(okx, tmp_path, facts, word):
    (tmp_path / "my.toml").write_text(f"binance.BTCUSDT = {{{facts}}}")
    result = backtest(okx, tmp_path, instruments=tmp_path / "my.toml", symbols="BTCUSDT")
    assert word in result.failed["binance:BTCUSDT"][0]


def test_fees_and_settlement_that_change_within_the_range_are_noted(okx, tmp_path):
    """The trades of binance:BTCUSDT end 49 ms after midnight: what comes after that is no change of the run."""
    (tmp_path / "my.toml").write_text(
        """
[binance.BTCUSDT]
taker_fee = "0.0003"
settlement = "USDC"
changes = [
    {until = 2024-01-01T00:00:00.010Z, taker_fee = "0.0004", maker_fee = "0.0004"},
    {until = 2024-01-01T00:00:00.020Z, taker_fee = "0.0005"},
    {until = 2024-01-01T00:00:00.030Z, taker_fee = "0.0005", settlement = "USDT"},
    {until = 2024-01-01T00:00:00.050Z, taker_fee = "0.0005"},
]
"""
    )
    known = {"instruments": tmp_path / "my.toml", "symbols": "BTCUSDT", "fee": 0.0004}
    source = f"({tmp_path / 'my.toml'})"
    assert backtest(okx, tmp_path, **known).notes() == [
        f"binance:BTCUSDT: maker_fee changes within the range, from 0.0004 {source} to unknown at"
        " 2024-01-01T00:00:00.010Z: the run took one fee throughout",
        f"binance:BTCUSDT: taker_fee changes within the range, from 0.0004 {source} to 0.0005 {source} at"
        " 2024-01-01T00:00:00.010Z: the run took one fee throughout",
        f"binance:BTCUSDT: settlement changes within the range, from USDT {source} to USDC {source} at"
        " 2024-01-01T00:00:00.030Z: the run counts all of it as one currency",
    ]
    assert backtest(okx, tmp_path, end=DAY + 10_000_000, **known).notes() == []
    (note,) = backtest(okx, tmp_path, start=DAY + 30_000_000, **known).notes()
    assert "fees of the venue as the range begins: taker 0.0005" in note


def test_the_expiry_in_force_at_its_time_is_noted(okx, tmp_path):
    (tmp_path / "my.toml").write_text(
        "[binance.BTCUSDT]\nexpiry = 2024-01-01T00:00:00.030Z\n"
        "changes = [{until = 2024-01-01T00:00:00.010Z, expiry = 2024-01-01T00:00:00.020Z}]"
    )
    known = {"instruments": tmp_path / "my.toml", "symbols": "BTCUSDT"}
    (note,) = backtest(okx, tmp_path, **known).notes()
    assert "expires within the range, at 2024-01-01T00:00:00.030Z" in note
    assert backtest(okx, tmp_path, end=DAY + 30_000_000, **known).notes() == []


def test_an_expiry_within_the_range_is_noted(okx, tmp_path):
    (tmp_path / "my.toml").write_text("binance.BTCUSDT = {expiry = 2024-01-01T00:00:00.010Z}")
    (note,) = backtest(okx, tmp_path, instruments=tmp_path / "my.toml", symbols="BTCUSDT").notes()
    assert "expires within the range, at 2024-01-01T00:00:00.010Z" in note


def test_a_file_that_is_not_there_or_wrong_ends_the_run(okx, tmp_path):
    with pytest.raises(UsageError, match=r"--instruments .*none\.toml: no such file"):
        backtest(okx, tmp_path, instruments=tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a.X = {tikc = 1}")
    with pytest.raises(InputError, match="did you mean tick"):
        backtest(okx, tmp_path, instruments=tmp_path / "bad.toml")


# The command line


def call(capsys, *words: object) -> tuple[int, str]:
    code = run(list(map(str, words)))
    return code, capsys.readouterr().out


def test_import_and_show(okx, tmp_path, capsys):
    path = write_json(tmp_path / "f.json", ITEMS["okex-swap"], {**ITEMS["okex-swap"], "id": "X", "type": "?"})
    code, out = call(capsys, "instruments", "import", path, "--store", okx.root)
    assert (code, out) == (
        1,
        f"refused: {path}[1].type: '?'; one of spot, perpetual, future, option, combo, prediction belongs there\n",
    )
    code, out = call(capsys, "instruments", "show", "--store", okx.root)
    assert code == 0
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["binance", "BTCUSDT", "2024-01-01T00:00:00Z", "spot", "linear", "1", "-", "-", "-", "-", "taken"],
        ["okex-swap", "BTC-USDT-SWAP", "2024-01-01T00:00:00Z", "perpetual", "linear", "0.01", "0.1", "0.01", "0.0002",
         "0.0005", "taken"],
    ]  # fmt: skip
    code, out = call(
        capsys, "instruments", "show", "BTC-USDT-SWAP", "--at", "2021-12-31", "--store", okx.root
    )
    assert (
        "tick" in out
        and "0.5" in out
        and "2022-01-01T00:00:00Z" in out
        and "a run takes it" in out
        and " 0.1 BTC " in out
    )
    code, out = call(capsys, "instruments", "show", "nowhere:X", "--store", okx.root, "--json")
    (found,) = json.loads(out)["instruments"]
    assert found["refused"].startswith("refused: ")
    assert found["facts"] == []


COLONS = ("bitfinex-derivatives", "BTCF0:USTF0")


@pytest.mark.parametrize(
    "words",
    [
        ["BTCF0:USTF0"],
        ["bitfinex-derivatives:BTCF0:USTF0"],
        ["BTCF0:USTF0", "--exchange", "bitfinex-derivatives"],
        ["bitfinex-derivatives:BTCF0:USTF0", "--exchange", "bitfinex-derivatives"],
    ],
)
def test_show_of_a_symbol_with_colons(tmp_path, capsys, words):
    store = store_of(tmp_path, COLONS, ("binance", "BTCUSDT"))
    code, out = call(capsys, "instruments", "show", *words, "--store", store.root, "--json")
    (found,) = json.loads(out)["instruments"]
    assert (code, found["exchange"], found["symbol"]) == (0, *COLONS)
    assert {fact["name"]: fact["value"] for fact in found["facts"]} == {"tick": "1", "lot": "2"}
    line = (
        'bitfinex-derivatives."BTCF0:USTF0" = { contract = "linear|inverse|quanto", multiplier = "NUMBER" }'
    )
    assert f"write {line} into" in found["refused"]
    (tmp_path / "my.toml").write_text(line.replace("|inverse|quanto", "").replace("NUMBER", "1"))
    assert call(capsys, "instruments", "import", tmp_path / "my.toml", "--store", store.root)[0] == 0
    _, out = call(capsys, "instruments", "show", *words, "--store", store.root, "--json")
    assert json.loads(out)["instruments"][0]["refused"] is None


def test_show_of_a_symbol_with_colons_that_has_no_data(okx, capsys):
    words = ["instruments", "show", "--store", okx.root, "--json"]
    for more in (["bitfinex-derivatives:BTCF0:USTF0"], ["BTCF0:USTF0", "--exchange", "bitfinex-derivatives"]):
        (found,) = json.loads(call(capsys, *words, *more)[1])["instruments"]
        assert (found["exchange"], found["symbol"]) == COLONS


def test_show_of_what_is_not_there(okx, tmp_path, capsys):
    assert call(capsys, "instruments", "show", "ETHUSDT", "--store", okx.root)[0] == 2
    assert call(capsys, "instruments", "show", "--store", tmp_path / "nowhere")[0] == 2
    assert call(capsys, "instruments", "import", tmp_path / "none.json", "--store", okx.root)[0] == 2


def test_show_derives_tick_and_lot_of_one_symbol_and_says_so(okx, capsys):
    _, out = call(capsys, "instruments", "show", "binance:BTCUSDT", "--store", okx.root, "--json")
    (found,) = json.loads(out)["instruments"]
    facts = {fact["name"]: fact for fact in found["facts"]}
    assert (facts["tick"]["value"], facts["lot"]["value"]) == ("1", "2")
    assert facts["tick"]["source"] == "derived from 50 trades of 2024-01-01: this or a whole fraction of it"
    assert facts["tick"]["to_ns"] - facts["tick"]["from_ns"] == 86_400 * 10**9
    _, out = call(
        capsys, "instruments", "show", "BTCUSDT", "--at", "2023-01-01", "--store", okx.root, "--json"
    )
    assert "tick" in json.loads(out)["instruments"][0]["unknown"]


def test_show_derives_tick_and_lot_of_a_symbol_of_a_group(tmp_path, capsys):
    start = DAY // 1_000
    rows = [
        f"okex-swap,{s},{start + k},{start + k},,buy,{p},{a}\n"
        for s, p, a in (("A-USDT-SWAP", "1.5", 3), ("B-USDT-SWAP", "0.25", 7))
        for k in range(3)
    ]
    path = tmp_path / "okex-swap_trades_2024-01-01_PERPETUALS.csv"
    path.write_text("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n" + "".join(rows))
    store = Store(tmp_path / "tape")
    import_files(store, [str(path)], ImportSettings(workers=1))
    _, out = call(capsys, "instruments", "show", "B-USDT-SWAP", "--store", store.root, "--json")
    (found,) = json.loads(out)["instruments"]
    assert {f["name"]: f["value"] for f in found["facts"] if f["name"] in ("tick", "lot")} == {
        "tick": "0.25",
        "lot": "7",
    }
    assert "derived from 3 trades" in out
