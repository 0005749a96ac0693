"""Where a person lands when a server is ready: a file of the repository, or a page of the server.

- a page, spelled as in a URL and used as it is: anything with a first ``/`` or a query (``git-pull?repo=…``), and what
  begins with one of `PAGES` (``lab/tree/x``); `check_open` gives it a first ``/``;
- a file or folder: a relative path inside the repository, spelled as on disk, and shown in JupyterLab.
"""

from __future__ import annotations

import re
from typing import NoReturn
from urllib.parse import parse_qsl, quote, unquote

from versatilehub.errors import InvalidSpec
from versatilehub.text import quoted, unseen

#: Beginnings of a page that need no first "/". Where a word is a common folder name too (lab, doc, notebooks), only its
#: two-part pages are here, or none.
PAGES = (
    "lab/tree",
    "lab/workspaces",
    "tree",
    "doc/tree",
    "doc/workspaces",
    "git-pull",
    "proxy",
    "rstudio",
    "shiny",
    "vscode",
    "code-server",
    "openvscode",
    "desktop",
    "voila/render",
    "voila/tree",
    "panel",
    "nbclassic",
    "retro",
    "terminals",
)
_ALONE = ("lab", "doc", "voila")
#: First parts that are the hub's pages, or act when they are merely opened.
NOT_PAGES = ("hub", "user", "user-redirect", "services", "login", "logout", "oauth_callback", "api")
#: First parts of a path on a machine: who types one means a file, and a page of that name does not exist.
_FOLDERS = (
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr",
    "var",
)
LENGTH_MAX = 1024
#: Bytes of one file name on Linux.
NAME_MAX = 255

_HINT = "Give a file of the repository, for example notebooks/intro.ipynb, or a page such as lab, rstudio or lab/tree/x."
_FIRST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")
_PORT = re.compile(r"[0-9]{1,5}")
# parameters the pages above follow as addresses of their own
_NESTED = ("urlpath", "path", "labpath", "filepath", "next", "redirect")
# kept as they are in a URL's path; % stays because it begins an escape already made
_SAFE_PATH = "/%:@!$&'()*+,=~-._"
_SAFE_QUERY = _SAFE_PATH + "?;"


def _refuse(message: str) -> NoReturn:
    raise InvalidSpec(message, hint=_HINT, field="open")


def check_open(text: str) -> str:
    """Return the normal form of *text*, "" for the server's first page; raise `InvalidSpec` for anything else."""
    if not isinstance(text, str):
        _refuse(f"open is a text; this is {quoted(text)}.")
    if text.startswith("/") or _is_page(text):
        path = check_urlpath(text)
        if path.partition("/")[0].lower() in _FOLDERS:
            _refuse(f"A file's path begins in the repository, without a first /; this is {quoted(text)}.")
        return f"/{path}" if path else ""
    if text.startswith("."):
        _refuse(f"Jupyter opens no hidden file or folder: {quoted(text)}.")
    return check_filepath(text) if text else ""


def _is_page(text: str) -> bool:
    path = text.partition("?")[0].rstrip("/")
    return path in _ALONE or "?" in text or any(f"{path}/".startswith(f"{page}/") for page in PAGES)


def check_filepath(path: str) -> str:
    """Return *path*, relative and spelled as on disk, without a last ``/``; raise `InvalidSpec` if it is not that."""
    _check_characters(path)
    if not path or path.startswith(("/", "-", "~")):
        _refuse(f"A file's path is relative and begins with a name; this is {quoted(path)}.")
    path = path.removesuffix("/")
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        _refuse(f"A file's path has no empty part, no . and no ..; this is {quoted(path)}.")
    if any(part.lower() == ".git" for part in parts):
        _refuse(f"Git's own folder is not part of the repository's content: {quoted(path)}.")
    if ":" in parts[0]:
        _refuse(f"A file's path names no drive and no scheme; this is {quoted(path)}.")
    if re.search(r"%[0-9A-Fa-f]{2}", path):
        _refuse(f"A file's path is spelled as on disk, without escapes like %20; this is {quoted(path)}.")
    if wrong := next((c for c in path if c in '$`;|<>*?"{}'), ""):
        _refuse(f"A path with {wrong} in it cannot be opened by name; this is {quoted(path)}.")
    if any(len(part.encode()) > NAME_MAX for part in parts):
        _refuse(f"A file name has at most {NAME_MAX} bytes; one in {quoted(path)} has more.")
    return path


def check_urlpath(text: str, depth: int = 0) -> str:
    """Return *text*, a path below a server's address, without a first ``/``; raise `InvalidSpec` if it leads elsewhere.

    Refused: anything that names a host or scheme, climbs with ``..`` (also escaped once or twice), escapes a
    separator, carries a token, or sends the server's proxy to another machine. ``""`` is the first page.
    """
    if not isinstance(text, str):
        _refuse(f"open is a text; this is {quoted(text)}.")
    _check_characters(text)
    text = text.removeprefix("/")
    path, _, query = text.partition("?")
    if "#" in text:
        _refuse(f"A page's address has no #; this is {quoted(text)}.")
    if query and not path:
        _refuse(f"A query belongs to a page, and this has none: {quoted(text)}.")
    _check_page(path)
    _check_query(query, depth)
    url = quote(path, safe=_SAFE_PATH) + (f"?{quote(query, safe=_SAFE_QUERY)}" if query else "")
    if len(url) > LENGTH_MAX:
        _refuse(f"open has at most {LENGTH_MAX} characters once escaped; this has {len(url)}.")
    return url


def _check_page(path: str) -> None:
    parts = path.removesuffix("/").split("/") if path else []
    if re.search(r"%(?![0-9A-Fa-f]{2})|%(?:[01][0-9A-F]|7F|25|2E|2F|5C)", path, re.IGNORECASE):
        _refuse(
            f"A page's address escapes no separator, dot, percent sign or control character; this is {quoted(path)}."
        )
    try:
        plain = unquote(path, errors="strict")
    except UnicodeDecodeError:
        _refuse(f"The escapes in {quoted(path)} are no UTF-8.")
    if unseen(plain) or any(c in plain for c in '`<>"{}|;^'):
        _refuse(f"A page's address has a character that is not allowed: {quoted(path)}.")
    if any(part in {"", ".", ".."} for part in parts):
        _refuse(f"A page's address has no empty part, no . and no ..; this is {quoted(path)}.")
    if parts and not _FIRST.fullmatch(parts[0]):
        _refuse(f"A page's address is below your server and names no host or scheme; this is {quoted(path)}.")
    if parts and parts[0].lower() in NOT_PAGES:
        _refuse(f"{quoted(parts[0])} is not a page to land on.")
    if parts and parts[0].lower() == "proxy":
        where = [part for part in plain.split("/")[1:] if part != "absolute"][:1]
        if where and where != [""] and not _PORT.fullmatch(where[0]):
            _refuse(
                f"A link reaches ports of your own server only, as in proxy/8080/; this is {quoted(path)}."
            )


def _check_query(query: str, depth: int) -> None:
    # twice: an address within the query is escaped once more
    plain = unquote(unquote(query))
    if re.search(r"token\s*=", plain, re.IGNORECASE):
        _refuse("An address with a token in it would sign you in as somebody else.")
    if unseen(plain) or any(c in plain for c in '`<>"{}|;\\'):
        _refuse(f"A page's query has a character that is not allowed: {quoted(query)}.")
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower() in _NESTED and depth == 0:
            check_urlpath(value, depth=1)
        elif name.lower() == "repo" and not re.fullmatch(
            r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[^\s\\]*", value
        ):
            _refuse(f"A repository in a link is an https address; this is {quoted(value)}.")


def _check_characters(text: str) -> None:
    if len(text) > LENGTH_MAX:
        _refuse(f"open has at most {LENGTH_MAX} characters; this has {len(text)}.")
    if text != text.strip():
        _refuse(f"open has white space at an edge: {quoted(text)}.")
    if odd := unseen(text):
        _refuse(f"open has a character that cannot be seen, {odd}.")
    if "\\" in text:
        _refuse(f"open has / between folders, no backslash; this is {quoted(text)}.")


def open_url(spec_open: str, repo_name: str) -> str:
    """Return the path below the server's address to land on, escaped exactly once, without a first ``/``.

    *spec_open* has passed `check_open`; *repo_name* is the repository's folder in the home, "" when the server's
    folder is the repository itself.
    """
    if spec_open.startswith("/"):
        return spec_open[1:]
    parts = [part for part in (repo_name, spec_open) if part]
    return "/".join(["lab/tree", *(quote(part, safe="/") for part in parts)]) if parts else "lab"
