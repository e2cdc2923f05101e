"""Judges the cells of a line as most of them are, kind by kind; the first that is not so is left to `csv_kernel`."""

import numpy as np

from tickreel.jit import always_inlined
from tickreel.sources.csv_records import (
    F_DECIMAL,
    F_ENUM,
    F_TEXT,
    F_TIME,
    LEAST_US,
    MAX_TEXT,
    MOST_US,
    POSITIVE,
)
from tickreel.sources.csv_words_kernel import (
    LEFT,
    byte_at,
    word_choice,
    word_integer,
    word_number,
    word_text,
    word_time,
)

_COMMA = 44


@always_inlined
def usual_cells(data, cell, field, row, line, layout, rows, lines):
    """Judge cells from data[cell] on, the first of them `field`'s, up to one that is unlike most, or the line's end.

    row, line  uint64, places in `rows` and `lines`: so no index is thought of as one from the end
    Returns (field, place) of that cell; after a line's end, how many fields it has, and the place after LF.
    Loops by kind follow each other: what a loop needs stays in registers, and no cell asks for more than its own kind.
    """
    kinds = layout.kind
    while True:
        began = field
        while kinds[np.uint64(field)] == F_TIME:
            end, value = word_time(data, cell)
            if end == LEFT or value < LEAST_US or value >= MOST_US:
                return field, cell
            rows.time[np.uint64(layout.slot[np.uint64(field)]), row] = value * 1000
            field, cell = field + 1, end + 1
            if byte_at(data, end) != _COMMA:
                return field, cell
        while kinds[np.uint64(field)] == F_TEXT:
            slot = np.uint64(layout.slot[np.uint64(field)])
            end, rows.number[slot, row] = word_integer(data, cell)
            if end == LEFT:
                end = word_text(data, cell, MAX_TEXT)
                # Of 17 or 18 letters it may be a number, which is not told here.
                if end == LEFT or 16 < end - cell < 19:
                    return field, cell
                rows.worded[slot] = True
            lines.text_start[slot, line] = cell
            lines.text_stop[slot, line] = end
            field, cell = field + 1, end + 1
            if byte_at(data, end) != _COMMA:
                return field, cell
        while kinds[np.uint64(field)] == F_ENUM:
            slot = np.uint64(layout.slot[np.uint64(field)])
            spelled, masks = layout.choice_word[slot], layout.choice_mask[slot]
            end, choice = word_choice(data, cell, spelled, masks, layout.choice_length[slot])
            if end == LEFT:
                return field, cell
            rows.enum[slot, row] = choice
            field, cell = field + 1, end + 1
        while kinds[np.uint64(field)] == F_DECIMAL:
            end, mantissa, scale = word_number(data, cell)
            if end == LEFT or (mantissa == 0 and layout.allow[np.uint64(field)] == POSITIVE):
                return field, cell
            slot = np.uint64(layout.slot[np.uint64(field)])
            rows.mantissa[slot, row] = mantissa
            rows.scale[slot, row] = scale
            field, cell = field + 1, end + 1
            if byte_at(data, end) != _COMMA:
                return field, cell
        if field == began:
            return field, cell
