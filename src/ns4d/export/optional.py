"""Packages that some formats need, which a plain installation lacks."""

from __future__ import annotations

from importlib.util import find_spec

from ns4d.errors import ConfigError


def require_packages(extra: str, *packages: str) -> None:
    """Say how to install what is missing, before anything is made.

    Args:
        extra: Name of the extra of ns4d that brings them.
        packages: Names of modules.

    Raises:
        ConfigError: Naming the missing ones and the command.
    """
    if missing := [name for name in packages if find_spec(name) is None]:
        raise ConfigError(
            f"--to {extra}",
            expected=f"the packages {', '.join(packages)}",
            got=f"no {', '.join(missing)}",
            fix=f'Install them: pip install "ns4d[{extra}]".',
        )
