"""Puts a report's page where it was asked for, whole or not at all."""

from pathlib import Path

from tickreel.errors import UsageError, disk_error


def check_target(out: Path, option: str, example: str) -> None:
    """Raise an error if no file can be put at `out`: before hours of work, not after."""
    if out.is_dir():
        raise UsageError(f"{option} {out}: is a folder; name a file, e.g. {out / example}")
    partial = _partial(out)
    try:
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise disk_error(error, f"writing {out}") from error


def put_page(out: Path, page: str) -> None:
    partial = _partial(out)
    try:
        partial.write_text(page, "utf-8")
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise disk_error(error, f"writing {out}") from error


def _partial(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial")
