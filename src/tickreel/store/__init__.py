"""The store: sealed, checksummed, memory-mapped segments in a tree of folders.

    format    the bytes of a segment (drawn in FORMAT.md) and every check on them
    writer    SegmentWriter: rows in, one durable file out
    reader    Segment: columns and blocks out, checksums verified on first read
    catalog   Store: finds segments; WritingStore: publishes and removes them under one lock
    kept     KeptStore: segments stay open for who asks for many short times
    primary   the feed that is read by default: switch, roll back, history
    names     symbols and exchanges as safe folder names
    disk      whole writes, durable renames, no links followed
    instruments  what contracts are: text files under a checksum
    maintain  verify and merge
    holdings  what a store holds, between which times
    describe  which segments are meant, and where their bytes are

A segment is never changed: it is replaced as a whole, while readers go on with the old one.
"""
