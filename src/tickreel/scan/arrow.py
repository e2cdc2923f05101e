"""Blocks to Arrow record batches, for Polars, DuckDB, pandas and Parquet."""

from importlib import import_module
from typing import Any

import numpy as np

from tickreel.errors import UsageError
from tickreel.scan.read import Block
from tickreel.schema import NULL_TIME, RECORD_TYPES, Column, Kind


def extra(module: str) -> Any:
    """Import an optional module; UsageError names the extra to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise UsageError(f"{module} is not installed; run: pip install 'tickreel[arrow]'") from None


def arrow_schema(record_type: str, columns: tuple[str, ...] | None = None) -> Any:
    """Return the pyarrow.Schema of a record type: exchange and symbol first, times as timestamp[ns, UTC].

    columns  None: the type's own, without optional ones
    """
    pa = extra("pyarrow")
    record = RECORD_TYPES[record_type].widest
    word = pa.dictionary(pa.int8(), pa.string())
    types = {
        Kind.TIME: pa.timestamp("ns", "UTC"),
        Kind.DECIMAL: pa.float64(),
        Kind.FLOAT: pa.float64(),
        Kind.INT: pa.int64(),
        Kind.ENUM: word,
        Kind.TEXT: pa.string(),
    }
    fields = [(name, types[record.column(name).kind]) for name in columns or RECORD_TYPES[record_type].names]
    return pa.schema([("exchange", pa.string()), ("symbol", pa.string()), *fields])


def record_batch(block: Block, record_type: str) -> Any:
    """Return a block as a pyarrow.RecordBatch; NaN, empty times and empty texts become null."""
    pa = extra("pyarrow")
    record = RECORD_TYPES[record_type].widest
    names = tuple(block.columns)
    arrays = [
        pa.repeat(pa.scalar(value, pa.string()), len(block)) for value in (block.exchange, block.symbol)
    ]
    arrays += [_array(pa, record.column(name), block[name]) for name in names]
    return pa.RecordBatch.from_arrays(arrays, schema=arrow_schema(record_type, names))


def _array(pa: Any, column: Column, values: np.ndarray) -> Any:
    if column.kind is Kind.TIME:
        nulls = values == NULL_TIME
        return pa.array(values, mask=nulls if nulls.any() else None).cast(pa.timestamp("ns", "UTC"))
    if column.kind is Kind.ENUM:
        return pa.DictionaryArray.from_arrays(pa.array(values.astype(np.int8)), pa.array(column.choices))
    if column.kind is Kind.TEXT:
        return _texts(pa, values)
    if column.kind is Kind.DECIMAL:
        nulls = np.isnan(values)
        return pa.array(values, mask=nulls if nulls.any() else None)
    return pa.array(values)


def _texts(pa: Any, values: np.ndarray) -> Any:
    """Return "S<w>" as Arrow strings without a Python object per row."""
    width = values.dtype.itemsize
    letters = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), width)
    lengths = np.strings.str_len(values).astype(np.int64)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    body = letters[np.arange(width) < lengths[:, None]]
    valid = np.packbits(lengths > 0, bitorder="little")
    buffers = [pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(body))]
    return pa.StringArray.from_buffers(len(values), buffers[1], buffers[2], buffers[0])
