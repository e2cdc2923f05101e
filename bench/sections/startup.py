"""How long does a user wait before anything happens: help, import, the first compile of a strategy?"""

import tempfile
import time
from pathlib import Path
from statistics import median

from bench.child import command
from bench.model import Row, Settings, at_most

TITLE = "start of a new Python process, wall time"

_IMPORT = "import sys, tickreel; print('numba' in sys.modules)"
_COMPILE = """\
import sys

import numpy as np
from tickreel.simulate.account import AccountRun, AccountSettings
from tickreel.simulate.compile import build
from tickreel.strategies.load import find, load

strategy = load(find(sys.argv[1]))
AccountRun(strategy, build(strategy), {}, AccountSettings(), np.zeros(1, np.int64)).warm_up()
"""
_STRATEGY = '''\
from tickreel import Param, Strategy


class Fresh(Strategy):
    """New to every cache: its constant was never seen before."""

    threshold = Param(0.001)
    last: float = 0.0

    def on_trade(self, trade, ctx):
        if self.last and ctx.idle:
            if ctx.flat and trade.price > self.last * (1 + self.threshold):
                ctx.buy({constant} * ctx.equity / trade.price)
            elif ctx.long and trade.price < self.last * (1 - self.threshold):
                ctx.close()
        self.last = trade.price
'''


def run(settings: Settings) -> list[Row]:
    compiled = command(["-c", _IMPORT]).strip() == "True"
    help_s, import_s, bare_s = (
        _median(words, settings.rounds)
        for words in (["-m", "tickreel", "--help"], ["-c", _IMPORT], ["-c", "pass"])
    )
    new_s, again_s = _compiles(settings)
    return [
        Row("tickreel --help", help_s, "s", bare_s, "bare Python", at_most(0.3)),
        Row("import tickreel", import_s, "s", bare_s, "bare Python", at_most(0.2)),
        Row("numba loaded by it", float(compiled), "", bar=at_most(0)),
        Row("compile of a new strategy, import included", new_s, "s", bar=at_most(8)),
        Row("the same strategy again, import included", again_s, "s", bar=at_most(4)),
    ]


def _compiles(settings: Settings) -> tuple[float, float]:
    """Return the seconds for strategies never seen before, and for the last of them again."""
    command(["-c", _COMPILE, "momentum"])  # the kernels that all strategies share
    new = []
    with tempfile.TemporaryDirectory(dir=settings.work) as folder:
        file = Path(folder, "fresh.py")
        for _ in range(min(settings.rounds, 3)):
            file.write_text(_STRATEGY.replace("{constant}", f"0.{time.time_ns()}"))
            new.append(_seconds(["-c", _COMPILE, f"{file}:Fresh"]))
        return median(new), _median(["-c", _COMPILE, f"{file}:Fresh"], settings.rounds)


def _median(words: list[str], rounds: int) -> float:
    return median(_seconds(words) for _ in range(rounds))


def _seconds(words: list[str]) -> float:
    began = time.perf_counter()
    command(words)
    return time.perf_counter() - began
