"""The subcommands of `versatilehub`, a module each.

A module has ``NAME``, ``HELP``, ``arguments(parser)``, which adds its options, and ``run(options)``, which does the work and returns
the exit code: 0 well, 1 something needs a person. `options.state` is the hub's state folder, `options.json` asks for JSON;
`versatilehub.commands.deployment.load` gives what that hub shares. A `VersatileHubError` is printed as its sentence and hint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from versatilehub.commands import accounting, builds, doctor, images, policy, status, volumes

if TYPE_CHECKING:
    import argparse


class Command(Protocol):
    """What a module of a subcommand has."""

    @property
    def NAME(self) -> str:  # noqa: N802  # a module's constant
        """The word typed."""

    @property
    def HELP(self) -> str:  # noqa: N802  # a module's constant
        """What it does, in a line."""

    def arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Add the options of this subcommand."""

    async def run(self, options: argparse.Namespace, /) -> int:
        """Do it and return the exit code."""


COMMANDS: tuple[Command, ...] = (accounting, builds, doctor, images, policy, status, volumes)
