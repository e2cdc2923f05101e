"""Peers: how others keep the same trades. A peer is a module with

    NAME, SUFFIX, NEEDS                  its name, the ending of its files, the packages it is made of
    write(path, trades) -> None          one file of a peer for one of Tardis, all six columns
    read(path, names) -> Iterator[dict]  blocks of arrays as a scan of tickreel gives them

STORES is the table of those that keep trades; `naive` is the loop that everybody writes first.
"""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType

from bench.peers import parquet, pco, polars_parquet

STORES: tuple[ModuleType, ...] = (pco, parquet, polars_parquet)
PACKAGES = ("numpy", "numba", "pcodec", "pyarrow", "polars", "hftbacktest")


def missing(needs: tuple[str, ...]) -> str:
    """Return what to say of packages that are not installed, "" if all are."""
    lacking = [name for name in needs if find_spec(name) is None]
    return f"{', '.join(lacking)} not installed: pip install {' '.join(lacking)}" if lacking else ""


def versions() -> dict[str, str]:
    """Return package -> version, "missing" for one that is not installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
