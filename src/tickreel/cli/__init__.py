"""The command line: one file per group of commands; nothing here computes.

app       the commands, their order in the help, and what every error becomes
options   options that all commands share
output    JSON documents, tables and progress bars
streams   standard output and error, whoever listens
"""

import os
import sys
from typing import NoReturn


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    try:
        from tickreel.cli import streams

        streams.outlive_readers()
        from tickreel.cli.app import INTERRUPTED, run
    except KeyboardInterrupt:
        _end_early()
    code = run()
    streams.finish()
    if code == INTERRUPTED:
        # A strategy's endless loop may still run in a thread of machine code, which no clean end waits for.
        os._exit(code)
    raise SystemExit(code)


def _end_early() -> NoReturn:
    """End a command that was interrupted before it was loaded: with nothing of it, since half of it may be there."""
    message, code = "interrupted; run the same command again", 130
    if "--json" in sys.argv:
        os.write(
            1,
            b'{"error": {"type": "Interrupted", "message": "%b", "exit_code": %d}}\n'
            % (message.encode(), code),
        )
    os.write(2, f"error: {message}\n".encode())
    os._exit(code)
