"""The accounts of many sets added up, symbol after symbol, each as `portfolio_performance` adds them."""

from dataclasses import fields

import numpy as np
import numpy.typing as npt

from tickreel.measure import Conventions, Performance, Trading, performance, within

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
_TRADING = [(one.name, "f8" if isinstance(one.default, float) else "i8") for one in fields(Trading)]
_ROW = np.dtype([
    ("accounts", "i8"), ("drawdown", "f8"), ("held", "f8"), ("is_held", "?"), ("begin_ns", "i8"), ("end_ns", "i8"),
    *_TRADING,
])  # fmt: skip


class Sums:
    """What some sets did over the symbols so far: of each a curve and a row of numbers, however many symbols."""

    def __init__(self, sets: int, times_ns: I64) -> None:
        self._times_ns = times_ns
        self._curves = np.zeros((sets, len(times_ns)))
        self._rows = np.zeros(sets, _ROW)
        self._rows["begin_ns"], self._rows["end_ns"] = np.iinfo(np.int64).max, np.iinfo(np.int64).min

    def add(self, found: np.ndarray, range_ns: tuple[int, int] | None) -> F64:
        """Add one symbol's accounts; return their returns, NaN where a set failed or began with nothing.

        found     sweep_task.record_of[sets]; a set that has not ended is left out
        range_ns  what the symbol's figures speak of
        """
        ended, rows, curve = found["ended"], self._rows, found["curve"]
        np.add(self._curves, curve, out=self._curves, where=ended[:, None])
        rows["drawdown"] = np.where(ended & (rows["accounts"] == 0), found["max_drawdown"], rows["drawdown"])
        rows["accounts"] += ended
        for name, column in _trading(found).items():
            np.add(rows[name], column, out=rows[name], where=ended)
        if range_ns:
            np.minimum(rows["begin_ns"], range_ns[0], out=rows["begin_ns"], where=ended)
            np.maximum(rows["end_ns"], range_ns[1], out=rows["end_ns"], where=ended)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            first, last = found["first_price"], found["last_price"]
            priced = ended & (first > 0) & np.isfinite(last)
            np.add(rows["held"], curve[:, 0] * (last / first - 1.0), out=rows["held"], where=priced)
            rows["is_held"] |= priced
            gains = curve[:, -1] / curve[:, 0] - 1.0
        return np.where(ended & (curve[:, 0] > 0), gains, np.nan)

    def measure(self, place: int, conventions: Conventions) -> Performance | None:
        """Return the figures of a set; None if no symbol ended with it."""
        row, equity = self._rows[place], self._curves[place]
        if not row["accounts"]:
            return None
        capital = float(equity[0])
        whole = int(row["begin_ns"]), int(row["end_ns"])
        return performance(
            *within(self._times_ns, equity, whole if whole[0] < whole[1] else None),
            float(row["drawdown"]) if row["accounts"] == 1 else None,
            trading=Trading(**{name: row[name].item() for name, _ in _TRADING}),
            buy_and_hold=float(row["held"]) / capital if row["is_held"] and capital > 0 else None,
            conventions=conventions,
        )


def _trading(found: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of Trading, as `result.account_of` makes them of a Summary."""
    return {
        **{name: found[name] for name, _ in _TRADING if name in (found.dtype.names or ())},
        "gross_profit": found["gross_profit_nanos"] / 1e9,
        "gross_loss": found["gross_loss_nanos"] / 1e9,
        "total_ns": np.maximum(found["last_ns"] - found["first_ns"], 0),
    }
