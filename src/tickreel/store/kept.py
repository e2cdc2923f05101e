"""A store that keeps open what was read last: who asks for many short times asks for few segments."""

import os
import threading
from collections import OrderedDict

from tickreel.store.catalog import SegmentKey, Store
from tickreel.store.reader import Segment

MOST_KEPT = 64
"""Segments of a thread; what they hold is mapped, so that the memory can be taken back."""


class KeptStore(Store):
    """A store for reading that opens a segment once, as long as its file is the one that was opened.

    Each thread has segments of its own, for a segment serves one at a time.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        super().__init__(root)
        self._own = threading.local()

    def open(self, key: SegmentKey) -> Segment:
        """Return an open segment, as `Store.open`: one replaced or removed since is opened anew."""
        kept: OrderedDict[SegmentKey, Segment] = self._own.__dict__.setdefault("kept", OrderedDict())
        segment = kept.get(key)
        if segment is None or not segment.is_current():
            kept.pop(key, None)
            segment = kept[key] = super().open(key)
            if len(kept) > MOST_KEPT:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return segment
