"""The parsing kernel's view of a record type: what each field is, and room for what it finds."""

import numpy as np

from tickreel.schema import Allow, Column, Kind, RecordType
from tickreel.sources import csv_records as k
from tickreel.sources.csv_records import Layout, LineArrays, RowArrays

ALLOWED = (Allow.ANY, Allow.NOT_NEGATIVE, Allow.POSITIVE)
FIELD_KINDS = {Kind.TIME: k.F_TIME, Kind.DECIMAL: k.F_DECIMAL, Kind.ENUM: k.F_ENUM, Kind.TEXT: k.F_TEXT}


def fields_of(record: RecordType) -> list[Column]:
    """Return the columns in the order of a file's fields, after exchange and symbol."""
    fields = [column for column in record.columns if column.csv]
    return sorted(fields, key=lambda column: record.csv_header.index(column.csv or ""))


def layout_of(fields: list[Column]) -> Layout:
    """Return what the fields are; the first two are exchange and symbol."""
    enums = [column for column in fields if column.kind is Kind.ENUM]
    most = max((len(column.choices) for column in enums), default=1)
    longest = max((len(word) for column in enums for word in column.choices), default=1)
    choices = np.zeros((max(1, len(enums)), most, longest), np.uint8)
    lengths = np.full((max(1, len(enums)), most), -1, np.int64)
    spelled, masks = np.ones_like(lengths, np.uint64), np.zeros_like(lengths, np.uint64)
    for place, column in enumerate(enums):
        for index, word in enumerate(column.choices):
            choices[place, index, : len(word)] = np.frombuffer(word.encode(), np.uint8)
            lengths[place, index] = len(word)
            if len(word) < 8:
                spelled[place, index] = int.from_bytes(word.encode() + b",", "little")
                masks[place, index] = (1 << 8 * (len(word) + 1)) - 1
    kinds, slots, counts = [k.F_KEY, k.F_KEY], [0, 1], dict.fromkeys(FIELD_KINDS.values(), 0)
    for column in fields:
        kind = FIELD_KINDS[column.kind]
        kinds.append(kind)
        slots.append(counts[kind])
        counts[kind] += 1
    nullable = [False, False] + [column.nullable for column in fields]
    allow = [0, 0] + [ALLOWED.index(column.allow) for column in fields]
    return Layout(
        np.array([*kinds, k.F_END], np.int8), np.array(slots, np.int8), np.array(nullable), np.array(allow, np.int8),
        choices, lengths, spelled, masks,
    )  # fmt: skip


def row_arrays(layout: Layout, count: int) -> RowArrays:
    """Return room for `count` lines; its memory is taken as it is filled."""
    slots = {kind: int((layout.kind == kind).sum()) for kind in FIELD_KINDS.values()}

    def table(kind: int, dtype: type) -> np.ndarray:
        return np.empty((slots[kind], count), dtype)

    def row(dtype: type) -> np.ndarray:
        return np.empty(count, dtype)

    return RowArrays(
        row(np.uint8), row(np.int32), table(k.F_TIME, np.int64), table(k.F_DECIMAL, np.int64),
        table(k.F_DECIMAL, np.int8), table(k.F_ENUM, np.uint8), table(k.F_TEXT, np.int64),
        np.zeros(slots[k.F_TEXT], np.bool_),
    )  # fmt: skip


def line_arrays(layout: Layout) -> LineArrays:
    """Return room for the lines of one call."""
    line, texts = k.LINES, (int((layout.kind == k.F_TEXT).sum()), k.LINES)
    return LineArrays(
        np.empty(line, np.int64), np.empty(line, np.int64), np.empty(line, np.int8), np.empty(line, np.bool_),
        np.empty(texts, np.int64), np.empty(texts, np.int64),
    )  # fmt: skip


def row_bytes(layout: Layout) -> int:
    """Return what a line takes in `row_arrays`."""
    return sum(values.nbytes for values in row_arrays(layout, 1))
