"""What a section is given and what it gives back: plain data."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class BenchError(Exception):
    """A section cannot give a figure: a child failed, or two readers disagree about the same trades."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How much to measure.

    trades  of the synthetic market, about; also how many of the real ones are taken
    real    folder of real Tardis files, or None
    work    where the data is made and kept
    rounds  how often each figure is taken; medians are shown
    """

    trades: int
    real: Path | None
    work: Path
    rounds: int = 5

    def plain(self) -> dict[str, Any]:
        """Return the settings as plain data, for a child."""
        return {
            "trades": self.trades,
            "real": str(self.real) if self.real else None,
            "work": str(self.work),
            "rounds": self.rounds,
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Settings":
        real = plain["real"]
        return cls(plain["trades"], Path(real) if real else None, Path(plain["work"]), plain["rounds"])


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must reach: our own (`of` "ours") or ours / peer (`of` "ratio")."""

    of: str
    value: float
    at_least: bool

    def met(self, found: float) -> bool:
        return found >= self.value if self.at_least else found <= self.value

    def text(self, unit: str) -> str:
        sign = ">=" if self.at_least else "<="
        return f"{sign} {self.value:g} {unit}" if self.of == "ours" else f"ratio {sign} {self.value:g}"


def at_least(value: float, of: str = "ours") -> Bar:
    return Bar(of, value, at_least=True)


def at_most(value: float, of: str = "ours") -> Bar:
    return Bar(of, value, at_least=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. ours, peer: in `unit`; against: who the peer is; note: what to know."""

    what: str
    ours: float | None = None
    unit: str = ""
    peer: float | None = None
    against: str = ""
    bar: Bar | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours to the peer's: better above 1 for a speed, below 1 for a size or a time."""
        return self.ours / self.peer if self.ours is not None and self.peer else None

    @property
    def met(self) -> bool | None:
        """Whether the bar is reached; None without a bar or a figure."""
        found = self.ours if self.bar is None or self.bar.of == "ours" else self.ratio
        return None if self.bar is None or found is None else self.bar.met(found)

    def document(self) -> dict[str, Any]:
        """Return the row as plain data, for `--json`."""
        bar = self.bar.text(self.unit) if self.bar else None
        return {**asdict(self), "ratio": self.ratio, "bar": bar, "met": self.met}
