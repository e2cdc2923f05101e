"""The assumptions behind a Sharpe ratio or a volatility, in one frozen value that can say itself."""

import math
from dataclasses import dataclass
from typing import ClassVar

from tickreel.errors import UsageError
from tickreel.units import NS_PER_DAY, format_duration

DAYS_PER_YEAR = 365
LEAST_DAYS_FOR_A_YEAR = 30
"""A shorter run has no annual return: 365 / 30 would raise its return to the twelfth power."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """How equity is sampled and annualised.

    interval_ns       distance of two equity samples, ns; boundaries are in UTC
    periods_per_year  None: as many intervals as fill 365 days (365 for days)
    risk_free         a year, as a fraction; each period gets risk_free / periods
    ddof              1: the sample standard deviation, 0: the population's
    min_samples       fewer whole periods than this give no volatility, Sharpe or Sortino
    Raises UsageError naming the setting.
    """

    interval_ns: int = NS_PER_DAY
    periods_per_year: float | None = None
    risk_free: float = 0.0
    ddof: int = 1
    min_samples: int = 30

    time_zone: ClassVar[str] = "UTC"

    def __post_init__(self) -> None:
        if self.interval_ns < 1:
            raise UsageError(f"interval: {self.interval_ns} ns; give a duration above 0, such as 1d")
        periods = self.periods_per_year
        if periods is not None and not (math.isfinite(periods) and periods > 0):
            raise UsageError(f"periods: {periods} a year; give a number above 0, such as 365 or 252")
        if not (math.isfinite(self.risk_free) and self.risk_free > -1):
            raise UsageError(f"risk-free: {self.risk_free} a year; give a fraction, such as 0.02 for 2 %")
        if self.ddof not in (0, 1):
            raise UsageError(f"ddof: {self.ddof}; give 1 (sample) or 0 (population)")
        if self.min_samples < 2:
            raise UsageError(f"min_samples: {self.min_samples}; a deviation needs 2 or more")

    @property
    def periods(self) -> float:
        """Periods a year, as used."""
        if self.periods_per_year is not None:
            return float(self.periods_per_year)
        return DAYS_PER_YEAR * NS_PER_DAY / self.interval_ns

    @property
    def risk_free_per_period(self) -> float:
        return self.risk_free / self.periods

    @property
    def interval(self) -> str:
        """The interval as text: "1d"."""
        return format_duration(self.interval_ns)

    def brief(self) -> str:
        """Return what a Sharpe ratio needs to be read, as a short line."""
        return (
            f"simple returns of {self.interval} ({self.time_zone}), {self.periods:.6g} periods a year, "
            f"ddof {self.ddof}, risk-free {self.risk_free * 100:.6g} % a year"
        )

    def text(self) -> str:
        """Return all of it as one line."""
        return (
            f"equity every {self.interval} at {self.time_zone} boundaries, simple returns, "
            f"{self.periods:.6g} periods a year, risk-free {self.risk_free * 100:.6g} % a year "
            f"divided by the periods, ddof {self.ddof}, whole periods only, "
            f"at least {self.min_samples} of them; annual return over {DAYS_PER_YEAR} days of the exact time, "
            f"from {LEAST_DAYS_FOR_A_YEAR} days on"
        )
