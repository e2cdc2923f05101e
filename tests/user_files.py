"""Writes a user's files of Python and imports them."""

import importlib.util
import itertools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

NUMBERS = itertools.count()
HEAD = "import math\nfrom enum import IntEnum\nimport numpy as np\nfrom tickreel import Param, StateArray, Strategy\n"


def importer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Return a function that writes files of Python, name=text, imports them and gives the last module."""

    def load(**files: str) -> ModuleType:
        folder = tmp_path / str(next(NUMBERS))
        folder.mkdir()
        monkeypatch.syspath_prepend(str(folder))
        for name, text in files.items():
            (folder / f"{name}.py").write_text(HEAD + textwrap.dedent(text))
            monkeypatch.delitem(sys.modules, name, raising=False)
            spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
            module = importlib.util.module_from_spec(spec)
            monkeypatch.setitem(sys.modules, name, module)
            spec.loader.exec_module(module)
        return module

    return load
