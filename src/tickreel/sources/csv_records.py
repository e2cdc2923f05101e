"""What the parsing kernel is given and what it fills."""

from typing import NamedTuple

import numpy as np

# What a field is (its place in csv_layout.FIELD_KINDS), and what follows the last one.
F_KEY, F_TIME, F_DECIMAL, F_ENUM, F_TEXT, F_END = 0, 1, 2, 3, 4, 5

# How a DECIMAL is restricted (the place in csv_layout.ALLOWED).
ANY, NOT_NEGATIVE, POSITIVE = 0, 1, 2

LEAST_US, MOST_US = 946_684_800_000_000, 4_102_444_800_000_000
"""Times are of the years 2000 to 2100."""
MAX_TEXT = 128
LINES = 1 << 13
"""More than most pieces of unpacked text have, and few enough to stay in the cache."""


class Layout(NamedTuple):
    """What each field of the file is: int8[fields] each, choices uint8[enums, most, longest].

    kind  int8[fields + 1], F_END at the end
    choice_word, choice_mask  uint64[enums, most]: each choice with a comma after it as one word, if it fits
    """

    kind: np.ndarray
    slot: np.ndarray
    nullable: np.ndarray
    allow: np.ndarray
    choices: np.ndarray
    choice_length: np.ndarray
    choice_word: np.ndarray
    choice_mask: np.ndarray


class NameTable(NamedTuple):
    """The distinct "exchange,symbol" texts met so far, as an open-addressing hash table."""

    letters: np.ndarray
    start: np.ndarray
    table: np.ndarray
    names: np.ndarray


class RowArrays(NamedTuple):
    """What the kernel writes for every line of a batch; first axis of 2-D arrays: the field's slot in its kind.

    number  int64, what a text is as a canonical whole number
    worded  bool[texts], set where a text of a line is none
    """

    reason: np.ndarray
    name: np.ndarray
    time: np.ndarray
    mantissa: np.ndarray
    scale: np.ndarray
    enum: np.ndarray
    number: np.ndarray
    worded: np.ndarray


class LineArrays(NamedTuple):
    """What it writes for every line of one call, wanted as long as their text is there; LINES have room.

    start, stop, text_start, text_stop  int64, places in the text; of texts first the field's slot
    bad_field  int8, what the reason is against; -1: the line
    hard       bool, whether a number is left to exact code
    """

    start: np.ndarray
    stop: np.ndarray
    bad_field: np.ndarray
    hard: np.ndarray
    text_start: np.ndarray
    text_stop: np.ndarray
