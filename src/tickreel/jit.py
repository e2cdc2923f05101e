"""The one way by which a Python function becomes machine code.

`kernel` compiles on the first call, releases the GIL, divides as NumPy does (x / 0 is inf) and
keeps the machine code on disk. numba alone notices an edit of the function's own file only;
the folder used here is named after the source of *every* kernel file and of what they import,
numba's and Python's versions, so an edit to anything that a kernel calls is never missed.

With NUMBA_DISABLE_JIT=1 the functions stay plain Python and give the same results.
"""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.dispatcher import Dispatcher

_KEPT_FOLDERS = 12
_IMPORT = re.compile(r"^(?:from|import) tickreel\.([\w.]+)", re.MULTILINE)
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""_nrt: kernels allocate nothing, so arrays need no reference counts, which cost 100 ns a row."""


def cache_root() -> Path:
    """Return the folder for derived files of this user; TICKREEL_CACHE overrides it."""
    if own := os.environ.get("TICKREEL_CACHE"):
        return Path(own)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tickreel"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tickreel"


@cache
def kernels_key() -> str:
    """Return a hash of everything that the machine code of our own kernels depends on.

    That is every kernel file and every module of ours that one imports, over any number of steps, and whether
    indices are checked, which numba's own key leaves out.
    """
    checked = numba.config.BOUNDSCHECK  # type: ignore[attr-defined]
    digest = hashlib.sha256(f"{sys.version_info[:3]} {numba.__version__} {checked}".encode())
    package = Path(__file__).parent
    files = {Path(__file__), *package.rglob("*kernel*.py")}
    unread = sorted(files)
    while unread:
        for name in _IMPORT.findall(unread.pop().read_text("utf-8")):
            file = package.joinpath(*name.split(".")).with_suffix(".py")
            if file.is_file() and file not in files:
                files.add(file)
                unread.append(file)
    for file in sorted(files):
        digest.update(str(file.relative_to(package)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:24]


def compiles() -> bool:
    """Return whether functions become machine code: not with NUMBA_DISABLE_JIT=1."""
    return not numba.config.DISABLE_JIT  # type: ignore[attr-defined]


F = TypeVar("F", bound=Callable)


def kernel(function: F) -> F:
    """Compile `function` on its first call; the decorator of every kernel."""
    return compiled(function, kernels_key())


def inlined(function: F) -> F:
    """Compile a small function that kernels call; its code is kept within theirs."""
    return numba.njit(**_OPTIONS)(function)


def always_inlined(function: F) -> F:
    """Compile a function into each kernel that calls it, however large: passing many arrays costs more than it does."""
    return numba.njit(**_OPTIONS, forceinline=True)(function)


def compiled(function: F, key: str) -> F:
    """Compile `function`, kept on disk under `key`, which must name all that it reaches."""
    dispatcher: Any = numba.njit(**_OPTIONS)(function)
    if isinstance(dispatcher, Dispatcher):
        folder = cache_root() / "kernels" / key
        if _usable(folder):
            dispatcher._cache = _cache_in(folder, key)(function)  # type: ignore[attr-defined]
    return dispatcher


def specialised(
    module: ModuleType, entry: str, names: Mapping[str, Callable], key: str | None
) -> Callable[..., Any]:
    """Return the function `entry` of a module of plain functions, with `names` put in place of its globals.

    So a kernel's source is written once and made anew for each strategy's own functions.
    key  names everything reached, for the cache on disk; None: plain Python, for debugging
    """
    space: dict[str, Any] = {**vars(module), **names}
    if key is None:
        spaces = {id(vars(module)): space}
        space.update({name: _interpreted(value, spaces) for name, value in names.items()})
        for name, value in vars(module).items():
            if name not in names:
                space[name] = _interpreted(value, spaces)
    own = [
        f for f in vars(module).values() if isinstance(f, FunctionType) and f.__module__ == module.__name__
    ]
    for function in own:
        if function.__name__ not in names:
            copy = _copied(function, space)
            if key is None:
                space[function.__name__] = copy
            else:
                last = function.__name__ == entry
                space[function.__name__] = compiled(copy, key) if last else inlined(copy)
    return space[entry]


def _copied(function: FunctionType, space: dict[str, Any]) -> FunctionType:
    copy = FunctionType(
        function.__code__, space, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    return copy


def _interpreted(value: Any, spaces: dict[int, dict[str, Any]]) -> Any:
    """Return a compiled function as plain Python, with all compiled functions that it calls."""
    if not isinstance(value, Dispatcher):
        return value
    function = value.py_func
    found = function.__globals__
    if id(found) not in spaces:
        spaces[id(found)] = space = dict(found)
        for name, other in found.items():
            space[name] = _interpreted(other, spaces)
    return _copied(function, spaces[id(found)])


@cache
def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.utime(folder)
        kept = sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return False
    for stale in kept[_KEPT_FOLDERS:]:
        shutil.rmtree(stale, ignore_errors=True)
    return os.access(folder, os.W_OK)


def _cache_in(folder: Path, key: str) -> type[FunctionCache]:
    class Locator(_CacheLocator):
        _py_file = __file__

        def __init__(self, name: str) -> None:
            self._name = name

        def get_cache_path(self) -> str:
            return str(folder)

        def get_source_stamp(self) -> str:
            return key

        def get_disambiguator(self) -> str:
            return self._name

        @classmethod
        def from_function(cls, py_func: Callable, py_file: str) -> "Locator":
            return cls(f"{py_func.__module__}-{py_func.__code__.co_firstlineno}")

    class Impl(CompileResultCacheImpl):
        _locator_classes = [Locator]  # type: ignore[list-item]  # noqa: RUF012

    class KeyedCache(FunctionCache):
        _impl_class = Impl

    return KeyedCache
