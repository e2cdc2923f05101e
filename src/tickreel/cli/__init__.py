"""The command line: one file per group of commands; nothing here computes.

app       the commands, their order in the help, and what every error becomes
options   options that all commands share
output    JSON documents, tables and progress bars
streams   standard output and error, whoever listens
"""


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    from tickreel.cli import streams

    streams.outlive_readers()
    from tickreel.cli.app import run

    code = run()
    streams.finish()
    raise SystemExit(code)
