"""The application: every command of the other files registers itself here."""

from __future__ import annotations

import re
import sys
from typing import NoReturn

import typer

from ns4d.errors import ConfigError, Ns4dError
from ns4d.threads import spin_less

app = typer.Typer(
    help="Train a diagonal state-space model, make it an integer program, stream it exactly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


# The modules that are not named like the packages that bring them.
PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow"}


def main() -> None:
    """Run a command; an error that ns4d raises on purpose becomes one line and exit code 1.

    So does the lack of a package that only an extra of ns4d brings.
    """
    spin_less()
    try:
        app()
    except Ns4dError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        missing = _of_an_extra(str(error.name))
        if missing is None:
            raise
        _fail(missing)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def _fail(error: Ns4dError) -> NoReturn:
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(1) from None


def _of_an_extra(module: str) -> ConfigError | None:
    """What to say if a module is missing; None if no extra brings it, which is a bug of ours.

    A module inside a package is such a bug, too: of a missing package, the package is told.
    """
    package, extras = PACKAGES.get(module, module), _extras()
    having = [extra for extra, packages in extras.items() if package in packages]
    if not having:
        return None
    smallest = min(having, key=lambda extra: len(extras[extra]))
    return ConfigError(
        " ".join(["ns4d", *sys.argv[1:2]]),
        expected=f"the package {package}",
        got="no such package",
        fix=f'Install it: pip install "ns4d[{smallest}]".',
    )


def _extras() -> dict[str, list[str]]:
    """The packages of every extra, as the installation knows them; of a mere folder, none."""
    from importlib.metadata import PackageNotFoundError, requires

    extras: dict[str, list[str]] = {}
    try:
        wanted = requires("ns4d") or []
    except PackageNotFoundError:
        return {}
    for requirement in wanted:
        if found := re.fullmatch(r"([\w.-]+)[^;]*;.*\bextra *== *['\"](.+)['\"]", requirement):
            extras.setdefault(found[2], []).append(found[1])
    return extras
