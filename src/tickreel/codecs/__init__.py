"""Codecs turn one block of one column into bytes and back: pure, lossless, without I/O.

A codec is a module with

    NAME, ID                       its name and its number in the file format
    encode(values) -> bytes|None   None if it cannot hold these values exactly
    decode(data, out) -> None      fills `out` (1-D, contiguous, of the dtype that was encoded)

and, if some values can be had without the others,

    decode_rows(data, rows, start, out)   fills `out` with the values from `start` on, of `rows`

`decode` raises CorruptionError unless `data` can be what len(out) values were encoded to, and never
allocates more than a small multiple of `out`. Block checksums are verified before a codec sees the bytes.

CODECS is the table of all of them, READABLE says which of them a column of each kind may be in;
`choice.Choice` picks one for a column at sealing.
"""

from types import ModuleType

from tickreel.codecs import (
    constant,
    counted_text,
    number_text,
    patched,
    pco,
    plain_text,
    planes,
    raw,
    stepped,
    uuid_text,
)
from tickreel.schema import Kind

CODECS: dict[int, ModuleType] = {
    codec.ID: codec
    for codec in (
        raw,
        constant,
        pco,
        planes,
        number_text,
        uuid_text,
        plain_text,
        patched,
        counted_text,
        stepped,
    )
}

_NUMBERS = frozenset({raw.ID, constant.ID, pco.ID, patched.ID, stepped.ID})

READABLE: dict[Kind, frozenset[int]] = {
    Kind.TIME: _NUMBERS,
    Kind.INT: _NUMBERS,
    Kind.DECIMAL: _NUMBERS,
    Kind.FLOAT: _NUMBERS - {patched.ID, stepped.ID},
    Kind.ENUM: frozenset({raw.ID, constant.ID, pco.ID, planes.ID}),
    Kind.TEXT: frozenset({constant.ID, counted_text.ID, number_text.ID, uuid_text.ID, plain_text.ID}),
}
