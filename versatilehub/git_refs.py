"""Which commit a ref stands for: pure matching on what ``git ls-remote --symref`` prints.

Names match whole or not at all (a pattern given to git would also match tails: ``main`` finds ``aaa/main``), tags
are peeled to their commit, and a name that means two commits is an error. Nothing here runs git.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from versatilehub.errors import RefAmbiguous, RefNotFound
from versatilehub.sources import ResolvedSource, longer_refs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from versatilehub.sources import Source

HEADS: Final = "refs/heads/"
TAGS: Final = "refs/tags/"

_HEX: Final = "0123456789abcdef"
_COMMIT = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_ABBREVIATION = re.compile(r"[0-9a-fA-F]{7,63}")

# Comparing spellings is quadratic in their length: a host that lists a million branches gets no better hint.
_MOST_COMPARED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRefs:
    """What a repository offers. *refs* maps full names to commits, tags peeled; *head* is HEAD's commit."""

    head: str  # "" when the repository is empty, or its default branch does not exist
    default: str  # the default branch without refs/heads/, "" when HEAD is a commit or nothing
    refs: Mapping[str, str]

    @property
    def branches(self) -> tuple[str, ...]:
        """Return the names of all branches, without ``refs/heads/``."""
        return tuple(name.removeprefix(HEADS) for name in self.refs if name.startswith(HEADS))

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the names of all tags, without ``refs/tags/``."""
        return tuple(name.removeprefix(TAGS) for name in self.refs if name.startswith(TAGS))


def parse_refs(output: str) -> RemoteRefs:
    """Read the output of ``git ls-remote --symref``; lines of another form are ignored."""
    refs: dict[str, str] = {}
    default = ""
    for line in output.split("\n"):
        # Plain string calls: a pattern for each of a million lines would take seconds.
        left, _, name = line.partition("\t")
        if name and len(left) in {40, 64} and not left.strip(_HEX):
            # The peeled line follows the tag's own and replaces it.
            refs[name.removesuffix("^{}")] = left
        elif name == "HEAD" and left.startswith("ref: "):
            default = left.removeprefix("ref: ").removeprefix(HEADS)
    head = refs.pop("HEAD", "")
    return RemoteRefs(head=head, default=default, refs=refs)


def find(offered: RemoteRefs, source: Source) -> ResolvedSource:
    """Return *source* with the one commit its ref stands for.

    "" and ``HEAD`` are the default branch; 40 or 64 hex digits are a commit, whose existence only a fetch shows;
    ``refs/…`` is one full name; all else is a branch or a tag. A link such as ``/tree/feature/x/path`` does not
    say where the branch ends, so when the ref is no name, it takes parts of the path to open, as many as it can.
    Raises RefNotFound or RefAmbiguous.
    """
    if not offered.refs and not offered.head:
        message, hint = (
            "The repository is empty: it has no commit yet.",
            "Push a first commit, then try again.",
        )
        raise RefNotFound(message, hint=hint, field="ref", code="source_empty")
    ref = source.ref
    if ref in {"", "HEAD"}:
        return _at(source, _head(offered))
    if _COMMIT.fullmatch(ref):
        return _at(source, _own_format(offered, ref.lower()))
    for candidate in (source, *reversed(tuple(longer_refs(source)))):
        if commit := _commit_of(offered, candidate.ref):
            return _at(candidate, commit)
    raise _not_found(offered, ref)


def _at(source: Source, commit: str) -> ResolvedSource:
    return ResolvedSource(
        provider=source.provider,
        url=source.url,
        commit=commit,
        ref=source.ref,
        subdir=source.subdir,
        open=source.open,
    )


def _head(offered: RemoteRefs) -> str:
    if offered.head:
        return offered.head
    raise RefNotFound(
        "The repository's default branch does not exist.",
        hint=f"Name a branch as the ref: {_listed(offered.branches)}." if offered.branches else "Name a ref.",
        field="ref",
    )


def _own_format(offered: RemoteRefs, commit: str) -> str:
    digits = len(offered.head or next(iter(offered.refs.values())))
    if len(commit) != digits:
        message = f"Commit ids of this repository have {digits} hex digits, and this one has {len(commit)}."
        raise RefNotFound(message, hint="Copy the full commit id from its page.", field="ref")
    return commit


def _commit_of(offered: RemoteRefs, name: str) -> str:
    """Return the commit of *name*, "" when there is none; two different ones raise."""
    if name.startswith("refs/"):
        return offered.refs.get(name, "")
    branch, tag = offered.refs.get(HEADS + name, ""), offered.refs.get(TAGS + name, "")
    if branch and tag and branch != tag:
        raise RefAmbiguous(
            f"`{name}` is a branch at {branch[:12]} and also a tag at {tag[:12]}.",
            hint=f"Write `{HEADS}{name}` for the branch or `{TAGS}{name}` for the tag.",
            field="ref",
        )
    return branch or tag


def _not_found(offered: RemoteRefs, ref: str) -> RefNotFound:
    if _ABBREVIATION.fullmatch(ref) and (near := _abbreviated(offered, ref.lower())):
        return RefNotFound(
            f"No branch or tag is named `{ref}`, and commit ids are taken in full only.",
            hint=f"For the commit at `{near[0]}`, write `{near[1]}`.",
            field="ref",
        )
    near_names = _near(offered, ref)
    there = f"; there is {_listed(near_names)}" if near_names else ""
    kind = "ref" if ref.startswith("refs/") else "branch or tag"
    hint = "Check the spelling, or leave the ref empty"
    hint += f" for the default branch, `{offered.default}`." if offered.default else "."
    return RefNotFound(f"No {kind} `{ref}`{there}.", hint=hint, field="ref")


def _abbreviated(offered: RemoteRefs, digits: str) -> tuple[str, str] | None:
    matches = ((name, commit) for name, commit in offered.refs.items() if commit.startswith(digits))
    return next(((name.removeprefix(HEADS).removeprefix(TAGS), commit) for name, commit in matches), None)


def _near(offered: RemoteRefs, ref: str) -> tuple[str, ...]:
    if ref.startswith("refs/"):
        names: Iterable[str] = offered.refs
    elif "refs/" + ref in offered.refs:
        return ("refs/" + ref,)
    else:
        names = dict.fromkeys((*offered.branches, *offered.tags))
    same = [name for name in names if name.casefold() == ref.casefold() or name.endswith("/" + ref)]
    if same:
        return tuple(same[:3])
    alike = [name for name in names if name.isprintable() and abs(len(name) - len(ref)) <= 3]
    likeness = 0.5 if len(ref) < 4 else 0.6  # of 1; "v3" is half of "v2"
    near = tuple(difflib.get_close_matches(ref, alike[:_MOST_COMPARED], n=3, cutoff=likeness))
    return near or ((offered.default,) if ref in ("main", "master") and offered.default else ())


def _listed(names: Iterable[str]) -> str:
    shown = [f"`{name}`" for name in names][:3]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
