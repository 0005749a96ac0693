"""The typed model of a policy, and what it is compared with. `versatilehub.policy` is where it is imported from.

One object says what the owner of a server may have; form, REST, links, command line and the page *Your limits* all read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from versatilehub.naming import DISPLAY_NAME_MAX, SERVER_NAME_MAX
from versatilehub.source_types import PUBLIC, SourceRules
from versatilehub.spec_values import UNITS

#: Parts of a spec a site switches on by name in `Policy.offers`; what a deployment cannot do yet is never asked for in vain.
OFFERS = ("workspace", "mounts", "collaborators", "credentials", "idle_timeout")
#: Ways a server may get its owner's credentials; "none" is always possible.
CREDENTIALS = ("none", "env", "file")
#: Kinds of storage a spec's `mounts` may name.
MOUNT_KINDS = ("server", "home", "shared", "data", "module", "scratch")
#: Seconds.
HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A size to choose by name. *memory* in bytes, *cpus* in CPUs."""

    name: str
    label: str
    memory: int
    cpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the owner of a server may run. The defaults are the safe ones; presets say more.

    Sizes are bytes, times seconds, budgets hours a calendar month (UTC). Where None is allowed it means "no limit".
    *images* are exact names, or ``registry/prefix/*`` for every image below a prefix. *named_servers* counts servers
    beside the default one, stopped ones included, *running_max* those that run or start, the default one included.
    *name_pattern* is a regular expression a server's whole name must match beside JupyterHub's rule, "" for any.
    *server_volume_max*, *home_max* and *workspace_volume_max* cap one volume of the lifetimes ``server``, ``user`` and
    ``workspace``. *idle_timeout* stops a server nobody uses, *idle_timeout_max* is the most a person may choose instead,
    *max_age* stops one however busy, *extension_max* is the most by which its owner may put either off, all in all.
    *trust* are sources and origins of links that ask for no confirmation. *admin_may_exceed*: an administrator who acts
    for the owner may pass the two counts of servers, and nothing else.
    """

    # what may be run
    allow_sources: bool = False
    sources: SourceRules = PUBLIC
    trust: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ("none",)
    # names and counts
    name_max: int = SERVER_NAME_MAX
    name_pattern: str = ""
    display_name_max: int = DISPLAY_NAME_MAX
    named_servers: int | None = 0
    running_max: int | None = None
    admin_may_exceed: bool = False
    # the size of one server
    memory_min: int = 128 * UNITS["M"]
    memory_max: int = 2 * UNITS["G"]
    memory_default: int = 1 * UNITS["G"]
    cpus_min: float = 0.05
    cpus_max: float = 1.0
    cpus_default: float = 1.0
    profiles: tuple[Profile, ...] = ()
    pids_max: int = 512
    gpus_max: int = 0
    # storage
    server_volume_max: int | None = None
    home_max: int | None = None
    workspace_volume_max: int | None = None
    mount_kinds: tuple[str, ...] = ("server",)
    scratch: bool = False
    trash_days: int = 7
    # time
    idle_timeout: int | None = None
    idle_timeout_max: int | None = None
    max_age: int | None = None
    extension_max: int = 0
    # builds
    builds_at_once: int | None = None
    builds_per_day: int | None = None
    # a month
    budget_server_hours: float | None = None
    budget_cpu_hours: float | None = None
    budget_gb_hours: float | None = None

    @property
    def default_profile(self) -> str:
        """Name of the profile a form shows as chosen: the one of the default size, else the first, "" without any."""
        usual = (self.memory_default, self.cpus_default)
        names = [one.name for one in self.profiles if (one.memory, one.cpus) == usual]
        return next(iter([*names, *(one.name for one in self.profiles)]), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the owner has now: names of the named servers, stopped ones too, and how many *other* servers run or start."""

    named_servers: tuple[str, ...] = ()
    running: int = 0
    running_names: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The limits a container gets: bytes, CPUs, processes and threads, graphics cards."""

    memory: int
    cpus: float
    pids: int = 512
    gpus: int = 0
