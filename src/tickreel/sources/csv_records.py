"""What the parsing kernel is given and what it fills."""

from typing import NamedTuple

import numpy as np


class Layout(NamedTuple):
    """What each field of the file is: int8[fields] each, choices uint8[enums, most, longest].

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
    """What the kernel writes for every line; first axis of 2-D arrays: the field's slot in its kind.

    number  int64, what a text is as a canonical whole number
    worded  bool[texts], set where a text of a line is none
    """

    reason: np.ndarray
    bad_field: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    name: np.ndarray
    hard: np.ndarray
    time: np.ndarray
    mantissa: np.ndarray
    scale: np.ndarray
    enum: np.ndarray
    text_start: np.ndarray
    text_stop: np.ndarray
    number: np.ndarray
    worded: np.ndarray
