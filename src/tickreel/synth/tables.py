"""Lookup tables of whole numbers from which the kernels draw, so that no kernel needs a float."""

import math
from collections.abc import Iterable
from functools import cache
from statistics import NormalDist

import numpy as np

from tickreel.synth.records_kernel import I64, U8, Tables

NORMAL_ONE = 1 << 16
LEVEL_ONE = 1 << 8
AMOUNT_ONE = 1 << 8
GAP_ONE = 1 << 10
LEVELS = 64

_MORNING = (0.93, 0.84, 0.78, 0.72, 0.68, 0.70, 0.78, 0.90, 1.02, 1.02, 0.98, 0.98)
_AFTERNOON = (1.12, 1.42, 1.62, 1.58, 1.42, 1.25, 1.12, 1.02, 0.98, 0.88, 0.82, 0.94)


@cache
def tables() -> Tables:
    """Return the one set of tables; rounding to whole numbers keeps them alike on every machine."""
    middle = [(index + 0.5) / 1024 for index in range(1024)]
    normal = NormalDist()
    bell = [normal.inv_cdf(share) for share in middle]
    return Tables(
        normal=_whole(NORMAL_ONE * normal.inv_cdf((index + 0.5) / 4096) for index in range(4096)),
        gap=_whole(-GAP_ONE * math.log(1 - share) for share in middle),
        level=_levels(),
        length=_whole(1 if share < 0.70 else min(90, 2 * ((1 - share) / 0.30) ** -0.6) for share in middle),
        amount=_whole(AMOUNT_ONE * math.exp(2.0 * z) for z in bell),
        lag_us=_whole(2_000 + 3_000 * math.exp(1.1 * z) for z in bell),
        jump_ppb=_whole(1e6 + min(5e6, -1.5e6 * math.log(1 - share)) for share in middle),
        hours=_hours(),
    )


@cache
def four_digits() -> U8:
    """Return the text "0000" to "9999" in one piece."""
    return np.frombuffer(b"".join(b"%04d" % value for value in range(10_000)), np.uint8)


def _levels() -> I64:
    """States follow the binomial distribution that the kernel's urn keeps; a state is worth 12 %."""
    raw = [math.exp(0.12 * max(-16, min(16, state - LEVELS // 2))) for state in range(LEVELS + 1)]
    share = [math.comb(LEVELS, state) / 2**LEVELS for state in range(LEVELS + 1)]
    root = math.sqrt(sum(weight * value**2 for weight, value in zip(share, raw, strict=True)))
    return _whole(LEVEL_ONE * value / root for value in raw)


def _hours() -> I64:
    activity = _MORNING + _AFTERNOON
    return _whole(65_536 * sum(activity[:hour]) / sum(activity) for hour in range(25))


def _whole(values: Iterable[float]) -> I64:
    array = np.array([round(value) for value in values], np.int64)
    array.flags.writeable = False
    return array
