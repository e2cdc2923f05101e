"""The command line: one file per group of commands; nothing here computes.

app       the commands, their order in the help, and what every error becomes
options   options that all commands share
output    JSON documents, tables and progress bars
streams   standard output and error, whoever listens
"""

import os


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    from tickreel.cli import streams

    streams.outlive_readers()
    from tickreel.cli.app import INTERRUPTED, run

    code = run()
    streams.finish()
    if code == INTERRUPTED:
        # A strategy's endless loop may still run in a thread of machine code, which no clean end waits for.
        os._exit(code)
    raise SystemExit(code)
