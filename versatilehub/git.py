"""The only runner of git on the hub's side: asks a git host once which commit a ref stands for.

Git runs with an environment and options of its own (nothing of the hub's), may use https only (http for the
prefixes a site adds), follows no redirect, connects to the public addresses that were checked, and is killed with
its children when it takes too long, says too much or is no longer waited for. The event loop never blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from versatilehub.errors import InvalidSource, SourceFailure, SourceMoved, SourceTooSlow
from versatilehub.git_failures import explain
from versatilehub.git_hosts import pin, public_addresses
from versatilehub.git_refs import RemoteRefs, find, parse_refs
from versatilehub.source_address import is_under, split_url
from versatilehub.sources import check_ref, check_url

if TYPE_CHECKING:
    from asyncio import StreamReader
    from asyncio.subprocess import Process

    from versatilehub.sources import ResolvedSource, Source, SourceRules

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_CHUNK: Final = 65536
_STDERR_KEPT: Final = 65536

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
    source: Source, rules: SourceRules, limits: GitLimits = DEFAULT_LIMITS, *, ca_bundle: str = ""
) -> ResolvedSource:
    """Ask the host of *source* once for the commit its ref stands for.

    *ca_bundle* is the path of the certificates to trust in place of the machine's. The result's ``url`` is the
    address that answered; where ``open`` began with a part of a branch's name, it is shorter and ``ref`` longer.
    A full commit id is taken as it is once the host has shown that the repository can be read; whether the commit
    exists is seen when it is fetched. Raises SourceFailure and its kinds, InvalidSource, and Refusal for a host
    that is not public.
    """
    source = replace(source, ref=check_ref(source.ref))
    url, output = await _ask(source, rules, limits, ca_bundle)
    # A host may list a million refs: reading them takes longer than the event loop may wait.
    found = await asyncio.to_thread(lambda: find(_read_refs(output), source))
    return replace(found, url=url)


async def list_refs(
    source: Source, rules: SourceRules, limits: GitLimits = DEFAULT_LIMITS, *, ca_bundle: str = ""
) -> RemoteRefs:
    """Ask the host of *source* for all its branches and tags; raises as `resolve` does."""
    _, output = await _ask(source, rules, limits, ca_bundle)
    return await asyncio.to_thread(_read_refs, output)


def _read_refs(output: bytes) -> RemoteRefs:
    return parse_refs(output.decode("utf-8", "surrogateescape"))


async def _ask(source: Source, rules: SourceRules, limits: GitLimits, ca_bundle: str) -> tuple[str, bytes]:
    """Return the URL that answered and what it said."""
    if not source.is_git:  # only a caller that goes round `resolver` gets here
        raise InvalidSource(
            f"{source.url} is a record of an archive, which git cannot read.",
            hint="Paste the link of a git repository, such as https://github.com/owner/repository.",
            field="source",
            code="source_not_git",
        )
    url = check_url(source.url, rules)
    # GitLab redirects a URL without ".git" to the one that has it. We add it ourselves; a host never chooses.
    with_suffix = url if url.endswith(".git") else url + ".git"
    first, second = (with_suffix, url) if source.provider == "gitlab" else (url, with_suffix)
    try:
        async with asyncio.timeout(limits.total):
            try:
                return first, await _ls_remote(first, rules, limits, ca_bundle)
            except SourceMoved:
                if first == second:
                    raise
                return second, await _ls_remote(second, rules, limits, ca_bundle)
    except TimeoutError as error:
        raise SourceTooSlow(
            f"The git host {split_url(url).host} did not answer within {limits.total:g} s.",
            hint="Try again later; if it stays slow, ask the people who run it.",
            field="source",
        ) from error


async def _ls_remote(url: str, rules: SourceRules, limits: GitLimits, ca_bundle: str) -> bytes:
    options = [*_OPTIONS, f"http.lowSpeedTime={limits.stall}"]
    if ca_bundle:
        options.append(f"http.sslCAInfo={ca_bundle}")
    address = split_url(url)
    added_by_site = any(is_under(address, prefix) for prefix in rules.extra)
    if not added_by_site:
        port = address.port or 443
        pinned = pin(address.host, port, await public_addresses(address.host, port))
        options.append(f"http.curloptResolve={pinned}")
    arguments = [text for option in options for text in ("-c", option)]
    command = [
        "prlimit",
        f"--as={limits.memory}",
        "--",
        "git",
        *arguments,
        "ls-remote",
        "--symref",
        "--",
        url,
    ]
    code, output, said = await _run(command, _environment(http=added_by_site), limits.output)
    if code:
        raise explain(said.decode("utf-8", "replace"), url)
    return output


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


async def _run(command: list[str], environment: dict[str, str], most: int) -> tuple[int, bytes, bytes]:
    """Run *command* in a process group of its own; return exit code, output, and errors.

    However this ends, nothing of the group is left. Raises SourceFailure when the output exceeds *most* bytes.
    """
    # "/" has no .git whose configuration would count, wherever the hub was started.
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            env=environment,
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _kill(await starting)
        raise
    assert process.stdout is not None  # noqa: S101 - asked for above; tells the type checker
    assert process.stderr is not None  # noqa: S101
    reading_errors = asyncio.ensure_future(_read_kept(process.stderr, _STDERR_KEPT))
    try:
        output = await _read_all(process.stdout, most)
        return await process.wait(), output, await reading_errors
    finally:
        reading_errors.cancel()
        await _kill(process)


async def _kill(process: Process) -> None:
    """End the process and what it started, and collect it and what its pipes still hold."""
    if process.returncode is None:
        # It may have ended by itself, and been collected, in this moment.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()


async def _read_all(stream: StreamReader, most: int) -> bytes:
    read = bytearray()
    while chunk := await stream.read(_CHUNK):
        read += chunk
        if len(read) > most:
            raise SourceFailure(
                f"The repository lists more branches and tags than fit into {most / 2**20:g} MiB.",
                hint="Use a copy of the repository with fewer of them.",
                field="source",
                code="source_too_large",
            )
    return bytes(read)


async def _read_kept(stream: StreamReader, most: int) -> bytes:
    """Read to the end, so that the writer never waits, and return the last *most* bytes."""
    read = b""
    while chunk := await stream.read(_CHUNK):
        read = (read + chunk)[-most:]
    return read
