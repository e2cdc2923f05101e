"""Puts the harmless mistakes of real files into a day of made-up trades, for tests of importers.

About one row in 1,000 bears one of these, each in a stretch of 32 rows of its own:

    duplicate           a row twice
    id backwards        two neighbours' ids changed places
    exchange backwards  a row whose exchange time is 5 ms before the row above
    unknown side        a row without a known taker
    local backwards     two neighbouring rows, of different local time, changed places
"""

from hashlib import shake_256

import numpy as np

from tickreel.synth.records_kernel import I64, Rows

KINDS = ("duplicate", "id backwards", "exchange backwards", "unknown side", "local backwards")
_APART = 32
_ROWS_PER_ODDITY = 1_000


def add_oddities(rows: Rows, key: str) -> tuple[Rows, dict[str, int]]:
    """Return the rows with mistakes in them, and how many there are of each of KINDS.

    key  text that seeds their places; a day of fewer than 160 rows has not all kinds
    """
    total = len(rows.id)
    found = dict.fromkeys(KINDS, 0)
    twice: list[int] = []
    for turn, place in enumerate(_places(total, key).tolist()):
        kind = KINDS[turn % len(KINDS)]
        if _place_oddity(rows, kind, place):
            found[kind] += 1
            if kind == "duplicate":
                twice.append(place)
    order = np.sort(np.concatenate((np.arange(total), np.array(twice, np.int64))), kind="stable")
    return Rows._make(column[order] for column in rows), found


def _places(total: int, key: str) -> I64:
    """Return rows, never the first, at most one in each stretch of 32 and in its first half."""
    stretches = total // _APART
    wanted = min(stretches, max(len(KINDS), total // _ROWS_PER_ODDITY))
    words = np.frombuffer(shake_256(f"{key}/oddities".encode()).digest(8 * stretches), "<u4")
    chosen = np.argsort(words[:stretches], kind="stable")[:wanted]
    return chosen.astype(np.int64) * _APART + 1 + words[stretches:][chosen] % (_APART // 2 - 1)


def _place_oddity(rows: Rows, kind: str, place: int) -> bool:
    """Make one mistake at a row; False if the rows there do not allow it."""
    if kind == "id backwards":
        rows.id[place : place + 2] = rows.id[place : place + 2][::-1].copy()
    elif kind == "exchange backwards":
        rows.exchange_us[place] = rows.exchange_us[place - 1] - 5_000
    elif kind == "unknown side":
        rows.side[place] = 0
    elif kind == "local backwards":
        later = np.flatnonzero(np.diff(rows.local_us[place : place + _APART // 2]))
        if len(later) == 0:
            return False
        at = place + int(later[0])
        for column in rows:
            column[at : at + 2] = column[at : at + 2][::-1].copy()
    return True
