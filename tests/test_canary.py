"""The canary itself: it cries."""

import subprocess
import sys
from pathlib import Path

import pytest

from canary import MARK, files_with_key, pytest_runtest_makereport
from provider_server import KEY


def test_a_key_in_an_output_a_process_and_a_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    print("error: not", KEY)
    with pytest.raises(AssertionError, match=r"a key is in an output: error: not TD\.\[here\]"):
        capsys.readouterr()
    with pytest.raises(AssertionError, match="a key is in the output of a process"):
        subprocess.run(
            [sys.executable, "-c", "import os; print(os.environ['TARDIS_API_KEY'])"], capture_output=True
        )
    with pytest.raises(AssertionError, match="a key is in a command line"):
        subprocess.run([sys.executable, "-c", "pass", KEY])


def test_a_key_in_a_file_and_in_a_name(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    kept = tmp_path / "a" / "b" / "log"
    with kept.open("wb") as file:
        file.truncate(1 << 40)
        file.seek((1 << 39) - len(KEY) // 2)
        file.write(KEY.encode())
    (tmp_path / "a" / KEY).mkdir()
    (tmp_path / "sound").write_text("nothing")
    assert sorted(files_with_key(tmp_path)) == sorted([str(kept), str(tmp_path / "a" / KEY)])
    # What this test leaves is looked at too.
    kept.unlink()
    (tmp_path / "a" / KEY).rmdir()
    assert files_with_key(tmp_path) == [] and MARK in KEY


@pytest.mark.parametrize(
    ("told", "outcome"), [(f"not {KEY}", "failed"), ("not [key]", "passed")], ids=["key", "none"]
)
def test_a_key_in_what_a_test_printed_or_logged(told: str, outcome: str) -> None:
    report = pytest.TestReport(
        "a test", ("", 0, ""), {}, "passed", None, "call", [("Captured log call", told)]
    )
    hook = pytest_runtest_makereport()
    next(hook)
    with pytest.raises(StopIteration) as ended:
        hook.send(report)
    assert ended.value.value.outcome == outcome
    assert KEY not in str(report.longrepr)
