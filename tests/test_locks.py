"""Dependencies are locked with hashes, and the files name no machine and no registry."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_every_locked_version_has_hashes(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.strip(), flags=re.IGNORECASE)
    pinned = [entry for entry in entries if "==" in entry.split("\n")[0]]
    assert len(pinned) > 5
    assert all("--hash=sha256:" in entry for entry in pinned)
    assert "://" not in text


def test_the_locks_hold_what_the_project_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, needs in (
        ("run.txt", project["dependencies"]),
        ("dev.txt", project["optional-dependencies"]["dev"]),
    ):
        locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        wanted = {re.split(r"[<>=\[]", need)[0].lower() for need in needs}
        assert wanted <= locked
