"""Options that many commands share, each with its help text, written once; how their words are read."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tickreel.errors import UsageError
from tickreel.units import parse_bytes, parse_time


def whole(name: str, least: int | None = None, most: int | None = None) -> Callable[[Any], int]:
    """Return the parser of an option that takes a whole number. Its UsageError has value found and values allowed."""
    allowed = (
        "" if least is None else f" of {least:,} or more" if most is None else f" from {least:,} to {most:,}"
    )

    def integer(text: Any) -> int:
        try:
            value = int(str(text))
        except ValueError:
            raise UsageError(f"{name} {str(text)!r}: write a whole number{allowed}") from None
        if (least is not None and value < least) or (most is not None and value > most):
            raise UsageError(f"{name} {value}: write a whole number{allowed}")
        return value

    return integer


def real(name: str, example: str) -> Callable[[Any], float]:
    """Return the parser of an option that takes a number. Its UsageError has the value found and an example."""

    def number(text: Any) -> float:
        try:
            return float(str(text))
        except ValueError:
            raise UsageError(f"{name} {str(text)!r}: write a number, e.g. {example}") from None

    return number


def file(name: str, example: str) -> Callable[[Any], Path]:
    """Return the parser of an option that takes a path: an empty text is refused, it would be the current folder."""

    def path(text: Any) -> Path:
        if not str(text).strip():
            raise UsageError(f"{name} {str(text)!r}: write a path, e.g. {example}")
        return Path(text)

    return path


StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", help="Folder of the store [else TICKREEL_STORE, else ./tape].", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars, no notes.")]
FeedOption = Annotated[
    str | None, typer.Option("--feed", help="Feed to read [the primary one].", show_default=False)
]
ExchangeOption = Annotated[
    str | None, typer.Option("--exchange", help="Exchange, e.g. binance-futures [all].", show_default=False)
]
SymbolsOption = Annotated[
    str | None,
    typer.Option(
        "--symbols", help="[EXCHANGE:]SYMBOL,... e.g. BTCUSDT,bybit:ETHUSDT [all].", show_default=False
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", help="First time, UTC, e.g. 2024-01-01 or 2024-01-01T09:30.", show_default=False),
]
ToOption = Annotated[
    str | None, typer.Option("--to", help="First time not taken any more, UTC.", show_default=False)
]
TypeOption = Annotated[
    str, typer.Option("--type", help="Record type; several, as A,B, are merged into one order.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", parser=whole("--workers", 1), help="Processes [all cores].", show_default=False
    ),
]

MemoryLimitOption = Annotated[
    int | None,
    typer.Option(
        "--memory-limit",
        parser=lambda text: parse_bytes(text, "--memory-limit"),
        metavar="SIZE",
        help="Of all processes together, e.g. 2GiB [none].",
        show_default=False,
    ),
]

_EXCHANGE = re.compile(r"[a-z0-9][a-z0-9-]*")

StrategyArgument = Annotated[
    str | None, typer.Argument(help="A built-in name (momentum) or FILE.py:CLASS.", show_default=False)
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with the same settings; options win.", show_default=False),
]
CapitalOption = Annotated[
    float | None,
    typer.Option(
        "--capital",
        parser=real("--capital", "100000"),
        help="Of each symbol's account [100000].",
        show_default=False,
    ),
]
FeeOption = Annotated[
    float | None,
    typer.Option(
        "--fee", parser=real("--fee", "0.0004"), help="Fraction of notional [0.0004].", show_default=False
    ),
]
LatencyOption = Annotated[
    str | None, typer.Option("--latency", help="One way, e.g. 5ms [0].", show_default=False)
]
FeedLatencyOption = Annotated[
    str | None,
    typer.Option(
        "--feed-latency",
        help="From exchange time to the strategy, e.g. 50ms; for feeds without local times.",
        show_default=False,
    ),
]
ShortOption = Annotated[
    bool | None, typer.Option("--allow-short", help="Let positions go below 0.", show_default=False)
]
UncrossOption = Annotated[
    bool | None, typer.Option("--uncross", help="Drop the older levels of crossed books.", show_default=False)
]
SamplingOption = Annotated[
    str | None, typer.Option("--every", help="Equity sampling [1d].", show_default=False)
]
PeriodsOption = Annotated[
    float | None,
    typer.Option(
        "--periods",
        parser=real("--periods", "365"),
        help="Sampling periods a year [365 days' worth].",
        show_default=False,
    ),
]
RiskFreeOption = Annotated[
    float | None,
    typer.Option(
        "--risk-free", parser=real("--risk-free", "0.02"), help="A year, e.g. 0.02 [0].", show_default=False
    ),
]
InstrumentsOption = Annotated[
    str | None,
    typer.Option("--instruments", help="TOML of contracts; wins over the store's.", show_default=False),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Run folder [./runs/TIME-STRATEGY-HASH].", show_default=False)
]
NoJitOption = Annotated[
    bool, typer.Option("--no-jit", help="Run as plain Python, for a debugger (use --workers 1).")
]


def store_path(store: str | None) -> str:
    """Return the store's folder: the option, else TICKREEL_STORE, else ./tape. UsageError where a file is."""
    if store is not None and not store.strip():
        raise UsageError(
            f"--store {store!r}: write a folder, or leave the option out for TICKREEL_STORE or ./tape"
        )
    path = Path(store or os.environ.get("TICKREEL_STORE") or "tape").absolute()
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    if not place.is_dir():
        raise UsageError(f"--store {path}: {place} is a file; a store is a folder")
    return str(path)


def time_option(text: str | None, name: str) -> int | None:
    return None if text is None else parse_time(text, name)


def split_each(texts: list[str] | None, name: str) -> tuple[str, ...]:
    """Return the parts of an option that is given as A,B, several times, or both; each once."""
    return tuple(
        dict.fromkeys(part for text in texts or () for part in split_list(text, name, step=REQUIRED))
    )


def check_exchange(exchange: str | None) -> None:
    """Raise UsageError for what no exchange is called."""
    if exchange is not None and not _EXCHANGE.fullmatch(exchange):
        raise UsageError(f"--exchange {exchange!r}: an exchange's name has a-z 0-9 -, e.g. binance-futures")


def check_provider(provider: str) -> None:
    """Raise UsageError for an empty name, which would be looked up as any other."""
    if not provider.strip():
        raise UsageError(f"--provider {provider!r} names nobody; tickreel provider list shows who there is")


REQUIRED, TRADES = "; the option is required", ", or leave the option out for trades"
"""What else may be done about a list of nothing; most options can be left out for all."""


def split_list(
    text: str | None, name: str = "--symbols", *, step: str = ", or leave the option out for all"
) -> tuple[str, ...]:
    """Return the parts of "A,B" without blanks, () for an option that was not given.

    A list of nothing is refused: for most commands it would mean everything. step: what else than A,B may be done
    """
    if text is None:
        return ()
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts:
        raise UsageError(f"{name} {text!r} names nothing: write A,B{step}")
    return parts
