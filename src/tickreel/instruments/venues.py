"""What exchange and symbol alone tell: linear or inverse, and what amounts count.

Sources: https://docs.tardis.dev/historical-data-details and the venues' contract pages: Binance COIN-M
(amount in contracts of 10 or 100 USD), OKX (sz in contracts), Deribit (inverse: amount in USD, options
priced in coin; linear: coin), Bybit (inverse: USD), BitMEX, Huobi, Gate.io, KuCoin, Kraken futures (contracts).
An exchange that is not here tells nothing. Symbols are told apart as Tardis names its datasets, in any case.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tickreel.instruments.model import Fact, dataset_symbol


class Amounts(StrEnum):
    """What one unit of `amount` is at a venue; the text completes "its amounts ..."."""

    COIN = "are in the base coin"
    QUOTE = "are in the quote currency"
    CONTRACTS = "count contracts"


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for symbols of this form, that of `dataset_symbol`; None: the form does not tell."""

    form: re.Pattern[str]
    amounts: Amounts | None
    contract: str | None = None
    kind: str | None = None


def _rule(form: str, amounts: Amounts | None, contract: str | None = None, kind: str | None = None) -> Rule:
    return Rule(re.compile(form), amounts, contract, kind)


_SPOT = (_rule(r".*", Amounts.COIN, "linear", "spot"),)
_CONTRACTS = (_rule(r".*", Amounts.CONTRACTS),)
_OKX = (
    _rule(r"[A-Z0-9]+-USD-.*", Amounts.CONTRACTS, "inverse"),
    _rule(r"[A-Z0-9]+-USD[TC]-.*", Amounts.CONTRACTS, "linear"),
    *_CONTRACTS,
)
_DATE = r"\d{1,2}[A-Z]{3}\d\d"

RULES: dict[str, tuple[Rule, ...]] = {
    "binance": _SPOT,
    "binance-us": _SPOT,
    "bitfinex": _SPOT,
    "bitstamp": _SPOT,
    "bybit-spot": _SPOT,
    "coinbase": _SPOT,
    "gate-io": _SPOT,
    "gemini": _SPOT,
    "huobi": _SPOT,
    "kraken": _SPOT,
    "kucoin": _SPOT,
    "okcoin": _SPOT,
    "okex": _SPOT,
    "poloniex": _SPOT,
    "upbit": _SPOT,
    "binance-futures": (
        _rule(r".*_\d{6}", Amounts.COIN, "linear", "future"),
        _rule(r".*", Amounts.COIN, "linear", "perpetual"),
    ),
    "binance-delivery": (_rule(r".*", Amounts.CONTRACTS, "inverse"),),
    # BTCUSD, BTCUSDH24 are inverse; linear ones end in PERP, or carry USDT or a dash. Others tell nothing.
    "bybit": (
        _rule(r"[A-Z0-9]+USD([FGHJKMNQUVXZ]\d\d)?", None, "inverse"),
        _rule(r".*(USDT|-).*|.*PERP", Amounts.COIN, "linear"),
    ),
    "bybit-options": (_rule(r".*", Amounts.COIN, "linear", "option"),),
    "okex-swap": _OKX,
    "okex-futures": _OKX,
    "okex-options": _OKX,
    # Linear ones name their settlement: BTC_USDC-PERPETUAL. Combos have forms of their own.
    "deribit": (
        _rule(r"[A-Z0-9]+-PERPETUAL", Amounts.QUOTE, "inverse", "perpetual"),
        _rule(rf"[A-Z0-9]+-{_DATE}", Amounts.QUOTE, "inverse", "future"),
        _rule(rf"[A-Z0-9]+-{_DATE}-[0-9D]+-[CP]", Amounts.COIN, "inverse", "option"),
        _rule(r"[A-Z0-9]+-.*", None, "inverse", "combo"),
        _rule(r"[A-Z0-9]+_[A-Z]+", Amounts.COIN, "linear", "spot"),
        _rule(r"[A-Z0-9]+_[A-Z]+-PERPETUAL", Amounts.COIN, "linear", "perpetual"),
        _rule(rf"[A-Z0-9]+_[A-Z]+-{_DATE}", Amounts.COIN, "linear", "future"),
        _rule(rf"[A-Z0-9]+_[A-Z]+-{_DATE}-[0-9D]+-[CP]", Amounts.COIN, "linear", "option"),
        _rule(r".*", None, None, "combo"),
    ),
    "bitmex": _CONTRACTS,
    "cryptofacilities": _CONTRACTS,
    "gate-io-futures": _CONTRACTS,
    "huobi-dm": _CONTRACTS,
    "huobi-dm-linear-swap": _CONTRACTS,
    "huobi-dm-swap": _CONTRACTS,
    "kucoin-futures": _CONTRACTS,
    "phemex": _CONTRACTS,
}


def amounts(exchange: str, symbol: str) -> Amounts | None:
    """Return what amounts of a symbol count, or None if exchange and symbol do not tell."""
    rule = _find(exchange, symbol)
    return rule.amounts if rule else None


def venue_facts(exchange: str, symbol: str) -> tuple[Fact, ...]:
    """Return the facts that exchange and symbol alone tell."""
    rule = _find(exchange, symbol)
    if rule is None:
        return ()
    source = f"rule of {exchange}"
    found = [(name, value) for name, value in (("kind", rule.kind), ("contract", rule.contract)) if value]
    facts = [Fact(name, value, source) for name, value in found]
    if rule.amounts in (Amounts.COIN, Amounts.QUOTE):
        facts.append(Fact("multiplier", Decimal(1), f"{source}: amounts {rule.amounts}"))
    return tuple(facts)


def _find(exchange: str, symbol: str) -> Rule | None:
    name = dataset_symbol(symbol)
    return next((rule for rule in RULES.get(exchange, ()) if rule.form.fullmatch(name)), None)
