"""Kernels that turn CSV bytes into columns: one pass, every line judged, nothing rounded."""

import numpy as np

from tickreel.jit import always_inlined, inlined, kernel
from tickreel.sources.csv_records import (
    ANY,
    F_DECIMAL,
    F_ENUM,
    F_TEXT,
    F_TIME,
    LEAST_US,
    MAX_TEXT,
    MOST_US,
    POSITIVE,
    Layout,
    LineArrays,
    NameTable,
    RowArrays,
)
from tickreel.sources.csv_usual_kernel import usual_cells
from tickreel.sources.csv_words_kernel import byte_at, copy_word, same_words

# Why a line is set aside (the place in csv_batch.REASONS); 0 is a good line.
OK, FIELDS, NO_TIME, SECONDS, MILLIS, NANOS, FAR_TIME, NO_NUMBER, NEGATIVE, ZERO, HUGE = range(11)
LONG_TEXT, CONTROL, EMPTY_LINE, NO_NEWLINE, BAD_NAME, EMPTY_CELL, BAD_CHOICE, NO_UTF8 = range(11, 19)

HARD = -1
"""Scale of a number of more than 15 digits, or 22 after the point: left to exact code.

Up to 15 digits every text is the shortest of its float64; beyond, exact code makes it so.
"""
NULL = np.iinfo(np.int64).min
UNRECOGNISED = 255

_COMMA, _POINT, _MINUS, _PLUS, _ZERO, _CR, _LF = 44, 46, 45, 43, 48, 13, 10
_EXACT, _MAX_SCALE = 10**15, 22
MAX_KEY = 512


@inlined
def _time(data, start, stop):
    """Return (reason, ns) of microseconds since the epoch; anything else is told apart by its size."""
    if stop == start:
        return NO_TIME, 0
    value = 0
    for place in range(start, stop):
        digit = np.int64(data[place]) - _ZERO
        if digit < 0 or digit > 9:
            return NO_TIME, 0
        # What is too large for ns, too, stays so.
        value = min(value, MOST_US * 100) * 10 + digit
    if LEAST_US <= value < MOST_US:
        return OK, value * 1000
    if LEAST_US // 1000 <= value < MOST_US // 1000:
        return MILLIS, 0
    if LEAST_US // 1_000_000 <= value < MOST_US // 1_000_000:
        return SECONDS, 0
    if LEAST_US * 1000 <= value < MOST_US * 1000:
        return NANOS, 0
    return FAR_TIME, 0


@inlined
def _number(data, start, stop):
    """Return (reason, mantissa, scale) of decimal text; scale HARD leaves it to exact code."""
    place = start
    negative = data[place] == _MINUS
    if negative:
        place += 1
    mantissa, digits, fraction, point = 0, 0, 0, False
    seen = False
    while place < stop:
        letter = data[place]
        digit = np.int64(letter) - _ZERO
        if 0 <= digit <= 9:
            seen = True
            if digits < 18:
                mantissa = mantissa * 10 + digit
            digits += mantissa > 0
            fraction += point
        elif letter == _POINT and not point:
            point = True
        else:
            break
        place += 1
    if not seen:
        return NO_NUMBER, 0, 0
    if place < stop:
        reason, exponent = _exponent(data, place, stop)
        if reason != OK:
            return reason, 0, 0
        fraction -= exponent
    if digits > 18 or fraction > _MAX_SCALE + 18:
        return OK, 0, HARD
    while fraction > 0 and mantissa % 10 == 0:
        if mantissa == 0:
            fraction = 0
        else:
            mantissa //= 10
            fraction -= 1
    while fraction < 0 and mantissa < _EXACT:
        mantissa *= 10
        fraction = 0 if mantissa == 0 else fraction + 1
    if mantissa >= _EXACT or fraction > _MAX_SCALE or (negative and mantissa == 0):
        return OK, 0, HARD
    return OK, (-mantissa if negative else mantissa), fraction


@inlined
def _exponent(data, place, stop):
    """Return (reason, value) of "e-7" at `place`; beyond four digits the number is no number."""
    if data[place] != 101 and data[place] != 69:
        return NO_NUMBER, 0
    place += 1
    negative = place < stop and data[place] == _MINUS
    if place < stop and (negative or data[place] == _PLUS):
        place += 1
    if place == stop or stop - place > 4:
        return NO_NUMBER, 0
    value = 0
    while place < stop:
        digit = np.int64(data[place]) - _ZERO
        if digit < 0 or digit > 9:
            return NO_NUMBER, 0
        value = value * 10 + digit
        place += 1
    return OK, (-value if negative else value)


@inlined
def _allowed(mantissa, allow):
    if mantissa < 0 and allow != ANY:
        return NEGATIVE
    if mantissa == 0 and allow == POSITIVE:
        return ZERO
    return OK


@inlined
def _choice(data, start, stop, choices, lengths):
    """Return the index of the choice spelled in the cell, or UNRECOGNISED."""
    for index in range(choices.shape[0]):
        if lengths[index] == stop - start:
            same = True
            for place in range(stop - start):
                same = same and data[start + place] == choices[index, place]
            if same:
                return index
    return UNRECOGNISED


@inlined
def _is_utf8(data, start, stop):
    """Return whether bytes are UTF-8: shortest forms only, no surrogates, nothing above U+10FFFF."""
    place = start
    while place < stop:
        lead = np.int64(data[place])
        # Not a sum of comparisons: NumPy's booleans, which plain Python has here, add up to 1 at most.
        more = 0 if lead < 0xC2 else 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
        if (0x80 <= lead < 0xC2) or lead > 0xF4 or place + more >= stop:
            return False
        if more > 0:
            second = np.int64(data[place + 1])
            low = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80
            high = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF
            if second < low or second > high:
                return False
        for offset in range(2, more + 1):
            if data[place + offset] & 0xC0 != 0x80:
                return False
        place += more + 1
    return True


@inlined
def _text(data, start, stop):
    if stop - start > MAX_TEXT:
        return LONG_TEXT
    ascii = True
    for place in range(start, stop):
        if data[place] < 32 or data[place] == 127:
            return CONTROL
        ascii = ascii and data[place] < 128
    return OK if ascii or _is_utf8(data, start, stop) else NO_UTF8


@inlined
def _integer(data, start, stop):
    """Return the whole number that a cell is in its shortest spelling, up to 18 digits, else -1."""
    if stop == start or stop - start > 18 or (data[start] == _ZERO and stop - start > 1):
        return np.int64(-1)
    value = np.int64(0)
    for place in range(start, stop):
        digit = np.int64(data[place]) - _ZERO
        if digit < 0 or digit > 9:
            return np.int64(-1)
        value = value * 10 + digit
    return value


@inlined
def _intern(data, start, stop, names):
    """Return the number of the name data[start:stop], adding it if new; -1 if the table is full."""
    hashed = 2_166_136_261
    for place in range(start, stop):
        hashed = ((hashed ^ np.int64(data[place])) * 16_777_619) & 0xFFFFFFFF
    mask = names.table.shape[0] - 1
    slot = (hashed ^ (hashed >> 15)) & mask
    while names.table[slot] >= 0:
        known = names.table[slot]
        first = names.start[known]
        if names.start[known + 1] - first == stop - start:
            same = True
            for place in range(stop - start):
                same = same and data[start + place] == names.letters[first + place]
            if same:
                return known
        slot = (slot + 1) & mask
    count = names.names[0]
    first = names.start[count]
    if count + 1 >= names.start.shape[0] or first + stop - start > names.letters.shape[0]:
        return -1
    for place in range(stop - start):
        names.letters[first + place] = data[start + place]
    names.start[count + 1] = first + stop - start
    names.table[slot] = count
    names.names[0] = count + 1
    return count


@always_inlined
def _any_cell(data, cell, end, field, row, line, layout, rows, lines):
    """Judge the cell data[cell:end]; return the reason against it."""
    kind, slot, reason = layout.kind[field], layout.slot[field], OK
    if kind == F_DECIMAL:
        if cell == end:
            rows.mantissa[slot, row] = NULL
            rows.scale[slot, row] = 0
            return OK if layout.nullable[field] else EMPTY_CELL
        reason, mantissa, scale = _number(data, cell, end)
        if reason == OK and scale != HARD:
            reason = _allowed(mantissa, layout.allow[field])
        if scale == HARD:
            lines.hard[line] = True
        rows.mantissa[slot, row] = mantissa
        rows.scale[slot, row] = scale
    elif kind == F_TIME:
        if cell == end and layout.nullable[field]:
            rows.time[slot, row] = NULL
        else:
            reason, rows.time[slot, row] = _time(data, cell, end)
    elif kind == F_ENUM:
        rows.enum[slot, row] = _choice(data, cell, end, layout.choices[slot], layout.choice_length[slot])
    elif kind == F_TEXT:
        reason = _text(data, cell, end)
        rows.number[slot, row] = _integer(data, cell, end)
        rows.worded[slot] |= rows.number[slot, row] < 0
        lines.text_start[slot, line] = cell
        lines.text_stop[slot, line] = end
    return reason


@always_inlined
def _put(rows, lines, row, line, name, reason, bad_field, start, stop):
    rows.name[row] = name
    rows.reason[row] = reason
    lines.bad_field[line] = bad_field
    lines.start[line] = start
    lines.stop[line] = stop


@kernel
def parse(data, start, stop, count, layout: Layout, rows: RowArrays, lines: LineArrays, names: NameTable):
    """Parse whole lines of data[start:stop] until they or the room in `rows` or `lines` end.

    data    uint8[...]; every line before `stop` ends in LF, and REACH bytes or more follow
    count   how many lines `rows` has
    layout  csv_records.Layout: what each field is
    rows    csv_records.RowArrays: a row for every line, good or not (reason != 0)
    lines   csv_records.LineArrays: of the lines of this call, from 0 on
    names   csv_records.NameTable: the distinct "exchange,symbol" texts of the file
    Returns (lines that `rows` has, place after them, whether all new ones are good and whole: no reason, no
    number left to exact code, no word that is not known); none of more names than the table has room for.
    """
    usual = True
    fields = layout.kind.shape[0] - 1
    known, known_start, known_length = -1, 0, -1
    first, most = count, min(count + lines.start.shape[0], rows.reason.shape[0])
    while start < stop and count < most:
        row, line = np.uint64(count), np.uint64(count - first)
        reason, bad, field, cell, key_end = OK, -1, 0, start, start
        lines.hard[line] = False
        same = known >= 0 and start + known_length < stop
        if same and same_words(data, start, known_start, known_length):
            key_end = start + known_length
            field, cell = usual_cells(data, key_end + 1, 2, row, line, layout, rows, lines)
            if field == fields and byte_at(data, cell - 1) == _LF:
                _put(rows, lines, row, line, known, OK, -1, start, cell - 1)
                count += 1
                start = cell
                continue
        else:
            same = False
        end = cell - 1
        while field == 0 or byte_at(data, cell - 1) != _LF:
            place = cell
            while byte_at(data, place) != _COMMA and byte_at(data, place) != _LF:
                place += 1
            end = place
            if byte_at(data, place) == _LF and end > cell and byte_at(data, end - 1) == _CR:
                end -= 1
            if field < fields and reason == OK:
                reason = _any_cell(data, cell, end, field, row, line, layout, rows, lines)
                if reason != OK:
                    bad = field
                elif layout.kind[field] == F_ENUM:
                    usual = usual and rows.enum[layout.slot[field], row] != UNRECOGNISED
            if field == 1:
                key_end = end
            field, cell = field + 1, place + 1
            if 1 < field < fields and reason == OK and byte_at(data, place) != _LF:
                field, cell = usual_cells(data, cell, field, row, line, layout, rows, lines)
                end = cell - 1
        if field != fields:
            reason, bad = (EMPTY_LINE if end == start else FIELDS), -1
        elif reason == OK and key_end - start > MAX_KEY:
            reason = BAD_NAME
        if reason == OK and not same:
            known = _intern(data, start, key_end, names)
            known_start, known_length = start, key_end - start
            if known < 0:
                break
        usual = usual and reason == OK and not lines.hard[line]
        _put(rows, lines, row, line, known, reason, bad, start, end)
        count += 1
        start = cell
    return count, start, usual


@kernel
def gather_text(data, start, stop, letters):
    """Copy the cells data[start:stop] into the rows of letters (uint8[n, width], zero padded)."""
    width, after = letters.shape[1], -(-letters.shape[1] // 8) * 8
    for row in range(start.shape[0]):
        length, at = stop[row] - start[row], row * width
        if start[row] + after <= data.shape[0] and at + after <= letters.size:
            # What these words write into the next row is written over.
            for place in range(0, width, 8):
                copy_word(data, start[row] + place, length - place, letters, at + place)
        else:
            for place in range(width):
                letters[row, place] = data[start[row] + place] if place < length else 0
