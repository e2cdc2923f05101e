"""A made-up finished run for looking at the report: seeded, with a failing symbol and missing days.

python tests/report_sample.py page.html [symbols] [days]
"""

import sys
import traceback
from pathlib import Path

import numpy as np

from tickreel.measure import Account, Conventions, Trading, drawdown_curve, performance, portfolio_performance
from tickreel.report.view import Coverage, RunView, SymbolView
from tickreel.units import NS_PER_DAY, day_of, parse_time

START = parse_time("2024-01-01")
CAPITAL = 10_000.0
_COINS = (
    *("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK"),
    *("DOT", "LTC", "BCH", "UNI", "ATOM", "NEAR", "1000PEPE"),
)
_EXCHANGES = ("binance-futures", "bybit", "okex-swap")


def sample_view(
    symbols: int = 15, days: int = 182, *, failing: int = 1, seed: int = 7, samples_per_day: int = 1
) -> RunView:
    """Return a view of so many symbols; the last `failing` of them failed."""
    rng = np.random.default_rng(seed)
    interval_ns = NS_PER_DAY // samples_per_day
    conventions = Conventions(interval_ns=interval_ns)
    accounts, rows = [], []
    for number in range(symbols):
        exchange = _EXCHANGES[number % 3 if symbols > 15 else int(number > 9)]
        symbol = _COINS[number % 15] + "USDT" + (f"-{number // 15}" if number >= 15 else "")
        coverage = _coverage(rng, days, gaps=number % 5 == 3)
        if number >= symbols - failing:
            rows.append(_failed(exchange, symbol, coverage))
            continue
        account, depth = _account(rng, days * samples_per_day, interval_ns)
        accounts.append(account)
        rows.append(_row(exchange, symbol, account, depth, coverage, conventions, rng))
    return _run(rows, accounts, days, conventions)


def _account(rng: np.random.Generator, samples: int, interval_ns: int) -> tuple[Account, np.ndarray]:
    wide = 0.02 * np.sqrt(interval_ns / NS_PER_DAY)
    drift = rng.normal(0.0005, 0.002) * interval_ns / NS_PER_DAY
    returns = rng.standard_t(4, samples) * wide * rng.uniform(0.3, 1.2) + drift
    equity = CAPITAL * np.concatenate(([1.0], np.cumprod(1 + np.clip(returns, -0.5, 0.9))))
    times = START + np.arange(samples + 1, dtype=np.int64) * interval_ns
    depth = np.minimum(drawdown_curve(equity) + np.abs(rng.normal(0, wide / 3, samples + 1)), 1.0)
    depth[0] = 0.0
    trips = int(rng.integers(40, 900))
    wins = int(trips * rng.uniform(0.3, 0.6))
    gain = float(equity[-1] - CAPITAL)
    loss = float(rng.uniform(2_000, 9_000))
    total_ns = samples * interval_ns
    trading = Trading(
        orders=2 * trips + int(rng.integers(0, 30)),
        fills=2 * trips,
        notional=2 * trips * CAPITAL * 0.95,
        fees_nanos=int(2 * trips * CAPITAL * 0.95 * 4e-4 * 1e9),
        trips=trips,
        wins=wins,
        gross_profit=max(loss + gain, 0.0),
        gross_loss=loss,
        in_position_ns=int(total_ns * rng.uniform(0.2, 0.9)),
        total_ns=total_ns,
    )
    return Account(times, equity, float(depth.max()), trading, float(rng.normal(0.15, 0.5))), depth


def _row(
    exchange: str,
    symbol: str,
    account: Account,
    depth: np.ndarray,
    coverage: Coverage,
    conventions: Conventions,
    rng: np.random.Generator,
) -> SymbolView:
    return {
        "exchange": exchange,
        "symbol": symbol,
        "trades": int(rng.integers(5_000_000, 300_000_000)),
        "metrics": performance(
            account.times_ns,
            account.equity,
            account.drawdown,
            trading=account.trading,
            buy_and_hold=account.buy_and_hold,
            conventions=conventions,
        ),
        "refused": {},
        "error": None,
        "times_ns": account.times_ns,
        "equity": account.equity,
        "drawdown": depth,
        "coverage": coverage,
    }


def _coverage(rng: np.random.Generator, days: int, gaps: bool) -> Coverage:
    missing = (
        np.unique(np.concatenate(([days // 3, days // 3 + 1], rng.integers(0, days, 3)))) if gaps else []
    )
    return {
        "days_asked": days,
        "days_with_data": days - len(missing),
        "first_ns": START + 37_000_000,
        "last_ns": START + days * NS_PER_DAY - 911_000_000,
        "missing_days": [day_of(START + int(day) * NS_PER_DAY) for day in missing],
        "missing_book_days": None,
    }


def _failed(exchange: str, symbol: str, coverage: Coverage) -> SymbolView:
    try:
        raise ZeroDivisionError("float division by zero at trade 1,204,551, 2024-03-09T11:20:31.204Z")
    except ZeroDivisionError:
        error = traceback.format_exc()
    none = np.empty(0)
    return {
        "exchange": exchange,
        "symbol": symbol,
        "trades": 1_204_551,
        "metrics": None,
        "refused": {},
        "error": error.replace(__file__, "strategy.py"),
        "times_ns": none.astype(np.int64),
        "equity": none,
        "drawdown": none,
        "coverage": coverage,
    }


def _run(rows: list[SymbolView], accounts: list[Account], days: int, conventions: Conventions) -> RunView:
    none = np.empty(0)
    times, equity, metrics = (
        portfolio_performance(accounts, conventions) if accounts else (none.astype(np.int64), none, None)
    )
    return {
        "strategy": "Momentum",
        "source": "synthetic data, seed 7",
        "from_ns": START,
        "to_ns": START + days * NS_PER_DAY,
        "trades": sum(row["trades"] for row in rows),
        "wall_seconds": 9.84,
        "workers": 2,
        "version": "0.1.0",
        "created": "2024-07-02T08:14:55Z",
        "command": "tickreel run momentum --from 2024-01-01 --to 2024-07-01 --set threshold=0.001 --fee 4bps",
        "portfolio": {
            "times_ns": times,
            "equity": equity,
            "drawdown": drawdown_curve(equity) if len(equity) else none,
            "metrics": metrics,
        },
        "symbols": rows,
        "settings": {
            "strategy": "momentum.py:Momentum",
            "threshold": "0.001",
            "fraction": "0.95",
            "capital": "10,000 for each symbol",
            "taker fee": "4 bps",
            "clock": "local",
            "order latency": "0",
        },
        "sharpe": conventions.brief(),
        "conventions": [
            conventions.text(),
            "A market order fills at the first trade strictly later than its arrival.",
            "Equity is marked at the last trade before each boundary.",
        ],
    }


if __name__ == "__main__":
    from tickreel.report.html import report_html

    target, *sizes = sys.argv[1:]
    Path(target).write_text(report_html(sample_view(*map(int, sizes))), "utf-8")
