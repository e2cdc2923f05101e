"""Codecs turn one block of one column into bytes and back: pure, lossless, without I/O.

A codec is a module with

    NAME, ID                       its name and its number in the file format
    encode(values) -> bytes|None   None if it cannot hold these values exactly
    decode(data, out) -> None      fills `out` (1-D, contiguous, of the dtype that was encoded)

`decode` raises CorruptionError unless `data` can be what len(out) values were encoded to, and never
allocates more than a small multiple of `out`. Block checksums are verified before a codec sees the bytes.

CODECS is the table of all of them, READABLE says which of them a column of each kind may be in;
`choose` picks one for a column at sealing.
"""

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from tickreel.codecs import constant, number_text, pco, plain_text, planes, raw, uuid_text
from tickreel.errors import InputError
from tickreel.schema import Kind

CODECS: dict[int, ModuleType] = {
    codec.ID: codec for codec in (raw, constant, pco, planes, number_text, uuid_text, plain_text)
}

_ORDER: dict[Kind, Sequence[ModuleType]] = {
    Kind.TIME: (constant, pco),
    Kind.INT: (constant, pco),
    Kind.DECIMAL: (constant, pco),
    Kind.FLOAT: (constant, pco),
    Kind.ENUM: (constant, planes),
    Kind.TEXT: (constant, number_text, uuid_text, plain_text),
}


READABLE: dict[Kind, frozenset[int]] = {
    kind: frozenset(codec.ID for codec in codecs) | (set() if kind is Kind.TEXT else {raw.ID})
    for kind, codecs in _ORDER.items()
}


def choose(kind: Kind, values: np.ndarray, *, plain: bool = False) -> tuple[int, bytes]:
    """Return (codec id, bytes) of the first codec of the column's kind that holds `values`.

    plain  store numbers uncompressed, for a zero-copy view
    Raises InputError if none does: texts longer than plain_text.MAX_LENGTH.
    """
    if plain and kind is not Kind.TEXT:
        return raw.ID, raw.encode(values)
    for codec in _ORDER[kind]:
        data = codec.encode(values)
        if data is not None:
            return codec.ID, data
    raise InputError(f"no codec holds these {kind} values: texts of up to {plain_text.MAX_LENGTH} bytes fit")
