"""Finds a strategy: a built-in name, a class in a file, or a class handed over from Python."""

import importlib.util
import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable
from difflib import get_close_matches
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import msgspec

from tickreel.errors import StrategyError, UsageError
from tickreel.simulate.strategy import Strategy
from tickreel.strategies import BUILT_IN


class StrategyRef(msgspec.Struct, frozen=True):
    """How another process finds the same strategy: plain data, one of module, file or source is set."""

    name: str
    """The class's name."""
    module: str = ""
    file: str = ""
    source: str = ""


def find(text: str) -> StrategyRef:
    """Return the reference of "momentum" or "my.py:Momentum".

    Raises UsageError where there is no such name, file or class.
    """
    path, colon, name = text.rpartition(":")
    if not colon and not text.endswith(".py"):
        if text not in BUILT_IN:
            close = get_close_matches(text, BUILT_IN, 1)
            raise UsageError(
                f"strategy {text!r} is neither built in ({', '.join(sorted(BUILT_IN))}) nor a file like"
                f" my.py:Momentum" + (f"; did you mean {close[0]}?" if close else "")
            )
        module, _, name = BUILT_IN[text].partition(":")
        return StrategyRef(name, module=module)
    file = Path(path if colon else text).absolute()
    if not file.is_file():
        raise UsageError(f"strategy {text!r}: there is no file {file}")
    return StrategyRef(name if colon else _only_class(file), file=str(file))


def reference(strategy: str | type[Strategy]) -> StrategyRef:
    """Return the reference of a strategy given as text or as a class of any origin.

    A class of a script, a notebook or a prompt is handed over as source, with the functions and constants of
    its module that it reaches.
    """
    if isinstance(strategy, str):
        return find(strategy)
    if not (isinstance(strategy, type) and issubclass(strategy, Strategy)):
        raise UsageError(f"strategy {strategy!r} is neither text nor a class derived from tickreel.Strategy")
    module = sys.modules.get(strategy.__module__)
    file = getattr(module, "__file__", None)
    if strategy.__module__ == "__main__" or file is None or "<locals>" in strategy.__qualname__:
        # Not by its file: a script that calls backtest would run again in every worker.
        return StrategyRef(strategy.__name__, source=_module_source(strategy))
    return StrategyRef(strategy.__qualname__, module=strategy.__module__)


def load(ref: StrategyRef) -> type[Strategy]:
    """Return the class. Raises StrategyError if the file does not run or has no such strategy."""
    if ref.module:
        found: Any = import_module(ref.module)
        for part in ref.name.split("."):
            found = getattr(found, part, None)
        where = ref.module
    else:
        module = _run_file(Path(ref.file)) if ref.file else _run_source(ref.source)
        found, where = getattr(module, ref.name, None), ref.file or "the code handed over"
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        have = "" if ref.module else f"; it has {', '.join(_classes(module)) or 'none'}"
        raise StrategyError(f"{where} has no class {ref.name} derived from tickreel.Strategy{have}")
    return found


def _classes(module: ModuleType) -> list[str]:
    """Return the names of the strategies that a module defines."""
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]


def _only_class(file: Path) -> str:
    names = _classes(_run_file(file))
    if len(names) != 1:
        found = ", ".join(names) or "none"
        raise UsageError(f"{file} has {len(names)} strategies ({found}); name one as {file.name}:NAME")
    return names[0]


def _run_file(file: Path) -> ModuleType:
    name = f"_tickreel_{file.stem}_{sha256(str(file).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{file} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise StrategyError(f"{file}{_line_of(error, str(file))}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(file.parent))
    return module


def _run_source(source: str) -> ModuleType:
    name = f"_tickreel_{sha256(source.encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    sys.modules[name] = module
    exec(compile(source, file, "exec"), vars(module))
    return module


def _line_of(error: BaseException, file: str) -> str:
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    trace = error.__traceback__
    line = ""
    while trace:
        if trace.tb_frame.f_code.co_filename == file:
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line


def _module_source(strategy: type[Strategy]) -> str:
    """Return text that defines the class anew: imports, constants and functions it reaches, then itself."""
    lines: dict[str, str] = {"Strategy": "from tickreel import Param, StateArray, Strategy"}
    for base in strategy.__mro__[1:]:
        if base not in (Strategy, object):
            raise StrategyError(
                f"{strategy.__name__} derives from {base.__name__}: put both into a file and import them"
            )
    for method in vars(strategy).values():
        if isinstance(method, FunctionType):
            _collect(method, lines)
    return "\n".join([*lines.values(), _source(strategy)])


def _collect(function: FunctionType, lines: dict[str, str]) -> None:
    reached = inspect.getclosurevars(function)
    for name, value in {**reached.globals, **reached.nonlocals}.items():
        if name in lines:
            continue
        if isinstance(value, ModuleType):
            lines[name] = f"import {value.__name__} as {name}"
        elif isinstance(value, FunctionType):
            if value.__module__ in ("__main__", function.__module__):
                lines[name] = ""
                _collect(value, lines)
                del lines[name]
                lines[name] = _source(value)
            else:
                lines[name] = f"from {value.__module__} import {value.__name__} as {name}"
        elif isinstance(value, (int, float, str, bytes, bool, tuple, type(None))):
            lines[name] = f"{name} = {value!r}"
        elif not isinstance(value, type):
            raise StrategyError(
                f"{function.__qualname__} uses the global {name!r}, a {type(value).__name__}, which cannot be"
                " handed to other processes as text: make it a number, or put the strategy into a file"
            )


def _source(value: type | Callable) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        name = getattr(value, "__name__", value)
        raise StrategyError(
            f"the source of {name} cannot be read; put it into a file: my.py:{name}"
        ) from None
