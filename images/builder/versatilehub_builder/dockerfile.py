"""A small reader of Dockerfiles: logical lines, flags, words and stages, with the line each came from.

Engines differ in two points of the grammar: whether here-documents exist, and whether a line that ends in two
backslashes goes on. A text may therefore be several programs; `readings` gives them all and a check must pass on each.
Names of here-documents are plain ones, so that where one ends every reading is at the beginning of an instruction.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEREDOC = re.compile(r"\d*<<(-?)([^<]+)")  # BuildKit's own, on one word
_PLAIN_NAME = re.compile(r"([\"']?)[A-Za-z0-9_][A-Za-z0-9_.-]*\1")
_DIRECTIVE = re.compile(r"\s*(?:#|//)\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.*?)\s*")
MAX_INSTRUCTIONS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: *name* in upper case, *flags* without quotes ("--from=x"), *rest* after them, *line* from 1."""

    name: str
    flags: tuple[str, ...]
    rest: str
    line: int

    @property
    def words(self) -> tuple[str, ...]:
        """The operands, without the quotes and backslashes an engine takes off: those of the JSON form, too."""
        listed: object = None
        if self.rest.startswith("["):
            # Older engines read the first JSON value and leave what follows it.
            with contextlib.suppress(ValueError, RecursionError):
                listed, _ = json.JSONDecoder().raw_decode(self.rest)
        strings = isinstance(listed, list) and all(isinstance(item, str) for item in listed)
        found = listed if isinstance(listed, list) and strings else self.rest.split()
        return tuple(bare(word) for word in found)

    def flag(self, name: str) -> list[str]:
        """Return the values of the flag *name* ("" for one without a value), compared without case."""
        found = []
        for flag in self.flags:
            key, _, value = flag.removeprefix("--").partition("=")
            if key.lower() == name:
                found.append(value)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to read a text; *open* says that it ends within an instruction or a here-document."""

    instructions: tuple[Instruction, ...]
    open: bool


def directives(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield (name, value, line) of the parser directives: any comment of that form before the first instruction."""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith(("#", "//")):
            return
        match = _DIRECTIVE.fullmatch(line)
        if match:
            yield match[1].lower(), match[2], number


def odd_line(text: str) -> int:
    """Return the first line with characters engines disagree on, or that we and they may see differently; 0 if none.

    That is a control character, or white space other than blanks and tabs where a line begins.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        begin = line.lstrip(" \t").removesuffix("\r")[:1]
        if begin.isspace() or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line.removesuffix("\r")):
            return number
    return 0


def readings(text: str) -> list[Reading]:
    """Return the distinct ways in which an engine may read *text*."""
    text = text.removeprefix("\ufeff")
    found: list[Reading] = []
    for heredocs in (True, False):
        for doubled in (True, False):
            reading = _read(text.split("\n"), heredocs=heredocs, doubled=doubled)
            if reading not in found:
                found.append(reading)
    return found


def _read(lines: list[str], *, heredocs: bool, doubled: bool) -> Reading:
    goes_on = re.compile(r"\\[ \t]*$" if doubled else r"(?:^|[^\\])\\[ \t]*$")
    instructions: list[Instruction] = []
    open_end = False
    index = 0
    while index < len(lines) and len(instructions) <= MAX_INSTRUCTIONS:
        first, text = index, lines[index].removesuffix("\r").lstrip(" \t")
        index += 1
        if not text or text.startswith("#"):
            continue
        open_end = bool(goes_on.search(text))
        while open_end:
            text = text.rstrip(" \t")[:-1]
            if index == len(lines):
                break
            more = lines[index].removesuffix("\r")
            index += 1
            if not more.strip() or more.lstrip().startswith("#"):
                text += "\\"  # blank and comment lines within an instruction do not end it
                continue
            open_end = bool(goes_on.search(more))
            text += more
        instruction = _instruction(text, first + 1)
        instructions.append(instruction)
        if instruction.name in {"RUN", "COPY", "ADD", "ONBUILD"}:
            names = _heredocs(text)
            if not all(_PLAIN_NAME.fullmatch(name) for _, name in names):
                return Reading(instructions=tuple(instructions), open=True)
            if heredocs and names:
                index, open_end = _skip(lines, index, names)
    return Reading(instructions=tuple(instructions), open=open_end)


def _heredocs(text: str) -> list[tuple[bool, str]]:
    """Return (tabs are left out, name as written) of the here-documents an instruction begins."""
    found = map(_HEREDOC.fullmatch, split_words(text))
    return [(bool(match[1]), match[2]) for match in found if match]


def _skip(lines: list[str], index: int, names: list[tuple[bool, str]]) -> tuple[int, bool]:
    """Return where the here-documents *names* end, and whether one does not."""
    for tabs, name in names:
        while True:
            if index >= len(lines):
                return index, True
            line = lines[index].removesuffix("\r")
            index += 1
            if (line.lstrip("\t") if tabs else line) == bare(name):
                break
    return index, False


def bare(word: str) -> str:
    """Return *word* without quotes and backslashes."""
    return re.sub(r"[\"'\\]", "", word)


def split_words(text: str) -> list[str]:
    """Split at white space outside of quotes, quotes and backslashes kept."""
    words, word, quote, escaped = [], "", "", False
    for letter in text:
        if not quote and not escaped and letter.isspace():
            words.append(word)
            word = ""
            continue
        if not escaped and letter in "'\"" and quote in {"", letter}:
            quote = "" if quote else letter
        escaped = letter == "\\" and not escaped and quote != "'"
        word += letter
    return [word for word in (*words, word) if word]


def _instruction(text: str, line: int) -> Instruction:
    name, _, rest = text.strip().replace("\t", " ").partition(" ")
    flags, rest = _flags(rest)
    name = name.replace("\u0130", "i").replace("\u212a", "k")  # letters that Go makes ASCII of
    return Instruction(name=name.upper(), flags=tuple(flags), rest=rest.strip(), line=line)


def _flags(rest: str) -> tuple[list[str], str]:
    """Split the leading ``--flags`` off, as BuildKit's extractBuilderFlags does: quotes and backslashes resolved."""
    flags: list[str] = []
    index = 0
    while True:
        while index < len(rest) and rest[index].isspace():
            index += 1
        if not rest.startswith("--", index):
            return flags, rest[index:]
        word, quote = "", ""
        while index < len(rest) and (quote or not rest[index].isspace()):
            letter = rest[index]
            if letter == "\\" and index + 1 < len(rest) and quote != "'":
                index += 1
                word += rest[index]
            elif quote and letter == quote:
                quote = ""
            elif not quote and letter in "'\"":
                quote = letter
            else:
                word += letter
            index += 1
        if word == "--":
            return flags, rest[index:]
        flags.append(word)
