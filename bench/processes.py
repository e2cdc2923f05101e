"""The memory of a process and its descendants, from /proc."""

from pathlib import Path

_MIB = 1 / 1024  # /proc counts in KiB


def memory_mib(processes: list[int]) -> tuple[float, float]:
    """Return (anonymous + shared memory, each shared page divided by its users; all pages mapped), MiB."""
    own = rss = 0.0
    for pid in processes:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:  # it has just ended
            continue
        sizes = {line.split()[0]: int(line.split()[1]) for line in lines}
        own += sizes.get("Pss_Anon:", 0) + sizes.get("Pss_Shmem:", 0)
        rss += sizes.get("Rss:", 0)
    return own * _MIB, rss * _MIB


def tree(root: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found
