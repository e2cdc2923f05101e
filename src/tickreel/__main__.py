"""`python -m tickreel` is the command `tickreel`."""

from tickreel.cli import main

main()
