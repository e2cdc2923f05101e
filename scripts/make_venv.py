"""Makes a virtual environment with the locked versions and tickreel itself: make_venv.py FOLDER LOCK."""

import subprocess
import sys
import venv
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)


def main(folder: Path, lock: Path) -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found = ".".join(map(str, sys.version_info[:3]))
        raise SystemExit(
            f"{sys.executable} is Python {found}; tickreel needs 3.11 to 3.13: run make PYTHON=python3.11"
        )
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    print(f"installing the versions of {lock} into {folder} ...", flush=True)
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], check=True)
    print("compiling, once ...", flush=True)
    subprocess.run([str(python), "-m", "tickreel", "warm", "--quiet"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
