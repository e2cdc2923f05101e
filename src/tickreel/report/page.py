"""What every self-contained page is made of: assets, escaped text, data for a script, a policy by hash."""

import base64
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def text(value: str) -> str:
    """Return foreign text made safe for an element or a quoted attribute."""
    whole = value.encode("utf-8", "replace").decode()
    shown = "".join(c if c >= " " or c in "\n\t" else "\ufffd" for c in whole)
    return escape(shown, quote=True)


def pairs(found: Iterable[tuple[str, str]]) -> str:
    """Return names and values as the inside of a `dl`."""
    return "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in found)


def script_data(value: Any) -> str:
    """Return JSON that can stand inside a script element.

    `<`, `>`, `&` and every character outside ASCII are written as \\u escapes.
    """
    data = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character, code in _ESCAPES.items():
        data = data.replace(character, code)
    return data


@cache
def asset(name: str) -> str:
    """Return a file of the folder `assets`."""
    return files("tickreel.report").joinpath("assets", name).read_text("utf-8")


def script(*names: str) -> str:
    """Return asset scripts as one, in a scope of its own."""
    return '(() => {\n"use strict";\n' + "\n".join(map(asset, names)) + "})();\n"


def policy(styles: Iterable[str], scripts: Iterable[str]) -> str:
    """Return a Content-Security-Policy that lets in these texts, by hash, and nothing else."""

    def hashes(sources: Iterable[str]) -> str:
        digests = (hashlib.sha256(source.encode()).digest() for source in sources)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return (
        f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
