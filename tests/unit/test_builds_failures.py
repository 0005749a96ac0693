"""Tests of the table that says what a failed build died of."""

from __future__ import annotations

import pytest

from versatilehub.builds.events import BuilderLine
from versatilehub.builds.failures import Cause, explain, known


def _explain(code: str, message: str, lines: list[str], *, hint: str = "", file: str = "") -> Cause:
    return explain(BuilderLine(kind="error", code=code, message=message, hint=hint, file=file), lines)


SAMPLES = [
    pytest.param("disk_full", "#9 4.2 tar: x: Cannot write: No space left on device", "", id="disk"),
    pytest.param(
        "out_of_memory",
        '#9 ERROR: process "/bin/sh -c x" did not complete successfully: exit code: 137',
        "",
        id="oom",
    ),
    pytest.param("too_many_processes", "#9 0.3 /bin/sh: 1: Cannot fork", "", id="forks"),
    pytest.param(
        "package_not_found",
        "#9 1.2 ERROR: No matching distribution found for numppy==9",
        "requirements.txt",
        id="pip-missing",
    ),
    pytest.param(
        "package_not_found",
        "#9 1.2   ╰─▶ Because numppy was not found in the package registry and you require numppy",
        "requirements.txt",
        id="uv-missing",
    ),
    pytest.param(
        "package_not_found",
        "0.5   cause: Because there is no version of numpy==99.9 and you require numpy==99.9, we can conclude",
        "requirements.txt",
        id="uv-version",
    ),
    pytest.param(
        "requirements_file_missing",
        "0.4   cause: failed to read from file `/srv/repo/missing.txt`: No such file or directory (os error 2)",
        "requirements.txt",
        id="uv-include",
    ),
    pytest.param(
        "requirements_file_missing",
        "ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'missing.txt'",
        "requirements.txt",
        id="pip-include",
    ),
    pytest.param(
        "package_conflict",
        "#9 3 ERROR: ResolutionImpossible: for help visit",
        "requirements.txt",
        id="conflict",
    ),
    pytest.param(
        "python_version",
        "#9 1 ERROR: Package 'x' requires a different Python: 3.13",
        "requirements.txt",
        id="python",
    ),
    pytest.param(
        "requirements_syntax", "#9 1 ERROR: Invalid requirement: 'numpy=2'", "requirements.txt", id="syntax"
    ),
    pytest.param(
        "compiler_missing", "#9 8 error: command 'gcc' failed: No such file or directory", "apt.txt", id="gcc"
    ),
    pytest.param("apt_package_not_found", "#9 2 E: Unable to locate package libfoo", "apt.txt", id="apt"),
    pytest.param("conda_package_not_found", "#9 2 nothing provides foo >=2", "environment.yml", id="conda"),
    pytest.param(
        "r_package_not_found",
        "#9 2 package ‘foo’ is not available for this version of R",
        "install.R",
        id="r",
    ),
    pytest.param(
        "network", "#9 2 fatal: unable to access: Could not resolve host: example.org", "", id="dns"
    ),
    pytest.param(
        "certificate", "#9 2 SSL: CERTIFICATE_VERIFY_FAILED certificate verify failed", "", id="tls"
    ),
    pytest.param(
        "base_image_missing",
        "ERROR: failed to resolve source metadata for docker.io/a/b:1: not found",
        "Dockerfile",
        id="from",
    ),
    pytest.param(
        "copy_missing",
        'ERROR: failed to compute cache key: failed to calculate checksum of ref 1::2: "/nope": not found',
        "Dockerfile",
        id="copy",
    ),
    pytest.param(
        "copy_missing",
        'ERROR: failed to solve: failed to compute cache key: "/nope.txt" not found: not found',
        "Dockerfile",
        id="copy-20.10",
    ),
    pytest.param(
        "dockerfile_syntax",
        "ERROR: dockerfile parse error on line 2: unknown instruction: RUM",
        "Dockerfile:2",
        id="parse",
    ),
    pytest.param(
        "post_build",
        'ERROR: process "/bin/sh -c ./postBuild" did not complete successfully: exit code: 1',
        "postBuild",
        id="post",
    ),
    pytest.param("command_not_found", "#9 0.1 /bin/sh: 1: cmake: not found", "", id="command"),
    pytest.param(
        "step_failed",
        'ERROR: process "/bin/sh -c false" did not complete successfully: exit code: 1',
        "Dockerfile",
        id="step",
    ),
]


@pytest.mark.parametrize(("code", "line", "file"), SAMPLES)
def test_a_line_of_a_real_log_names_its_cause(code: str, line: str, file: str) -> None:
    """A known last line gives its cause, a sentence, something to do and the file."""
    cause = _explain("build_failed", "The build failed.", ["#1 before", line])

    assert (code, file) == (cause.code, cause.file)
    assert cause.message.endswith((".", "”", "…")) or cause.code == "step_failed"
    assert cause.hint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RUNN",
            "The Dockerfile cannot be read: “unknown instruction: RUNN”.",
        ),
        (
            "cause: failed to read from file `/srv/repo/sub/more.txt`: No such file or directory (os error 2)",
            "The package list names the file “sub/more.txt”, which is not in the repository.",
        ),
        (
            "Because only pandas<=2.3.3 is available and you require pandas>=9, we can conclude",
            "No Python package “pandas>=9” can be installed: the name or version does not exist for this Python.",
        ),
    ],
)
def test_the_sentence_names_what_is_wrong(line: str, message: str) -> None:
    """What the log says is wrong stands in the sentence itself."""
    assert message == _explain("build_failed", "A build step failed.", [line]).message


def test_the_failing_steps_own_words_come_first() -> None:
    """What an earlier step complained of does not count when the failing step itself says why."""
    error = BuilderLine(
        kind="error",
        code="build_failed",
        message="A build step failed.",
        lines=("E: Unable to locate package x",),
    )
    assert "apt_package_not_found" == explain(error, ["Could not resolve host: example.org"]).code


def test_the_file_the_builder_names_is_kept() -> None:
    """The table knows where such a line usually belongs, the builder where the failing step stands."""
    line = "E: Unable to locate package x"
    assert "Dockerfile:3" == _explain("build_failed", "A step failed.", [line], file="Dockerfile:3").file


def test_the_builders_own_words_win() -> None:
    """An exact error of the builder is passed on, whatever the log says."""
    cause = _explain(
        "link_leaves_tree", "A link leads out.", ["No space left on device"], hint="Remove it.", file="x"
    )

    assert ("link_leaves_tree", "A link leads out.", "Remove it.", "x") == (
        cause.code,
        cause.message,
        cause.hint,
        cause.file,
    )


def test_an_unknown_failure_keeps_its_message() -> None:
    """A failure no row knows says what the builder said and where to look."""
    cause = _explain("build_failed", "buildx ended with 1.", ["nothing known"])

    assert ("build_failed", "buildx ended with 1.") == (cause.code, cause.message)
    assert cause.hint


@pytest.mark.parametrize(
    ("lines", "hint"),
    [
        pytest.param(
            [
                "#6 0.1 fine",
                "#7 0.226 cat: /x: No such file",
                "#7 0.3 ",
                "#7 ERROR: exit code: 1",
                "#8 0.1 later",
            ],
            "It ended with “cat: /x: No such file”.",
            id="last words of the step",
        ),
        pytest.param(["#6 0.1 fine", "#7 ERROR: exit code: 1"], "See the log.", id="a silent step"),
        pytest.param(["no step at all"], "See the log.", id="no step"),
        pytest.param(
            ["#7 0.2 " + "a" * 500, "#7 ERROR: x"], "It ended with “" + "a" * 79 + "…”.", id="a long line"
        ),
    ],
)
def test_a_failed_step_is_quoted(lines: list[str], hint: str) -> None:
    """Of a step that failed for a reason no row knows, its own last line is shown."""
    cause = _explain("build_failed", "A build step failed: RUN cat /x", lines, hint="See the log.")

    assert ("A build step failed: RUN cat /x", hint) == (cause.message, cause.hint)


def test_a_code_of_ours_has_words() -> None:
    """A limit that was hit is explained without any log."""
    assert "longer" in known("build_too_long").message
    assert "memory" in _explain("out_of_memory", "", []).message


@pytest.mark.parametrize("what", ["{0}", "{x.__class__}", "%s", "{" * 50])
def test_text_of_a_build_is_never_a_template(what: str) -> None:
    """Braces in a package name appear as they are."""
    cause = _explain("", "", [f"ERROR: No matching distribution found for {what}"])

    assert f"“{what}”" in cause.message


def test_long_text_of_a_build_is_shortened() -> None:
    """A name of 500 characters leaves the sentence readable."""
    assert len(_explain("", "", ["No matching distribution found for " + "a" * 500]).message) < 250
