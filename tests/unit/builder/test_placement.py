"""The plan of a placement: a table of the three ways, and what holds for any content and home."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from versatilehub_builder.placement import Entry, Kind, note, plan_placement

A, B, C = (Entry(kind=Kind.FILE, mark=mark) for mark in "abc")
X = Entry(kind=Kind.FILE, mark="a", executable=True)
L = Entry(kind=Kind.LINK, mark="a")
D = Entry(kind=Kind.FOLDER)


@pytest.mark.req("V49")
@pytest.mark.parametrize(
    ("old", "new", "home", "verdict"),
    [
        pytest.param(None, A, None, "write", id="first-start"),
        pytest.param(None, A, A, "", id="there-already"),
        pytest.param(None, A, B, "kept", id="the-persons-own-file"),
        pytest.param(None, A, L, "kept", id="the-persons-own-link"),
        pytest.param(A, B, A, "write", id="untouched"),
        pytest.param(A, B, C, "kept", id="changed-by-both"),
        pytest.param(A, B, B, "", id="changed-alike"),
        pytest.param(A, A, C, "", id="changed-by-the-person"),
        pytest.param(A, A, None, "", id="deleted-by-the-person"),
        pytest.param(A, B, None, "kept", id="deleted-by-the-person-changed-upstream"),
        pytest.param(A, None, A, "remove", id="deleted-upstream"),
        pytest.param(A, None, C, "kept", id="deleted-upstream-changed-by-the-person"),
        pytest.param(A, None, None, "", id="deleted-by-both"),
        pytest.param(A, X, A, "write", id="execute-bit-upstream"),
        pytest.param(A, B, X, "kept", id="execute-bit-by-the-person"),
        pytest.param(A, L, A, "write", id="file-becomes-link"),
        pytest.param(L, A, L, "write", id="link-becomes-file"),
        pytest.param(A, B, D, "kept", id="the-person-made-a-folder-of-it"),
        pytest.param(None, A, D, "write", id="folder-in-the-way-writing-finds-out"),
        pytest.param(None, A, Entry(kind=Kind.BLOCKED, mark="x"), "kept", id="below-the-persons-file"),
    ],
)
def test_one_path(old: Entry | None, new: Entry | None, home: Entry | None, verdict: str) -> None:
    """What the person did not touch follows the repository; what they did stays."""
    plan = plan_placement({"p": old} if old else {}, {"p": new} if new else {}, lambda _: home)
    found = {"write": plan.write, "remove": plan.remove, "kept": plan.kept}
    assert {verdict: ("p",)} if verdict else {} == {name: paths for name, paths in found.items() if paths}


def test_file_becomes_folder() -> None:
    """A file upstream turned into a folder goes first, and its place is free then."""
    blocked = Entry(kind=Kind.BLOCKED, mark="a")
    plan = plan_placement({"a": A}, {"a/b": B}, {"a": A, "a/b": blocked}.get)
    assert (("a/b",), ("a",), ()) == (plan.write, plan.remove, plan.kept)


def test_folder_blocked_by_a_changed_file() -> None:
    """If the person changed the file that must go, it stays and the folder waits."""
    blocked = Entry(kind=Kind.BLOCKED, mark="a")
    plan = plan_placement({"a": A}, {"a/b": B}, {"a": C, "a/b": blocked}.get)
    assert ((), (), ("a", "a/b")) == (plan.write, plan.remove, plan.kept)


PATHS = st.sampled_from(["a", "b", "c/d", "c/e", "f"])
CONTENT = st.dictionaries(PATHS, st.sampled_from([A, B, X, L]))
HOME = st.dictionaries(PATHS, st.sampled_from([A, B, C, X, L, D]))


@given(CONTENT, CONTENT, HOME)
def test_the_persons_files_stay(old: dict[str, Entry], new: dict[str, Entry], home: dict[str, Entry]) -> None:
    """Whatever is written or removed was absent, or exactly what we had placed, or a folder that may be empty."""
    plan = plan_placement(old, new, home.get)
    for path in plan.write:
        assert home.get(path) in {None, old.get(path), D}
        assert not (home.get(path) is None and path in old)
    for path in plan.remove:
        assert home[path] == old[path]
    assert not set(plan.kept) & {*plan.write, *plan.remove}


@given(CONTENT, CONTENT, HOME, st.integers(min_value=0))
def test_a_killed_run_goes_on(
    old: dict[str, Entry], new: dict[str, Entry], home: dict[str, Entry], stop: int
) -> None:
    """Done in two parts with a kill between, the result is that of one run."""
    home = {path: entry for path, entry in home.items() if entry is not D}
    plan = plan_placement(old, new, home.get)
    steps = [*plan.remove, *plan.write]

    def after(state: dict[str, Entry], todo: list[str]) -> dict[str, Entry]:
        kept = {path: entry for path, entry in state.items() if path not in todo}
        return kept | {path: new[path] for path in todo if path in new}

    half = after(home, steps[: stop % (len(steps) + 1)])
    again = plan_placement(old, new, half.get)
    assert after(home, steps) == after(half, [*again.remove, *again.write])


def test_note() -> None:
    """The note names the commit, what came and what stayed; an odd name cannot break its lines."""
    text = note("repo", "c" * 40, ("a", "b\nc"), ("d",))
    assert "commit cccccccccccc" in text
    assert "  b\\nc\n" in text
    assert "1 files stayed" in text
