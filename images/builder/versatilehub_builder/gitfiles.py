"""The files git and git-lfs act on: ``.gitmodules`` and ``.lfsconfig``, read and refused where they attack.

What can only be an attack on git (CVE-2018-11235, CVE-2018-17456, CVE-2025-48384) is refused, also because a person may
run ``git submodule update`` later; ssh forms are common, and are fetched from the https address of the same path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from versatilehub_builder.hosts import is_under, public_host, public_url
from versatilehub_builder.lines import Failure

_SECTION = re.compile(r"\[\s*([A-Za-z0-9.-]+)\s*(?:\"((?:[^\"\\]|\\.)*)\")?\s*\]\s*(.*)")
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?")
_SCP = re.compile(r"(?:[A-Za-z0-9_.][A-Za-z0-9_.-]*@)?([A-Za-z0-9.-]+):(?!/)([A-Za-z0-9_~.][^:\s]*)")
_SSH = re.compile(r"ssh://(?:[A-Za-z0-9_.][A-Za-z0-9_.-]*@)?([A-Za-z0-9.-]+)(?::\d{1,5})?/([^-\s]\S*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One ``key = value`` of a git configuration file; section and key in lower case."""

    section: str
    name: str  # of the subsection, "" if none
    key: str
    value: str


def read_config(text: str) -> list[Setting]:
    """Return the settings of a git configuration text; raise ValueError on a line that is none."""
    settings: list[Setting] = []
    section = name = ""
    joined = re.sub(r"\\\r?\n", "", text.removeprefix("\ufeff"))
    for raw in joined.split("\n"):
        line = raw.strip(" \t\r") if not raw.endswith("\r\r") else raw
        match = _SECTION.fullmatch(line)
        if match:
            section, name = match[1].lower(), re.sub(r"\\(.)", r"\1", match[2] or "")
            line = match[3]
        if not line or line[0] in "#;":
            continue
        pair = _KEY.fullmatch(line)
        if not pair or not section:
            raise ValueError(line[:80])
        value = _value(pair[2]) if pair[2] is not None else "true"
        settings.append(Setting(section=section, name=name, key=pair[1].lower(), value=value))
    return settings


def _value(text: str) -> str:
    """Return *text* as git reads a value: quotes away, escapes resolved, comment cut."""
    out, quoted, index = [], False, 0
    while index < len(text):
        letter = text[index]
        if letter == "\\" and index + 1 < len(text):
            index += 1
            out.append({"n": "\n", "t": "\t", "b": "\b"}.get(text[index], text[index]))
        elif letter == '"':
            quoted = not quoted
        elif letter in "#;" and not quoted:
            break
        else:
            out.append(letter)
        index += 1
    return "".join(out).strip(" \t")


def check_gitmodules(text: str, prefixes: tuple[str, ...] = ()) -> None:
    """Raise `Failure` (``submodule_refused``) when a submodule's name, path, URL or update rule is an attack."""
    try:
        settings = read_config(text)
    except ValueError as error:
        raise _submodule(f"the line {str(error)!r} cannot be read") from error
    for each in settings:
        if each.section != "submodule":
            continue
        if not _inside(each.name) or not each.name:
            raise _submodule(f"the name {each.name[:80]!r} leads out of the repository")
        if each.key == "path" and (not each.value or not _inside(each.value)):
            raise _submodule(f"the path {each.value[:80]!r} leads out of the repository")
        if each.key == "url" and not _submodule_url(each.value, prefixes):
            raise _submodule(f"the address {each.value[:80]!r} is not allowed")
        if each.key == "update" and each.value not in {"checkout", "rebase", "merge", "none"}:
            raise _submodule(f"the update rule {each.value[:80]!r} runs a command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One submodule as its ``.gitmodules`` names it; *wanted* is False where that says ``update = none``."""

    path: str
    url: str
    wanted: bool = True


def modules_of(text: str) -> dict[str, Module]:
    """Return the submodules that a checked ``.gitmodules`` names, by path."""
    named: dict[str, dict[str, str]] = {}
    for each in read_config(text):
        if each.section == "submodule":
            named.setdefault(each.name, {})[each.key] = each.value
    found = [
        Module(path=one["path"].rstrip("/"), url=one["url"], wanted=one.get("update") != "none")
        for one in named.values()
        if one.get("path") and one.get("url")
    ]
    return {one.path: one for one in found}


def module_address(url: str, parent: str) -> str:
    """Return the https (or http) address that *url* of a ``.gitmodules`` means in the repository at *parent*.

    ``../other`` is relative to the parent's address, as git reads it; ssh forms become the https address of the same path,
    because nobody's ssh key is here. "" for what has no such address.
    """
    if url.startswith(("./", "../")):
        origin, _, path = parent.rstrip("/").partition("://")[2].partition("/")
        scheme, folders = parent.partition("://")[0], path.split("/")
        for part in url.split("/"):
            if part == "..":
                if not folders:
                    return ""
                folders.pop()
            elif part not in {"", "."}:
                folders.append(part)
        return f"{scheme}://{origin}/{'/'.join(folders)}" if folders else ""
    ssh = _SSH.fullmatch(url)
    if ssh:
        return f"https://{ssh[1]}/{ssh[2]}"
    scp = None if "://" in url else _SCP.fullmatch(url)
    return f"https://{scp[1]}/{scp[2]}" if scp else url.rstrip("/")


def check_lfsconfig(text: str, url: str) -> None:
    """Raise `Failure` (``lfs_endpoint_refused``) when large files would come from elsewhere than *url* itself."""
    own = {end for base in (url, url + ".git") for end in (base, base + "/info/lfs")}
    try:
        settings = read_config(text)
    except ValueError as error:
        raise _endpoint(str(error)) from error
    for each in settings:
        if each.key in {"url", "pushurl", "lfsurl", "lfspushurl", "insteadof", "pushinsteadof"}:
            if each.value.rstrip("/") not in own:
                raise _endpoint(each.value)
        elif each.section == "lfs" and each.key not in _LFS_KEYS:
            raise _endpoint(f"{each.section}.{each.key}")


# What git-lfs itself takes from a repository's .lfsconfig, without the addresses.
_LFS_KEYS = {
    "access",
    "allowincompletepush",
    "fetchexclude",
    "fetchinclude",
    "gitprotocol",
    "locksverify",
    "skipdownloaderrors",
}


def _inside(path: str) -> bool:
    if re.search(r"[\x00-\x1f\x7f\\]", path) or path.startswith(("/", "-")):
        return False
    parts = path.split("/")
    return not any(part in {"..", "."} or part.lower() in {".git", "git~1"} for part in parts)


def _submodule_url(url: str, prefixes: tuple[str, ...]) -> bool:
    if re.search(r"[\x00-\x20\x7f\\{}<>`$;|&]", url) or url.startswith("-") or "::" in url:
        return False
    if url.startswith(("./", "../")):
        return ":" not in url
    if any(is_under(url, prefix) for prefix in prefixes) or public_url(url):
        return "/../" not in url
    ssh = _SSH.fullmatch(url) or (None if "://" in url else _SCP.fullmatch(url))
    return bool(ssh) and public_host(ssh[1] if ssh else "")


def _submodule(reason: str) -> Failure:
    return Failure(
        "submodule_refused",
        f"The file .gitmodules is refused: {reason}.",
        hint="Use plain https addresses, and names and paths inside the repository.",
        file=".gitmodules",
    )


def _endpoint(value: str) -> Failure:
    return Failure(
        "lfs_endpoint_refused",
        f"The file .lfsconfig sends large files elsewhere: {value[:120]!r}.",
        hint="Large files come from the repository's own host only: remove that line from .lfsconfig.",
        file=".lfsconfig",
    )
