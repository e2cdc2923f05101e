"""Sections: one file per question. A section is a module with

    TITLE                        what is asked
    run(settings) -> list[Row]   the answer; raises BenchError

SECTIONS is the table of them, in the order of a run. Bars are those of the project's targets.
"""

from types import ModuleType

from bench.sections import (
    books,
    compare,
    download,
    importing,
    level2,
    memory,
    merge,
    momentum,
    query,
    recording,
    scan,
    size,
    startup,
    sweep,
)

SECTIONS: dict[str, ModuleType] = {
    "size": size,
    "scan": scan,
    "query": query,
    "import": importing,
    "merge": merge,
    "compare": compare,
    "momentum": momentum,
    "sweep": sweep,
    "level2": level2,
    "books": books,
    "memory": memory,
    "startup": startup,
    "download": download,
    "record": recording,
}
