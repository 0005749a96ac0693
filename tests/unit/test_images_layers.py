"""Layers with their sizes, and which image is built on which."""

from __future__ import annotations

import pytest

from versatilehub.images.layers import Facts, Layer, built_on, chains, plainness, sized

LABELS = {"versatilehub.hub": "h1", "versatilehub.kind": "image"}
BASE = Facts(
    id="sha256:" + "b" * 64,
    tags=("base:1",),
    size=100,
    layers=("l1",),
    steps=(("ADD rootfs", 100), ("ENV A=1", 0)),
)


def child(name: str, *, size: int = 30, labels: dict[str, str] | None = None) -> Facts:
    """An image of ours on the base with one layer of its own."""
    return Facts(
        id=f"sha256:{name * 64}"[:71],
        tags=(f"vh-build/{name}:1",),
        labels={**LABELS, **(labels or {})},
        size=100 + size,
        layers=("l1", f"l-{name}"),
        steps=(*BASE.steps, (f"RUN {name}", size), ("CMD x", 0)),
    )


@pytest.mark.req("S4")
def test_what_an_image_is_built_on() -> None:
    """A child begins with its parent's layers and steps; an image that only adds labels is nobody's parent."""
    grandchild = Facts(
        id="g",
        tags=("mine:1",),
        size=140,
        layers=("l1", "l-a", "y"),
        steps=(*child("a").steps, ("RUN y", 10)),
    )
    labelled = Facts(id="t", tags=("twin:1",), labels=LABELS, size=100, layers=("l1",), steps=BASE.steps)
    committed = Facts(id="k", tags=("k:1",), layers=("l1", "z"), parent=child("c").id)

    assert {
        child("a").id: ("mine:1",),
        child("c").id: ("k:1",),
        BASE.id: ("vh-build/a:1", "vh-build/c:1"),
    } == built_on([BASE, child("a"), child("c"), grandchild, committed])
    assert {child("a").id: ("mine:1",)} == built_on([BASE, labelled, child("a"), grandchild])


def test_a_chain_names_all_below() -> None:
    """The same layer on another one has another name; the same on the same has the same."""
    assert chains(["a", "x"])[0] == chains(["a"])[0]
    assert chains(["a", "x"])[1] != chains(["b", "x"])[1]
    assert () == chains([])


@pytest.mark.parametrize(
    ("steps", "sizes"),
    [
        ((("ADD rootfs", 6), ("ENV A=1", 0), ("WORKDIR /x", 0), ("RUN x", 4)), [6, 0, 4]),
        ((("/bin/sh -c #(nop)  CMD [x]", 0), ("import", 6), ("", 4)), [6, 4, 0]),
        ((), [0, 0, 10]),
        ((("a", 1), ("b", 2), ("c", 3), ("d", 4)), [1, 2, 7]),
    ],
    ids=["told", "fewer", "none", "more"],
)
def test_sizes_of_layers(steps: tuple[tuple[str, int], ...], sizes: list[int]) -> None:
    """History tells layers apart; where it does not fit, the whole size is still right."""
    facts = Facts(id="i", layers=("a", "b", "c"), steps=steps, size=10)

    assert sizes == [layer.size for layer in sized(facts)]
    assert 10 == sum(layer.size for layer in sized(facts))
    assert isinstance(sized(facts)[0], Layer)


def test_the_plainest_name() -> None:
    """A commit's tag before one of a day, ``latest`` last."""
    assert ["r:abc-1", "r:2026-11-26-abc", "r:latest"] == sorted(
        ["r:latest", "r:2026-11-26-abc", "r:abc-1"], key=plainness
    )
