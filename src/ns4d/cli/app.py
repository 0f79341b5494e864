"""The application: every command of the other files registers itself here."""

from __future__ import annotations

import sys

import typer

from ns4d.errors import Ns4dError
from ns4d.threads import spin_less

app = typer.Typer(
    help="Train a diagonal state-space model, make it an integer program, stream it exactly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run a command; an error that ns4d raises on purpose becomes one line and exit code 1."""
    spin_less()
    try:
        app()
    except Ns4dError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
