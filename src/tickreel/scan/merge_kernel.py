"""The kernel that merges streams: a heap of their heads, and runs of rows while one of them is first."""

from tickreel.jit import inlined, kernel

_NEVER_NS = 2**63 - 1


@kernel
def merge_windows(windows, heap_ns, heap, order):
    """Write rows in the order of (time, place) until a window runs dry; return how many were written.

    windows  merge.Windows; `head` is moved on past the rows that are written
    heap_ns, heap  int64[k] each, scratch
    order    merge.Order: where the rows are written, no more than it has room for
    Ties go to the lower place, so the result is unique. Nothing is written after the last row of a
    window whose stream goes on: the next row of that stream may be the first of all.
    """
    size = _heads(windows, heap_ns, heap)
    done = 0
    while size > 0 and done < order.row.shape[0]:
        if size == 2:
            done = _write_pair(windows, min(heap[0], heap[1]), max(heap[0], heap[1]), order, done)
            dry = 0 if windows.head[heap[0]] == windows.stop[heap[0]] else 1
        else:
            done = _write_run(windows, heap[0], _limit(heap_ns, heap, size), order, done)
            dry = 0
        place = heap[dry]
        if windows.head[place] < windows.stop[place]:
            heap_ns[0] = windows.times_ns[windows.head[heap[0]]]
        elif windows.ends[place]:
            size -= 1
            heap_ns[dry], heap[dry] = heap_ns[size], heap[size]
        else:
            break
        _sink(heap_ns, heap, 0, size)
    return done


@inlined
def _heads(windows, heap_ns, heap):
    """Make a heap of the places that have rows; return how many."""
    size = 0
    for place in range(windows.head.shape[0]):
        if windows.head[place] < windows.stop[place]:
            heap_ns[size], heap[size] = windows.times_ns[windows.head[place]], place
            size += 1
    for slot in range(size // 2 - 1, -1, -1):
        _sink(heap_ns, heap, slot, size)
    return size


@inlined
def _write_run(windows, place, limit_ns, order, done):
    """Write rows of one place up to a time, as far as there is room; return how many are written by now."""
    at = windows.head[place]
    stop = min(windows.stop[place], at + order.row.shape[0] - done)
    while at < stop and windows.times_ns[at] <= limit_ns:
        order.time_ns[done] = windows.times_ns[at]
        order.stream[done] = windows.number[place]
        order.row[done] = at - windows.first[place]
        done += 1
        at += 1
    windows.head[place] = at
    return done


@inlined
def _write_pair(windows, low, high, order, done):
    """Write rows of two places until one is dry or there is no room: choices without a branch to guess."""
    times_ns = windows.times_ns
    a, b = windows.head[low], windows.head[high]
    while True:
        # So many rows can be written before a bound need be looked at.
        safe = min(windows.stop[low] - a, windows.stop[high] - b, order.row.shape[0] - done)
        if safe == 0:
            break
        for _ in range(safe):
            second = times_ns[b] < times_ns[a]
            order.time_ns[done] = times_ns[b] if second else times_ns[a]
            order.stream[done] = windows.number[high] if second else windows.number[low]
            order.row[done] = b - windows.first[high] if second else a - windows.first[low]
            a += 0 if second else 1
            b += 1 if second else 0
            done += 1
    windows.head[low], windows.head[high] = a, b
    return done


@inlined
def _limit(heap_ns, heap, size):
    """Return the last time at which rows of the first place go before the head of the second."""
    if size == 1:
        return _NEVER_NS
    second = 1
    if size > 2 and _before(heap_ns, heap, 2, 1):
        second = 2
    return heap_ns[second] if heap[0] < heap[second] else heap_ns[second] - 1


@inlined
def _sink(heap_ns, heap, slot, size):
    """Let an entry sink until none below it goes before it."""
    while True:
        below = 2 * slot + 1
        if below >= size:
            return
        if below + 1 < size and _before(heap_ns, heap, below + 1, below):
            below += 1
        if not _before(heap_ns, heap, below, slot):
            return
        heap_ns[slot], heap_ns[below] = heap_ns[below], heap_ns[slot]
        heap[slot], heap[below] = heap[below], heap[slot]
        slot = below


@inlined
def _before(heap_ns, heap, a, b):
    return heap_ns[a] < heap_ns[b] or (heap_ns[a] == heap_ns[b] and heap[a] < heap[b])
