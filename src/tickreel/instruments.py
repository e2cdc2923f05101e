"""What is known of an instrument from its exchange and symbol alone: whether price x amount is money.

Prices and amounts come as the venue counts them. For inverse contracts and for those counted in
contracts price x amount is not an amount of the quote currency, so an account kept that way would be
wrong without any sign of it. Until multipliers are read from instrument data, such symbols are refused.

Sources: https://docs.tardis.dev/historical-data-details and the venues' contract pages: Binance COIN-M
(amount in contracts of 10 or 100 USD), OKX (sz in contracts), Deribit (inverse: amount in USD, options
priced in coin), Bybit (inverse: USD), BitMEX, Huobi, Gate.io, KuCoin, Kraken futures (contracts).
"""

import re

_CONTRACTS = "its amounts count contracts"
_INVERSE = "it is inverse: settled in coin, with amounts in USD"

_EVERY_SYMBOL = {
    "binance-delivery": "it is inverse: settled in coin, with amounts in contracts",
    "okex-swap": _CONTRACTS,
    "okex-futures": _CONTRACTS,
    "okex-options": _CONTRACTS,
    "bitmex": _CONTRACTS,
    "huobi-dm": _CONTRACTS,
    "huobi-dm-swap": _CONTRACTS,
    "huobi-dm-linear-swap": _CONTRACTS,
    "gate-io-futures": _CONTRACTS,
    "kucoin-futures": _CONTRACTS,
    "cryptofacilities": _CONTRACTS,
    "phemex": _CONTRACTS,
}
_SOME_SYMBOLS = {
    # Linear ones name their settlement: BTC_USDC-PERPETUAL.
    "deribit": (re.compile(r"[A-Z0-9]+-.*"), _INVERSE),
    # BTCUSD, BTCUSDH24; linear ones end in USDT, PERP, or carry USDT or a dash.
    "bybit": (re.compile(r"[A-Z0-9]+USD([FGHJKMNQUVXZ]\d\d)?"), _INVERSE),
}


def not_money(exchange: str, symbol: str) -> str | None:
    """Return why price x amount is no amount of money for this symbol, or None if nothing is known against it."""
    if exchange in _EVERY_SYMBOL:
        return _EVERY_SYMBOL[exchange]
    pattern, reason = _SOME_SYMBOLS.get(exchange, (None, ""))
    return reason if pattern and pattern.fullmatch(symbol) else None
