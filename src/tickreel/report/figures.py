"""The figures a report shows: name, label, format and meaning, declared once for every output."""

import math
from dataclasses import dataclass

NONE = "–"


@dataclass(frozen=True, slots=True)
class Figure:
    """`name` is the field of Performance (or "trades"); `extra` ones wait behind "More columns"."""

    name: str
    label: str
    format: str
    doc: str
    extra: bool = False


FIGURES: tuple[Figure, ...] = (
    Figure("total_return", "Return", "gain", "final equity / initial capital - 1, fees paid"),
    Figure("buy_and_hold", "Buy & hold", "gain", "last price / first price - 1, without fees"),
    Figure("annual_return", "Annual return", "gain", "compound return a year of 365 days", extra=True),
    Figure("sharpe", "Sharpe", "ratio", "mean excess return / standard deviation, a year"),
    Figure(
        "sortino",
        "Sortino",
        "ratio",
        "mean excess return / downside deviation, a year; the deviation is the root of the mean square "
        "of the returns below the risk-free rate, over all periods",
        extra=True,
    ),
    Figure("volatility", "Volatility", "share", "standard deviation of returns, a year", extra=True),
    Figure("max_drawdown", "Max drawdown", "share", "deepest fall from a maximum, looked at on every event"),
    Figure(
        "max_drawdown_sampled",
        "Max drawdown, sampled",
        "share",
        "deepest fall from a maximum, looked at on the equity samples only",
        extra=True,
    ),
    Figure(
        "calmar", "Calmar", "ratio", "annual return / max drawdown (sampled if there is no other)", extra=True
    ),
    Figure("round_trips", "Round trips", "count", "from flat to flat; one still open is not counted"),
    Figure("hit_rate", "Hit rate", "share", "round trips with a result above 0 after fees / all"),
    Figure("profit_factor", "Profit factor", "ratio", "sum of winning / sum of losing round trips"),
    Figure("average_trade", "Average trade", "money", "mean result of a round trip after fees", extra=True),
    Figure("turnover", "Turnover", "ratio", "notional traded / mean equity", extra=True),
    Figure("exposure", "Exposure", "share", "time with a position / all time", extra=True),
    Figure("fees", "Fees", "money", "fees paid, rebates subtracted"),
    Figure("fills", "Fills", "count", "fills of own orders"),
    Figure("orders", "Orders", "count", "own orders", extra=True),
    Figure("initial_equity", "Initial capital", "money", "equity before the first event", extra=True),
    Figure("final_equity", "Final equity", "money", "equity at the end, open position marked", extra=True),
    Figure("periods", "Periods", "count", "whole periods behind volatility, Sharpe, Sortino", extra=True),
    Figure("trades", "Trades", "count", "market trades replayed"),
)
FORMATS = {figure.name: figure.format for figure in FIGURES}


def number(value: float | None, style: str) -> str:
    """Return a figure as text; `style` is a Figure's format. None and NaN give a dash."""
    if value is None or not math.isfinite(value):
        return NONE
    if style == "count":
        return f"{value:,.0f}"
    if style in ("gain", "share"):
        percent = value * 100
        text = f"{percent:.3g}" if abs(percent) >= 1e6 else _signless_zero(f"{percent:,.2f}")
        return ("+" if style == "gain" and float(text.replace(",", "")) > 0 else "") + text + "%"
    if abs(value) >= 1e12:
        return f"{value:.4g}"
    if style == "ratio" or abs(value) >= 1 or value == 0:
        return _signless_zero(f"{value:,.2f}")
    return f"{value:.4g}"


def _signless_zero(text: str) -> str:
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


WHOLE = 17
"""Significant digits that give every float back: the page rounds a figure, and nobody before it."""


def rounded(value: float | None, digits: int = WHOLE) -> float | int | None:
    """Return the value with so many significant digits, a whole one as int; None for what is no number."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    if math.isinf(short):  # the largest floats round up to what JSON cannot say
        return value
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def counted(count: int, noun: str) -> str:
    """Return "1 hole", "2 holes"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
