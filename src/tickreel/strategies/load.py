"""Finds a strategy: a built-in name, a class in a file, or a class handed over from Python."""

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from tickreel.errors import StrategyError, UsageError
from tickreel.simulate.compile import strategy_key
from tickreel.simulate.strategy import Strategy
from tickreel.strategies import BUILT_IN
from tickreel.strategies.fresh import refuse_within_load, run_file
from tickreel.strategies.handing import Handed, hand_over, take_over


class StrategyRef(msgspec.Struct, frozen=True):
    """How another process finds the same strategy: plain data, one of module, file or handed is set."""

    name: str
    """The class's name."""
    module: str = ""
    file: str = ""
    handed: Handed | None = None


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
    """Return the reference of a strategy given as text, which is found on disk, or as a class.

    A class is handed over as it is in memory, with the functions and constants that it reaches, so that
    neither its script nor its module runs again.
    """
    if isinstance(strategy, str):
        return find(strategy)
    if not (isinstance(strategy, type) and issubclass(strategy, Strategy)):
        raise UsageError(f"strategy {strategy!r} is neither text nor a class derived from tickreel.Strategy")
    return StrategyRef(strategy.__name__, handed=hand_over(strategy))


def load(ref: StrategyRef, code: str | None = None) -> type[Strategy]:
    """Return the class, as it is on disk now if it is of a file.

    code  what `strategy_key` gave for it elsewhere
    Raises StrategyError if the file does not run, has no such strategy, or one of another code.
    """
    refuse_within_load()
    if ref.handed:
        found: Any = take_over(ref.name, ref.handed)
        where = "the code handed over"
    else:
        found, where = run_file(Path(ref.file)) if ref.file else import_module(ref.module), ref.file
        for part in ref.name.split("."):
            found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise StrategyError(f"{where} has no class {ref.name} derived from tickreel.Strategy{_instead(ref)}")
    if code is not None and strategy_key(found) != code:
        raise StrategyError(
            f"{where or ref.module}: {ref.name} is not the code that the run began with: the file, or one that"
            " it imports, was changed since, or gives other values each time; run again"
        )
    return found


def _instead(ref: StrategyRef) -> str:
    return f"; it has {', '.join(_classes(run_file(Path(ref.file)))) or 'none'}" if ref.file else ""


def _classes(module: ModuleType) -> list[str]:
    """Return the names of the strategies that a module defines."""
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]


def _only_class(file: Path) -> str:
    names = _classes(run_file(file))
    if len(names) != 1:
        found = ", ".join(names) or "none"
        raise UsageError(f"{file} has {len(names)} strategies ({found}); name one as {file.name}:NAME")
    return names[0]
