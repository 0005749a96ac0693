"""What does not fit between Docker, our records and the hub, and what is done about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from versatilehub.storage.reconcile import Act, Found, HubServer, Rules, Scene, compare
from versatilehub.store.volumes import State, VolumeRecord

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=30)
KEY = "1@2026-01-01"
RULES = Rules(patterns=("versatilehub-*",))


def record(name: str = "v", **fields: Any) -> VolumeRecord:
    """Return the record of a live volume of ann's server lab."""
    usual: dict[str, Any] = {
        "owner": "ann", "owner_key": KEY, "lifetime": "server", "kind": "home", "state": State.LIVE,
        "created": OLD, "changed": OLD, "server": "lab",
    }  # fmt: skip
    return VolumeRecord(name=name, **{**usual, **fields})


def volume(name: str = "v", *, ours: bool = True, created: datetime = OLD, **label: Any) -> Found:
    """Return a volume in Docker."""
    by_label = record(name, owner_key="", **label) if ours else None
    return Found(name=name, created=created, by_label=by_label)


def server(*volumes: str, name: str = "lab", active: bool = False, key: str = KEY) -> HubServer:
    """Return a server the hub has."""
    return HubServer(owner="ann", owner_key=key, name=name, volumes=volumes, active=active)


def scene(**fields: Any) -> Scene:
    """Return a hub with one account, and what else is given."""
    return Scene(**{"accounts": {KEY: "ann"}, **fields})


def found(given: Scene, rules: Rules = RULES) -> list[tuple[str, Act, bool]]:
    """Return code, act and whether it is due of each finding."""
    return [(one.code, one.act, one.due) for one in compare(given, rules, NOW)]


def test_what_fits_is_silent() -> None:
    """A server with its volume, a person's own, one in the trash whose time has not come, one that came back."""
    later = NOW + timedelta(days=1)
    given = scene(
        volumes=[volume(name) for name in ("v", "own", "old", "back", "admin")],
        records=[
            record(),
            record("own", lifetime="user", server=None),
            record("old", state=State.TRASHED, expires=later),
            record("back", server="gone", kept=later),
            record("admin", lifetime="admin", owner="", owner_key="admin"),
        ],
        servers=[server("v", active=True)],
        containers=[Found(name="c", created=OLD, owner="ann", server="lab", running=True)],
    )

    assert [] == found(given)


@pytest.mark.req("P14")
@pytest.mark.parametrize(
    ("changes", "servers", "expected"),
    [
        pytest.param({}, (), ("orphan", Act.TRASH, True), id="its server is gone"),
        pytest.param({"changed": NOW}, (), ("orphan", Act.TRASH, False), id="just now: only reported"),
        pytest.param({"owner_key": "2@x"}, ("v",), ("orphan", Act.TRASH, True), id="of an account before this one"),
        pytest.param({"lifetime": "user", "server": None, "owner_key": "2@x"}, (), ("orphan", Act.TRASH, True), id="its owner is gone"),
        pytest.param({"state": State.REMOVING}, (), ("removal_pending", Act.PURGE, True), id="its removal failed"),
        pytest.param({"state": State.TRASHED, "expires": NOW}, (), ("expired", Act.PURGE, True), id="its time is over"),
        pytest.param({"state": State.TRASHED, "expires": OLD}, ("v",), ("half_deleted", Act.REVIVE, True), id="the hub was killed in a deletion"),
        pytest.param({"server": "before"}, ("v",), ("renamed", Act.MOVE, True), id="its server was renamed"),
        pytest.param({"state": State.MAKING, "lifetime": "user", "server": None}, (), ("orphan", Act.TRASH, True), id="never whole"),
        pytest.param({"owner_key": ""}, (), None, id="nobody knows whose account it is"),
        pytest.param({"lifetime": "workspace", "owner_key": "2@x"}, (), None, id="a workspace has it"),
    ],
)  # fmt: skip
def test_records(
    changes: dict[str, Any], servers: tuple[str, ...], expected: tuple[str, Act, bool] | None
) -> None:
    """Each record that does not fit leads to one thing; data only ever to the trash, and from there when its time is over."""
    servers_there = [server(*servers)] if servers else []
    given = scene(volumes=[volume()], records=[record(**changes)], servers=servers_there)

    assert ([expected] if expected else []) == found(given)


@pytest.mark.parametrize(
    ("changes", "servers", "expected"),
    [
        pytest.param({}, ("v",), ("volume_lost", Act.REPORT, False), id="of a server"),
        pytest.param(
            {"lifetime": "user", "server": None}, (), ("volume_lost", Act.REPORT, False), id="of a person"
        ),
        pytest.param({}, (), ("orphan", Act.FORGET, True), id="of nobody"),
        pytest.param({"state": State.TRASHED}, (), ("gone", Act.FORGET, True), id="in the trash"),
    ],
)
def test_volumes_that_are_gone(
    changes: dict[str, Any], servers: tuple[str, ...], expected: tuple[str, Act, bool]
) -> None:
    """Somebody removed them in Docker: said, and forgotten only where nobody misses them."""
    given = scene(records=[record(**changes)], servers=[server(*servers)] if servers else [])

    assert [expected] == found(given)


@pytest.mark.req("K32")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(scene(volumes=[volume()], servers=[server("v")]), ("record_lost", Act.ADOPT, True), id="a server has it"),
        pytest.param(scene(volumes=[volume(lifetime="user")]), ("record_lost", Act.ADOPT, True), id="its owner is there"),
        pytest.param(scene(volumes=[volume()]), ("unknown_volume", Act.REMOVE_EMPTY, True), id="ours and unknown"),
        pytest.param(scene(volumes=[volume(lifetime="user")], accounts={}), ("unknown_volume", Act.REMOVE_EMPTY, True), id="no such owner"),
        pytest.param(scene(volumes=[volume(created=NOW)]), ("unknown_volume", Act.REMOVE_EMPTY, False), id="ours, unknown and young"),
        pytest.param(scene(volumes=[volume("versatilehub-x", ours=False)]), ("unclaimed_volume", Act.REPORT, True), id="made by hand"),
        pytest.param(scene(volumes=[volume("other", ours=False)]), None, id="somebody else's"),
    ],
)  # fmt: skip
def test_volumes_without_a_record(given: Scene, expected: tuple[str, Act, bool] | None) -> None:
    """A lost record is made again as live; what nobody knows goes only if it is empty; what is not ours is never touched."""
    assert ([expected] if expected else []) == found(given)


@pytest.mark.parametrize("lost", ["ours", "the hub's", "both"])
def test_a_lost_database_deletes_nothing(lost: str) -> None:
    """Whichever database is lost, no finding puts a volume into the trash or removes one with something in it."""
    names = [f"v{number}" for number in range(20)]
    given = scene(
        volumes=[volume(name) for name in names],
        records=[record(name) for name in names] if lost == "the hub's" else [],
        servers=[server(*names)] if lost == "ours" else [],
        accounts={KEY: "ann"} if lost == "ours" else {},
    )

    acts = {act for _, act, _ in found(given)}

    assert acts == {"ours": {Act.ADOPT}, "the hub's": {Act.REPORT}, "both": {Act.REMOVE_EMPTY}}[lost]


def test_many_at_once_wait_for_an_operator() -> None:
    """Most volumes without an owner at once are held back and said so; forced, they go to the trash; a few of many go by themselves."""
    records = [record(f"v{number}") for number in range(6)]
    given = scene(volumes=[volume(one.name) for one in records], records=records)
    more = [record(f"w{number}") for number in range(6)]
    healthy = [volume(one.name) for one in (*records, *more)]
    few = scene(volumes=healthy, records=[*records, *more], servers=[server(*(one.name for one in more))])

    assert {("orphan", Act.REPORT, False)} == set(found(given))
    assert "6 of 6 at once" in compare(given, RULES, NOW)[0].message
    assert {("orphan", Act.TRASH, True)} == set(found(given, replace(RULES, force=True))) == set(found(few))


@pytest.mark.parametrize(
    ("servers", "running", "created", "expected"),
    [
        ([], True, OLD, ("stray_container", Act.REMOVE_CONTAINER, True)),
        ([], False, OLD, ("stray_container", Act.REMOVE_CONTAINER, True)),
        ([], True, NOW, ("stray_container", Act.REMOVE_CONTAINER, False)),
        ([server()], True, OLD, ("stray_container", Act.STOP_CONTAINER, True)),
        ([server()], False, OLD, None),
        ([server(active=True)], True, OLD, None),
        ([replace(server(active=True), owner="anna", container="c")], True, OLD, None),
    ],
    ids=[
        "gone",
        "gone and stopped",
        "young",
        "not known to run",
        "resting",
        "at work",
        "of a renamed account",
    ],
)
def test_containers(
    servers: list[HubServer], running: bool, created: datetime, expected: tuple[str, Act, bool] | None
) -> None:
    """Of a server that is gone: removed. Running unknown to the hub: stopped. One that rests may be resumed and stays."""
    one = Found(name="c", created=created, owner="ann", server="lab", running=running)

    assert ([expected] if expected else []) == found(scene(containers=[one], servers=servers))
