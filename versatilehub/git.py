"""The only runner of git on the hub's side: asks a git host once which commit a ref stands for.

Git runs with an environment and options of its own (nothing of the hub's), may use https only (http for the
prefixes a site adds), follows no redirect, connects to the public addresses that were checked, and is killed with
its children when it takes too long, says too much or is no longer waited for. The event loop never blocks.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from versatilehub.errors import InvalidSource, SourceMoved, SourceNotReadable, SourceTooSlow
from versatilehub.git_failures import explain
from versatilehub.git_hosts import pin, public_addresses
from versatilehub.git_process import handed, run
from versatilehub.git_refs import RemoteRefs, find, parse_refs
from versatilehub.source_address import is_under, split_url
from versatilehub.sources import Source, check_ref, check_url

if TYPE_CHECKING:
    from versatilehub.logins import Login
    from versatilehub.sources import ResolvedSource, SourceRules

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"

# Protocol 0 lists all refs in the answer to the first request; 2 would ask twice, and filters nothing here.
_OPTIONS: Final = (
    "protocol.version=0",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "core.hooksPath=/dev/null",
    "core.symlinks=true",
    "core.fsmonitor=false",
    "transfer.fsckObjects=true",
    "submodule.recurse=false",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLimits:
    """What asking a git host may cost before it is given up; *total* covers the name server too."""

    total: float = 30.0  # seconds
    stall: int = 10  # seconds in a row with less than 1000 bytes each
    output: int = (
        64 * 2**20
    )  # bytes of ref names and commits; a repository with a million refs has about that
    # bytes of address space of each process of git: it keeps all that a host sends before it says anything
    memory: int = 768 * 2**20


DEFAULT_LIMITS: Final = GitLimits()


async def resolve(
    source: Source,
    rules: SourceRules,
    limits: GitLimits = DEFAULT_LIMITS,
    *,
    ca_bundle: str = "",
    login: Login | None = None,
) -> ResolvedSource:
    """Ask the host of *source* once for the commit its ref stands for.

    *ca_bundle* is the path of the certificates to trust in place of the machine's. *login* is used only when the host shows
    the repository to nobody else; the result is ``private`` then. The result's ``url`` is the address that answered;
    where ``open`` began with a part of a branch's name, it is shorter and ``ref`` longer.
    A full commit id is taken as it is once the host has shown that the repository can be read; whether the commit
    exists is seen when it is fetched. Raises SourceFailure and its kinds, InvalidSource, and Refusal for a host
    that is not public.
    """
    source = replace(source, ref=check_ref(source.ref))
    answer = await _Question(rules=rules, limits=limits, ca_bundle=ca_bundle, login=login).ask(source)
    # A host may list a million refs: reading them takes longer than the event loop may wait.
    found = await asyncio.to_thread(lambda: find(_read_refs(answer.output), source))
    return replace(found, url=answer.url, private=answer.private)


async def list_refs(
    source: Source,
    rules: SourceRules,
    limits: GitLimits = DEFAULT_LIMITS,
    *,
    ca_bundle: str = "",
    login: Login | None = None,
) -> RemoteRefs:
    """Ask the host of *source* for all its branches and tags; raises as `resolve` does."""
    answer = await _Question(rules=rules, limits=limits, ca_bundle=ca_bundle, login=login).ask(source)
    return await asyncio.to_thread(_read_refs, answer.output)


async def check_readable(
    url: str,
    rules: SourceRules,
    limits: GitLimits = DEFAULT_LIMITS,
    *,
    ca_bundle: str = "",
    login: Login | None = None,
) -> None:
    """Return if the repository at *url* can be read by everyone or with *login*; raises as `resolve` does."""
    await _Question(rules=rules, limits=limits, ca_bundle=ca_bundle, login=login).ask(
        Source(provider="git", url=url)
    )


def _read_refs(output: bytes) -> RemoteRefs:
    return parse_refs(output.decode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    url: str
    output: bytes
    private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """How a host is asked."""

    rules: SourceRules
    limits: GitLimits
    ca_bundle: str
    login: Login | None

    async def ask(self, source: Source) -> _Answer:
        """Return the URL that answered and what it said: to everyone, or else to the person's login."""
        if not source.is_git:
            raise InvalidSource(
                f"{source.url} is a record of an archive, which git cannot read.",
                hint="Paste the link of a git repository, such as https://github.com/owner/repository.",
                field="source",
                code="source_not_git",
            )
        url = check_url(source.url, self.rules)
        # GitLab redirects a URL without ".git" to the one that has it. We add it ourselves; a host never chooses.
        with_suffix = url if url.endswith(".git") else url + ".git"
        urls = (with_suffix, url) if source.provider == "gitlab" else (url, with_suffix)
        try:
            async with asyncio.timeout(self.limits.total):
                try:
                    return await self._either(urls, None)
                except SourceNotReadable:
                    if self.login is None or not self.login.is_for(url):
                        raise
                return await self._either(urls, self.login)
        except TimeoutError as error:
            raise SourceTooSlow(
                f"The git host {split_url(url).host} did not answer within {self.limits.total:g} s.",
                hint="Try again later; if it stays slow, ask the people who run it.",
                field="source",
            ) from error

    async def _either(self, urls: tuple[str, str], login: Login | None) -> _Answer:
        first, second = urls
        try:
            return _Answer(url=first, output=await self._ls_remote(first, login), private=login is not None)
        except SourceMoved:
            if first == second:
                raise
            return _Answer(url=second, output=await self._ls_remote(second, login), private=login is not None)

    async def _ls_remote(self, url: str, login: Login | None) -> bytes:
        options = [*_OPTIONS, f"http.lowSpeedTime={self.limits.stall}"]
        if self.ca_bundle:
            options.append(f"http.sslCAInfo={self.ca_bundle}")
        address = split_url(url)
        added_by_site = any(is_under(address, prefix) for prefix in self.rules.extra)
        if not added_by_site:
            port = address.port or 443
            pinned = pin(address.host, port, await public_addresses(address.host, port))
            options.append(f"http.curloptResolve={pinned}")
        with ExitStack() as stack:
            descriptors = [stack.enter_context(handed(login.for_git()))] if login else []
            # git asks a helper for no other scheme, host and port than those in its name.
            options += [f"credential.{address.origin}.helper={reader(number)}" for number in descriptors]
            arguments = [text for option in options for text in ("-c", option)]
            command = ["prlimit", f"--as={self.limits.memory}", "--", "git", *arguments]
            code, output, said = await run(
                [*command, "ls-remote", "--symref", "--", url],
                _environment(http=added_by_site),
                self.limits.output,
                descriptors=descriptors,
            )
        if code:
            raise explain(said.decode("utf-8", "replace"), url, with_login=login is not None)
        return output


def reader(descriptor: int) -> str:
    """Return the credential helper that answers with what is in an inherited *descriptor*, and stores nothing."""
    return f'!f() {{ test "$1" = get && cat /proc/self/fd/{descriptor:d}; }}; f'


def _environment(*, http: bool) -> dict[str, str]:
    """Return the whole environment of git: what is not here, git does not know."""
    return {
        "PATH": _PATH,
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": "https:http" if http else "https",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }
