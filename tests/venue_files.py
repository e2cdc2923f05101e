"""Small seeded Tardis files of every type, each venue with its own ids, units, names and gaps.

Rows are dictionaries of texts by CSV column; a column that is left out is an empty cell. Venue facts:
tardis-node's mappers and the venues' own documents, as docs/NORMALIZE.md sums them up.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from import_sample import put
from tickreel.schema import GROUPS, RECORD_TYPES

DAY = "2024-03-01"
DAY_US = 1_709_251_200_000_000
ROWS = 72

Cells = dict[str, object]


@dataclass(frozen=True)
class Venue:
    """What a venue does in its own way.

    symbols   ordinary symbols; groups: the symbols that a file of a group holds
    types     the types that are published for it
    trade_id  number of a trade -> its id
    price, amount  -> text, as the venue writes them
    no_clock  the types without exchange times: they equal local ones
    ticker    the cells of derivative_ticker that it ever sends, but for prices
    """

    symbols: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    types: tuple[str, ...]
    trade_id: Callable[[int, Random], str]
    price: Callable[[Random], str]
    amount: Callable[[Random], str]
    no_clock: tuple[str, ...] = ()
    ticker: tuple[str, ...] = ()


def _numeric(number: int, chance: Random) -> str:
    return str(3_445_374_963 + number)


def _uuid(number: int, chance: Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _deribit_id(number: int, chance: Random) -> str:
    return f"{'ETH-' if number % 5 == 0 else ''}{98_765_432 + number}"


def _tick(low: int, high: int, places: int, step: int = 1) -> Callable[[Random], str]:
    """Return a maker of decimals between low and high: multiples of step / 10^places, zeros stripped."""

    def text(chance: Random) -> str:
        value = chance.randrange(low * 10**places, high * 10**places, step) + step
        whole, part = divmod(value, 10**places)
        digits = f"{part:0{places}d}".rstrip("0") if places else ""
        return f"{whole}.{digits}" if digits else str(whole)

    return text


_coin = _tick(0, 3, 5)
_contracts = _tick(0, 900, 0)
_inverse_usd = _tick(0, 90_000, 0, 10)
_books = ("incremental_book_L2", "book_snapshot_5", "book_snapshot_25", "quotes")
_perpetual = ("trades", *_books, "derivative_ticker", "liquidations")

VENUES: dict[str, Venue] = {
    "binance": Venue(
        ("BTCUSDT", "ETHBTC"), {"SPOT": ("1000SATSUSDT", "BTCUSDT", "ETHBTC")},
        ("trades", *_books, "book_ticker"), _numeric, _tick(61_000, 62_000, 2), _coin, no_clock=("book_ticker",),
    ),
    "binance-futures": Venue(
        ("BTCUSDT", "BTCUSDT_240329"), {"PERPETUALS": ("1000PEPEUSDT", "BTCUSDT"), "FUTURES": ("BTCUSDT_240329",)},
        (*_perpetual, "book_ticker"), _numeric, _tick(61_000, 62_000, 1), _coin,
        ticker=("funding_timestamp", "funding_rate", "open_interest"),
    ),
    "binance-delivery": Venue(
        ("BTCUSD_PERP",), {"PERPETUALS": ("BTCUSD_PERP", "ETHUSD_PERP"), "FUTURES": ("BTCUSD_240329", "ETHUSD_240329")},
        (*_perpetual, "book_ticker"), _numeric, _tick(61_000, 62_000, 1), _contracts,
        ticker=("funding_timestamp", "funding_rate", "open_interest"),
    ),
    "bybit": Venue(
        ("BTCUSDT", "BTCUSD"), {"PERPETUALS": ("BTCUSD", "BTCUSDT", "SOLPERP"), "FUTURES": ("BTC-29MAR24", "BTCUSDH24")},
        _perpetual, _uuid, _tick(61_000, 62_000, 2, 50), _tick(0, 40_000, 0),
        ticker=("funding_timestamp", "funding_rate", "predicted_funding_rate", "open_interest"),
    ),
    "okex-swap": Venue(
        ("BTC-USDT-SWAP", "BTC-USD-SWAP"), {"PERPETUALS": ("BTC-USD-SWAP", "BTC-USDT-SWAP", "LUNA-USDT-SWAP")},
        _perpetual, _numeric, _tick(61_000, 62_000, 1), _contracts,
        ticker=("funding_timestamp", "funding_rate", "predicted_funding_rate", "open_interest"),
    ),
    "okex-options": Venue(
        ("BTC-USD-240329-60000-C",), {"OPTIONS": ("BTC-USD-240329-60000-C", "BTC-USD-240329-60000-P", "ETH-USD-240329-3000-C")},
        ("trades", "incremental_book_L2", "quotes", "options_chain"), _numeric, _tick(0, 1, 4, 5), _contracts,
    ),
    "deribit": Venue(
        ("BTC-PERPETUAL", "AVAX_USDC-29MAY26-8D6-P"),
        {
            "OPTIONS": ("AVAX_USDC-29MAY26-8D6-P", "BTC-29MAR24-100000-C", "BTC-29MAR24-60000-P", "ETH-1MAR24-3350-C"),
            "PERPETUALS": ("BTC-PERPETUAL", "SOL_USDC-PERPETUAL"),
            "FUTURES": ("BTC-29MAR24", "BTC-FS-29MAR24_PERP"),
        },
        (*_perpetual, "options_chain"), _deribit_id, _tick(61_000, 62_000, 1, 5), _inverse_usd,
        ticker=("funding_rate", "open_interest"),
    ),
}  # fmt: skip


def write(root: Path, venue: str, type: str, symbol: str, seed: int = 1, **how: int) -> Path:
    """Write the file of a symbol or group in Tardis' layout; the same arguments give the same bytes."""
    name = symbol.replace("/", "-").replace(":", "-").upper()
    path = root.joinpath(venue, type, *DAY.split("-"), f"{name}.csv.gz")
    return put(path, text(venue, type, symbol, seed, **how))


def text(venue: str, type: str, symbol: str, seed: int = 1, *, rows: int = ROWS, start_us: int = 0) -> bytes:
    """Return a file's text: rows in order of local time, the first happened the day before."""
    chance = Random(f"{venue} {type} {symbol} {seed}")
    record, local_us = RECORD_TYPES[type], DAY_US + start_us
    names = VENUES[venue].groups[symbol] if symbol in GROUPS else (symbol,)
    make = ROWS_OF[type](VENUES[venue], chance)
    lines = [",".join(record.csv_header)]
    for number in range(rows):
        clock = local_us - (0 if type in VENUES[venue].no_clock else chance.randrange(1, 9) * 1_000)
        key = {
            "exchange": venue,
            "symbol": chance.choice(names),
            "timestamp": clock,
            "local_timestamp": local_us,
        }
        cells = key | make(number, key["symbol"])
        lines.append(",".join(str(cells.get(name, "")) for name in record.csv_header))
        local_us += chance.choice([0, 0, 1, 40_000, 2_000_000])
    return ("\n".join(lines) + "\n").encode()


Maker = Callable[[int, str], Cells]


def _prints(venue: Venue, chance: Random) -> Maker:
    return lambda number, symbol: {
        "id": venue.trade_id(number, chance), "side": chance.choice(["buy", "sell"]),
        "price": venue.price(chance), "amount": venue.amount(chance),
    }  # fmt: skip


def _liquidations(venue: Venue, chance: Random) -> Maker:
    """Binance gives its forced orders no id."""
    make = _prints(venue, chance)
    return lambda number, symbol: make(number, symbol) | ({"id": ""} if number % 3 else {})


def _changes(venue: Venue, chance: Random) -> Maker:
    """A snapshot, updates, and a snapshot again as after a lost connection; 0 removes a level."""

    def make(number: int, symbol: str) -> Cells:
        removed = number % 7 == 6
        return {
            "is_snapshot": "true" if number % 36 < 12 else "false", "side": chance.choice(["bid", "ask"]),
            "price": venue.price(chance), "amount": "0" if removed else venue.amount(chance),
        }  # fmt: skip

    return make


def _snapshots(depth: int) -> Callable[[Venue, Random], Maker]:
    def of_venue(venue: Venue, chance: Random) -> Maker:
        def make(number: int, symbol: str) -> Cells:
            cells: Cells = {}
            for side in ("asks", "bids"):
                for level in range(depth if number % 3 else chance.randrange(depth)):
                    cells[f"{side}[{level}].price"] = venue.price(chance)
                    cells[f"{side}[{level}].amount"] = venue.amount(chance)
            return cells

        return make

    return of_venue


def _top(venue: Venue, chance: Random) -> Maker:
    """A side without orders is empty: now and then one, or both."""

    def make(number: int, symbol: str) -> Cells:
        cells: Cells = {}
        for place, side in enumerate(("ask", "bid"), start=1):
            if number % 13 != place and number % 29:
                cells |= {f"{side}_price": venue.price(chance), f"{side}_amount": venue.amount(chance)}
        return cells

    return make


def _tickers(venue: Venue, chance: Random) -> Maker:
    """What the venue has not sent yet, or never sends, is empty: see `Venue.ticker`."""

    def make(number: int, symbol: str) -> Cells:
        known: Cells = {
            "funding_timestamp": DAY_US + 8 * 3_600_000_000,
            "funding_rate": chance.choice(["0.0001", "-0.00003712", "1e-7", "0", "-4.2E-8"]),
            "predicted_funding_rate": chance.choice(["0.00012", "-1e-05"]),
            "open_interest": venue.amount(chance),
        }
        cells = {name: known[name] for name in venue.ticker if number > 3}
        prices = ("last_price", "index_price", "mark_price")[: number % 4]
        return cells | {name: venue.price(chance) for name in prices}

    return make


def _options(venue: Venue, chance: Random) -> Maker:
    """An option's own cells stay, quotes and greeks come and go."""

    def make(number: int, symbol: str) -> Cells:
        strike = symbol.split("-")[-2].replace("D", ".")
        quoted = [name for name in ("bid", "ask") if chance.random() < 0.7]
        greeks = {name: chance.choice(["-0.00001", "0.53214", "1e-9", "0", "-12.5"]) for name in GREEKS}
        return {
            "type": "put" if symbol.endswith("P") else "call", "strike_price": strike,
            "expiration": DAY_US + 28 * 86_400_000_000 + 8 * 3_600_000_000,
            "open_interest": chance.choice(["0", "12.3", ""]), "last_price": chance.choice(["", "0.0255"]),
            "mark_price": "0.02551234", "mark_iv": "55.91", "underlying_index": chance.choice(["", "SYN.BTC-29MAR24"]),
            "underlying_price": venue.price(chance),
            **{f"{side}_{name}": chance.choice(["0.0005", "61.2", "0"]) for side in quoted for name in ("price", "amount", "iv")},
            **(greeks if number % 5 else {}),
        }  # fmt: skip

    return make


GREEKS = ("delta", "gamma", "vega", "theta", "rho")
ROWS_OF: dict[str, Callable[[Venue, Random], Maker]] = {
    "trades": _prints,
    "incremental_book_L2": _changes,
    "book_snapshot_25": _snapshots(25),
    "book_snapshot_5": _snapshots(5),
    "quotes": _top,
    "book_ticker": _top,
    "derivative_ticker": _tickers,
    "liquidations": _liquidations,
    "options_chain": _options,
}


def files() -> Iterator[tuple[str, str, str]]:
    """Yield (venue, type, symbol or group) of every file that a venue publishes."""
    for name, venue in VENUES.items():
        for type in venue.types:
            option = type == "options_chain"
            for symbol in (*venue.symbols, *venue.groups):
                if not option or symbol == "OPTIONS" or symbol.endswith(("-P", "-C")):
                    yield name, type, symbol
