"""Runs a user's file as it is on disk now, without a trace in the modules of this process."""

import importlib.machinery
import importlib.util
import sys
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tickreel.errors import StrategyError

_ALONE = threading.Lock()
"""sys.modules and sys.path are one for all threads."""

_here = threading.local()
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def run_file(file: Path) -> ModuleType:
    """Return the module of a file, run anew, as are the modules of the user's that it imports.

    Whatever was imported under the same names before is back in sys.modules afterwards.
    Raises StrategyError naming the line that fails, or that starts a run.
    """
    name = f"_tickreel_{file.stem}_{sha256(str(file).encode()).hexdigest()[:12]}"
    refuse_within_load()
    with _ALONE, _as_on_disk(file.parent):
        module = ModuleType(name)
        module.__file__ = str(file)
        sys.modules[name] = module
        try:
            loader = _Source(name, str(file))
            exec(loader.get_code(name), vars(module))
        except (Exception, SystemExit) as error:
            where = f"{file}{_line_of(error, str(file))}"
            if isinstance(error, _WithinLoad):
                raise StrategyError(f"{where}: {error}") from None
            raise StrategyError(f"{where}: {type(error).__name__}: {error}") from error
    return module


class _WithinLoad(StrategyError):
    pass


def refuse_within_load() -> None:
    """Raise StrategyError if a strategy's file is being run by this thread: it must not start a run itself."""
    if getattr(_here, "loading", False):
        raise _WithinLoad(
            "the file starts a run while it is loaded for its strategy, which would never end: put what runs"
            ' under `if __name__ == "__main__":`, or hand over the class itself'
        )


def is_users(module: ModuleType | None) -> bool:
    """Return whether a module is the user's own: neither installed, nor built in, nor of tickreel."""
    if module is None or module.__name__ == "__main__":
        return True
    if module.__name__.split(".")[0] == "tickreel":
        return False
    file = getattr(module, "__file__", None) or ""
    return file.endswith(".py") and _is_users_file(file)


def _is_users_file(file: str) -> bool:
    return not (file.startswith(_INSTALLED) or {"site-packages", "dist-packages"} & set(Path(file).parts))


@contextmanager
def _as_on_disk(folder: Path) -> Iterator[None]:
    """Import the user's modules anew, from `folder` first, and put the old ones back at the end."""
    before = _users_modules()
    for name in before:
        del sys.modules[name]
    finder = _FromSource()
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    _here.loading = True
    try:
        yield
    finally:
        _here.loading = False
        sys.path.remove(str(folder))
        sys.meta_path.remove(finder)
        for name in _users_modules():
            del sys.modules[name]
        sys.modules.update(before)


def _users_modules() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and name != "__main__" and is_users(module)
    }


class _Source(importlib.machinery.SourceFileLoader):
    """Compiles the text itself: a .pyc holds old code if an edit kept second and size."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _FromSource(MetaPathFinder):
    """Finds modules as Python does, and has the user's compiled from their text."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> Any:
        others = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        spec = next((found for one in others if (found := one.find_spec(fullname, path, target))), None)
        if spec and spec.origin and type(spec.loader) is importlib.machinery.SourceFileLoader:
            users = _is_users_file(spec.origin) and fullname.split(".")[0] != "tickreel"
            spec.loader = _Source(fullname, spec.origin) if users else spec.loader
        return spec


def _line_of(error: BaseException, file: str) -> str:
    if isinstance(error, SyntaxError):
        return f":{error.lineno}" if error.filename == file else ""
    trace = error.__traceback__
    line = ""
    while trace:
        if trace.tb_frame.f_code.co_filename == file:
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line
