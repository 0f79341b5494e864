"""Run the command line as `python -m ns4d`."""

from ns4d.cli import main

main()
