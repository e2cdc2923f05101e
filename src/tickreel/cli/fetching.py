"""`run --fetch` and `demo --real`: what the store lacks is downloaded first."""

from typing import Any

from tickreel.cli.downloading import DownloadProgress, named, report_download
from tickreel.cli.output import note, progress_bars
from tickreel.errors import MissingError, NetworkError, UsageError
from tickreel.units import NS_PER_DAY, counted

REAL_DAY, REAL_EXCHANGE = "2024-01-01", "binance-futures"
REAL_SYMBOLS = ("BTCUSDT", "ETHUSDT", "LINKUSDT")
"""A day that is free, since it is the first of a month, and symbols of many trades and of fewer."""


def fetch_for_run(strategy: str, store: str, settings: Any, *, show: bool) -> None:
    """Download the days that a run needs and the store lacks: trades, and book changes if the strategy has on_book.

    Raises UsageError where the run does not name exchange, symbols and days; NetworkError if a day was refused or
    failed: the run would be over other days than it says; MissingError for a symbol that there is nothing of. Other days
    that the provider does not have are noted.
    """
    from tickreel.simulate.strategy import callbacks_of
    from tickreel.store.catalog import Store
    from tickreel.strategies.load import find, load

    place = Store(store)
    types = (
        ("trades", "incremental_book_L2") if "on_book" in callbacks_of(load(find(strategy))) else ("trades",)
    )
    for exchange, symbols in _by_exchange(settings).items():
        provider = settings.feed or place.primary() or "tardis"
        nothing = fetch(place, provider, exchange, symbols, types=types, from_ns=_midnight(settings, "from_ns"),
                        to_ns=_midnight(settings, "to_ns"), workers=settings.workers, show=show)  # fmt: skip
        for symbol, why in nothing.items():
            raise MissingError(
                f"there are no trades of {exchange} {symbol} in that time, so the run does not begin: {why}; leave"
                f" {symbol} out of --symbols, or name other days"
            )


def fetch(
    store: Any,
    provider: str,
    exchange: str,
    symbols: tuple[str, ...],
    *,
    types: tuple[str, ...],
    from_ns: int,
    to_ns: int,
    workers: int | None,
    show: bool,
) -> dict[str, str]:
    """Download some days with a bar. Return the symbols of which there are no trades, with the reason.

    Raises NetworkError if a day was refused or failed.
    """
    from tickreel.ingest.download.days import download
    from tickreel.ingest.download.job import DownloadSettings
    from tickreel.ingest.download.plan import Wanted

    wanted = Wanted(exchange, types, symbols, from_ns, to_ns)
    with progress_bars(show) as bars:
        summary = download(
            store, wanted, DownloadSettings(provider, workers=workers), show=DownloadProgress(bars)
        )
    counts = summary.counts
    bad = [day for day in summary.days if day.state in ("refused", "failed")]
    if show and (counts["there"] < len(summary.days) or any(day.lacks for day in summary.days)):
        report_download(summary, quiet=False)
    if bad:
        raise NetworkError(
            f"{counted(len(bad), 'day')} of {len(summary.days):,} could not be downloaded, so the run does not begin;"
            f" the first is {bad[0].file}: {bad[0].error}"
        )
    missing = [day for day in summary.days if day.state == "missing"]
    why = {day.file.symbol: day.error for day in missing if day.file.type == "trades"}
    nothing = {
        symbol: text for symbol, text in why.items() if not _has_trades(store, provider, wanted, symbol)
    }
    without = [day for day in missing if day.file.symbol not in nothing]
    if show and without and len(nothing) < len(symbols):
        note(f"the run goes without what {provider} does not have: {named(without)}")
    return nothing


def _has_trades(store: Any, feed: str, wanted: Any, symbol: str) -> bool:
    """Return whether a store has a day of trades of a symbol, or of a group's name, in a time."""
    from tickreel.instruments import dataset_symbol

    found = store.find(
        feed=feed, type="trades", exchange=wanted.exchange, symbol={dataset_symbol(symbol), symbol.upper()},
        from_ns=wanted.from_ns, to_ns=wanted.to_ns,
    )  # fmt: skip
    return next(found, None) is not None


def _by_exchange(settings: Any) -> dict[str, tuple[str, ...]]:
    """Return the symbols of a run by exchange."""
    found: dict[str, tuple[str, ...]] = {}
    for text in settings.symbols:
        exchange, colon, symbol = text.partition(":")
        if settings.exchange or not colon:
            exchange, symbol = settings.exchange or "", text.removeprefix(f"{settings.exchange}:")
        if not exchange:
            raise UsageError(
                f"--fetch: of which exchange is {text}? add --exchange, or write EXCHANGE:{text}"
            )
        found[exchange] = (*found.get(exchange, ()), symbol)
    if not found:
        raise UsageError("--fetch: name what to download with --symbols and --exchange")
    return found


def _midnight(settings: Any, name: str) -> int:
    """Return the beginning of the first day of a run, or the end of its last."""
    ns = getattr(settings, name)
    if ns is None:
        raise UsageError("--fetch: name the days with --from and --to")
    return int(-(-ns // NS_PER_DAY) if name == "to_ns" else ns // NS_PER_DAY) * NS_PER_DAY
