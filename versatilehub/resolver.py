"""The one door from a `Source` to a `ResolvedSource`: a git host or an archive is asked once, whichever it is."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from versatilehub import git, records
from versatilehub.record_plan import ArchiveHosts

if TYPE_CHECKING:
    from versatilehub.logins import Login
    from versatilehub.sources import ResolvedSource, Source, SourceRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How a site asks: *ca_bundle* is the path of the certificates to trust ("" for the machine's), *archives* where each is."""

    ca_bundle: str = ""
    archives: ArchiveHosts = field(default_factory=ArchiveHosts)


async def resolve(
    source: Source, rules: SourceRules, asking: Asking, *, login: Login | None = None
) -> ResolvedSource:
    """Ask once what the ref of *source* stands for, a git host with a *login* if it must be; raises as those who ask do."""
    if source.is_git:
        return await git.resolve(source, rules, ca_bundle=asking.ca_bundle, login=login)
    tls = None
    if asking.ca_bundle:
        tls = await asyncio.to_thread(ssl.create_default_context, cafile=asking.ca_bundle)
    return await records.resolve(source, rules, hosts=asking.archives, tls=tls)
