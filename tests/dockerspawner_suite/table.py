"""What is known about each case of DockerSpawner's suite: which there are, what is changed in them, what is left out.

A case passes as it is, passes with a named change, or is left out with a named reason and the words it fails with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One replacement of text in a test file, found exactly *times* times. *ours*: not needed by stock DockerSpawner."""

    file: str
    old: str
    new: str
    why: str
    times: int = 1
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A case that cannot pass: why, and words that stand in its failure."""

    why: str
    says: str


#: Test functions of the suite and how many cases each has.
CASES: Final[Mapping[str, int]] = {
    "test_deprecations.py::test_deprecated_config": 1,
    "test_deprecations.py::test_deprecated_methods": 1,
    "test_dockerspawner.py::test_name_collision": 1,
    "test_dockerspawner.py::test_start_stop": 2,
    "test_dockerspawner.py::test_allowed_image": 9,
    "test_dockerspawner.py::test_image_pull_policy": 1,
    "test_dockerspawner.py::test_post_start": 1,
    "test_dockerspawner.py::test_mem_limit": 6,
    "test_dockerspawner.py::test_cpu_limit": 6,
    "test_dockerspawner.py::test_default_host_ip_reads_env_var": 1,
    "test_dockerspawner.py::test_default_options_form": 1,
    "test_dockerspawner.py::test_options_from_form": 1,
    "test_dockerspawner.py::test_validate_escape": 2,
    "test_dockerspawner.py::test_legacy_escape": 1,
    "test_swarmspawner.py::test_start_stop": 1,
    "test_systemuserspawner.py::test_start_stop": 1,
}

HUB_6_NAMES: Final = "JupyterHub 6 allows a-z, 0-9 and - in the name of a named server"
HUB_6_ROWS: Final = "JupyterHub 6 makes no spawner when user.spawners[name] is read"
NO_REGISTRY: Final = (
    "images come from this machine and from a registry of the harness, never from the network"
)

#: *{images}* is the folder of the images the harness tags, *{registry}* the address of its registry, *{port}* where
#: it answers HTTP for a server that is not there.
CHANGES: Final = (
    Change(
        file="test_dockerspawner.py",
        old="server_name = 'also-has@'",
        new="server_name = 'also-has'",
        why=HUB_6_NAMES,
    ),
    Change(
        file="test_dockerspawner.py",
        old="server_name = 'cont@iner_server'",
        new="server_name = 'cont-iner-server'",
        why=HUB_6_NAMES,
    ),
    Change(
        file="test_dockerspawner.py",
        old="user.spawners[server_name]",
        new="user.get_or_create_spawner(server_name, server_name)",
        times=2,
        why=HUB_6_ROWS,
    ),
    Change(
        file="test_dockerspawner.py",
        old="user2.spawners[part2]",
        new="user2.get_or_create_spawner(part2, part2)",
        why=HUB_6_ROWS,
    ),
    Change(
        file="test_swarmspawner.py",
        old="server_name = 'also-has@'",
        new="server_name = 'also-has'",
        why=HUB_6_NAMES,
    ),
    Change(
        file="test_swarmspawner.py",
        old="user.spawners[server_name]",
        new="user.get_or_create_spawner(server_name, server_name)",
        why=HUB_6_ROWS,
    ),
    Change(
        file="test_dockerspawner.py",
        old='"quay.io/jupyterhub/singleuser:',
        new='"{images}/singleuser:',
        times=14,
        why=NO_REGISTRY,
    ),
    Change(
        file="test_dockerspawner.py", old='"busybox:1.29.1"', new='"{images}/busybox:1.29.1"', why=NO_REGISTRY
    ),
    Change(
        file="test_dockerspawner.py",
        old='repo = "busybox"',
        new='repo = "{registry}/busybox"',
        why=NO_REGISTRY,
    ),
    Change(
        file="test_dockerspawner.py",
        old='"jupyterhub/doesntexist:nosuchtag"',
        new='"{registry}/doesntexist:nosuchtag"',
        why=NO_REGISTRY,
    ),
    Change(
        file="test_dockerspawner.py",
        old='("127.0.0.1", 1234)',
        new='("127.0.0.1", {port})',
        why="start() returns when the server answers; the case makes up an address, so something must answer there",
        ours=True,
    ),
    Change(
        file="test_dockerspawner.py",
        old="state = spawner.get_state()",
        new="state = {{k: v for k, v in spawner.get_state().items() if k != 'versatilehub'}}",
        why="ruling 9: which volume is the server's survives a stop, in a key of its own",
        ours=True,
    ),
    Change(
        file="test_dockerspawner.py",
        old="assert r.status_code == 400",
        new="assert r.status_code in {{400, 403}}",
        why="ruling 13: what the policy does not allow is a refusal, 403; what is no image name is 400 as before",
        ours=True,
    ),
    Change(
        file="test_deprecations.py",
        old="'DockerSpawner.image_whitelist is deprecated",
        new="'VersatileSpawner.image_whitelist is deprecated",
        why="the message names the class of the spawner",
        ours=True,
    ),
    Change(
        file="test_deprecations.py",
        old="'DockerSpawner.allowed_images instead'",
        new="'VersatileSpawner.allowed_images instead'",
        why="the message names the class of the spawner",
        ours=True,
    ),
)

#: Cases left out, by the name pytest gives them.
EXCLUDED: Final[Mapping[str, Excluded]] = {
    "test_dockerspawner.py::test_name_collision": Excluded(
        why="container names are versatilehub's own (naming.container_name, with the hub's id in the hash, so that two hubs "
        "on one engine stay apart); a configured name_template stands: tests/hub/test_stock_options.py",
        says="-user-2d-2dfoo",
    ),
    "test_dockerspawner.py::test_options_from_form": Excluded(
        why="ruling 3: a form is parsed and checked as REST and a link are; two values of one field are refused, not cut "
        "to the first; ours is a coroutine, which JupyterHub awaits. A configured options_from_form stands: "
        "tests/hub/test_stock_options.py",
        says="coroutine object OptionsMixin.read_form",
    ),
    "test_swarmspawner.py::test_start_stop": Excluded(
        why="needs an engine in swarm mode, which opens ports and sets firewall rules on the machine; stock SwarmSpawner "
        "fails here with the same words. VersatileSpawner over services is not part of this release",
        says="This node is not a swarm manager.",
    ),
}
