"""Images by user and group."""

from __future__ import annotations

from types import SimpleNamespace

from versatilehub.image_acl import images_by


def spawner(name: str, *groups: str) -> SimpleNamespace:
    """As much of a spawner as is looked at."""
    return SimpleNamespace(
        user=SimpleNamespace(name=name, groups=[SimpleNamespace(name=one) for one in groups])
    )


def test_who_may_run_what() -> None:
    """Everyone's, one's own and those of one's groups; a group's name is compared whole."""
    allowed = images_by(
        groups={"lab": ["l:1", "b:1"], "la": ["x:1"]}, users={"ada": ["a:1"]}, everyone=["b:1"]
    )

    assert ["b:1", "a:1", "l:1"] == list(allowed(spawner("ada", "lab")))
    assert ["b:1"] == list(allowed(spawner("bob", "labs")))
    assert {} == images_by()(spawner("bob", "lab"))
