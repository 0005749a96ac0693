"""Causes that lie in the Dockerfile, and in the commands and scripts of its steps. Pure."""

from __future__ import annotations

from typing import Final

from .failure_rule import DOCKER, PIP, Rule

STEPS: Final[tuple[Rule, ...]] = (
    Rule(
        code="base_image_missing",
        pattern=r"(?<![\w./:-])(?P<what>[\w./:-]+): (?:failed to resolve|pull access denied)"
        r"|failed to resolve source metadata for (?P<what2>[\w./-]+(?::[\w.-]+)?)",
        message="The image “{}” the Dockerfile starts from cannot be fetched.",
        hint="Check the FROM line, or start from `versatilehub/singleuser`.",
        file=DOCKER,
    ),
    Rule(
        code="copy_missing",
        pattern=r"\"(?P<what>/[^\"\n]+)\"(?: not found)?: not found",
        message="The Dockerfile copies “{}”, which is not in the repository.",
        hint="Check the path, its case, and `.dockerignore`.",
        file=DOCKER,
    ),
    Rule(
        code="dockerfile_syntax",
        pattern=r"[Dd]ockerfile parse error (?:on )?(?:line (?P<line>\d+): )?(?P<what>[^\n]*)",
        message="The Dockerfile cannot be read: “{}”.|The Dockerfile cannot be read.",
        hint="Correct that line.",
        file=DOCKER,
    ),
    Rule(
        code="dockerfile_invalid",
        pattern=r"failed to create LLB definition: (?P<what>[^\n]+)",
        message="The Dockerfile cannot be built: “{}”.",
        hint="Correct the instruction it names.",
        file=DOCKER,
    ),
    Rule(
        code="user_unknown",
        pattern=r"unable to find user (?P<what>[^\s:]+): no matching entries",
        message="The Dockerfile names the user “{}”, whom the image does not have.",
        hint="Make the user first (`RUN useradd …`), or write the number of an existing one.",
        file=DOCKER,
    ),
    Rule(
        code="exec_format",
        pattern=r"exec (?P<what>\S+): exec format error|(?<![^\s:])(?P<what2>[^\s:]+): cannot execute binary file: Exec format error",
        message="“{}” is no program of this machine: built for another processor, or a script without a first line.",
        hint="Use a build for this machine's processor; begin a script with `#!/bin/sh`.",
    ),
    Rule(
        code="sudo_missing",
        pattern=r"sudo: (?:command )?not found",
        message="A step uses sudo, which images do not have.",
        hint="Leave it out: steps run as root after `USER root`, and `apt.txt` needs no root at all.",
    ),
    Rule(
        code="interpreter_missing",
        pattern=r"/bin/sh: \d+: (?P<what>\.{0,2}/[^\s:]+): not found|env: ['‘](?P<what2>[^'’\n]+)['’]: No such file|bad interpreter",
        message="The script “{}”, or the program that its first line names, is not there.|A script's first line names no program.",
        hint="Save it with Unix line ends (LF, not CRLF), and check its first line and its path.",
    ),
    Rule(
        code="script_not_executable",
        pattern=r"/bin/(?:ba)?sh: (?:line )?\d+: (?P<what>\S+): Permission denied|exit code:? 126\b",
        message="The script “{}” may not be executed.|A script may not be executed.",
        hint="Mark it in git: `git update-index --chmod=+x …`, or run it with `bash …`.",
    ),
    Rule(
        code="read_only",
        pattern=r"['‘](?P<what>/[^'’\n]+)['’]: Read-only file system|Read-only file system",
        message="A step writes “{}”, which is read-only in a build.|A step writes where a build may only read.",
        hint="Write into the image instead, for example below /srv/repo or /tmp.",
    ),
    Rule(
        code="permission_denied",
        pattern=r"['‘](?P<what>[^'’\n]+)['’]: Permission denied|Permission denied: '(?P<what2>[^'\n]+)'",
        message="A step may not write “{}”.",
        hint="Write `USER root` before it, or give the file to the image's user (`COPY --chown=1000:100`).",
    ),
    Rule(
        code="jupyter_command",
        pattern=r"Jupyter command `jupyter-(?P<what>[^`\n]+)` not found",
        message="There is no command “jupyter {}” in the image.",
        hint="Install the package that has it, in `requirements.txt`.",
        file=PIP,
    ),
    Rule(
        code="command_not_found",
        pattern=r"/bin/sh: \d+: (?P<what>[^\s:]+): not found|(?<![^\s:])(?P<what2>[^\s:]+): command not found|exit code:? 127\b",
        message="A step runs a command that is not installed: “{}”.|A step runs a command that is not installed.",
        hint="Install it first (`apt.txt`, or a RUN line before this one).",
    ),
    Rule(
        code="python_module_missing",
        pattern=r"ModuleNotFoundError: No module named '(?P<what>[^'\n]+)'",
        message="A Python script of the build needs the module “{}”, which is not installed.",
        hint="Add its package to `requirements.txt`, or install it before this step.",
    ),
    Rule(
        code="text_encoding",
        pattern=r"Unicode(?:De|En)codeError: (?P<what>[^\n]+)",
        message="A Python script read a file in the wrong encoding: “{}”.",
        hint='Save the file as UTF-8, and open it with `encoding="utf-8"`.',
    ),
    Rule(
        code="python_syntax",
        pattern=r"File \"(?:/srv/repo/)?(?:\./)?(?P<file>[^\"\n]+)\", line (?P<line>\d+)\n(?:[^\n]*\n){1,3}?[^\n]*SyntaxError: (?P<what>[^\n]+)",
        message="A Python script has an error in its text: “{}”.",
        hint="Correct that line; a script for Python 2 has to be brought to Python 3.",
    ),
    Rule(
        code="python_failed",
        pattern=r"^(?:#\d+ [\d.]+ )?[ \t]{0,40}(?P<what>(?:[A-Za-z_]\w*\.){0,9}[A-Z]\w*(?:Error|Exception)\b: ?[^\n]*)",
        message="A Python script of the build failed: “{}”.",
        hint="The log shows where in the script.",
    ),
    Rule(
        code="make_failed",
        pattern=r"make(?:\[\d+\])?: \*\*\* \[(?P<file>[^:\]\n]+):(?P<line>\d+): (?P<what>[^\]\n]+)\] Error"
        r"|make: \*\*\* No rule to make target '(?P<what2>[^'\n]+)'",
        message="`make` could not make “{}”.",
        hint="The lines before say why.",
        file="Makefile",
    ),
    Rule(
        code="post_build",
        pattern=r"exit code (?P<other>\d+)\)[^\n]*postBuild|postBuild[^\n]*(?:exit code:? (?P<other2>\d+)|did not complete)",
        message="The repository's `postBuild` ended with exit code {other}.|The repository's `postBuild` script failed.",
        hint="Its output is at the end of the log.",
        file="postBuild",
    ),
    Rule(
        code="step_failed",
        pattern=r"process \"(?P<what>[^\n]*)\" did not complete successfully",
        message="A step of the build failed: {}",
        hint="Its output is above the last lines of the log.",
        file=DOCKER,
    ),
)
