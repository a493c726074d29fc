"""Runs the command line: `python -m adastride`."""

import sys

from adastride.cli import main

if __name__ == "__main__":
    # A terminal that lacks a letter (an arrow, a σ) shows a question mark instead of a traceback.
    sys.stdout.reconfigure(errors="replace")
    sys.exit(main())
