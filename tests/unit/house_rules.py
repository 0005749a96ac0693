"""The figures and tables test_house.py keeps; changing one is a decision, so each says why it is as it is."""

from __future__ import annotations

MODULE_LINES = 300
CLASS_LINES = 200  # without the docstring
FUNCTION_LINES = 40  # without the docstring
POSITIONAL_PARAMETERS = 5

# "file", "file:Class" or "file:function" → why it may exceed a limit.
TOO_LARGE: dict[str, str] = {
    "versatilehub/errors.py": "one list of every exception: what can go wrong is looked up in one place",
    "versatilehub/store/migrations/versions/builds_0001.py:upgrade": "one table, a line for each column",
}

# Values in, values out (docs/design.md). Patterns, as in LAYERS.
PURE = (
    "errors",
    "text",
    "sources",
    "source_*",
    "naming",
    "users",
    "users_*",
    "spec",
    "spec_*",
    "policy",
    "quotas",
    "policy_*",
    "mounts",
    "volume_grants",
    "landing",
    "readable",
    "record_*",
    "links",
    "logins",
    "binder_frames",
    "culling",
    "events",
    "accounting",
    "budgets",
    "risks",
    "hardening",
    "git_refs",
    "git_failures",
    "builds.events",
    "builds.estimates",
    "builds.queue",
    "builds.failures",
    "image_acl",
    "images.layers",
    "images.records",
    "images.plan",
    "images.references",
    "images.warm",
    "images.webhooks",
    "builds.failure_*",
)

# Lowest first; a module may import its own layer and those before it. The longest pattern that matches decides, and
# a package's entry covers what is in it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "text"),
    tuple(name for name in PURE if name not in {"errors", "text"}),
    ("git", "git_*", "records", "records_*", "resolver", "engine", "firewall", "presets"),
    (
        "builds",
        "eventlog",
        "metrics",
        "storage",
        "store",
        "ledger",
        "images",
        "networks",
        "launch",
        "readiness",
    ),
    ("credentials",),
    (
        "runtime",
        "runtime_*",
        "hub_records",
        "spawner",
        "spawner_*",
        "authenticator",
        "authenticator_*",
        "hooks",
        "web",
    ),
    ("doctor", "commands", "culler", "hub_child", "janitor"),
    ("config", "config_*", "cli"),
)

IMPURE_IMPORTS = frozenset(
    {
        "aiodocker",
        "aiohttp",
        "asyncio",
        "docker",
        "dockerspawner",
        "jupyterhub",
        "os",
        "pathlib.Path",  # its pure halves only take paths apart
        "requests",
        "socket",
        "sqlalchemy",
        "subprocess",
        "threading",
        "time",
        "tornado",
        "traitlets",
    }
)

# Library → the modules that may import it.
ONLY_IMPORTERS: dict[str, tuple[str, ...]] = {
    "aiodocker": ("engine",),
    "docker": ("spawner", "spawner_*"),  # DockerSpawner's own client
    "dockerspawner": ("spawner", "spawner_*"),
    "alembic": ("store",),
    "sqlalchemy": ("store", "web.record_guard"),  # the latter listens to the hub's own table
    "subprocess": ("firewall", "doctor"),  # iptables, before the hub's loop runs; git.py uses asyncio's
}

# Modules that may read the process environment, each for one reason.
ENVIRONMENT_READERS: dict[str, str] = {
    "engine.transport": "DOCKER_HOST is Docker's own contract, also for a stock hub",
    "culler": "JupyterHub hands its services their URL and token that way",
    "janitor": "as culler",
    "cli": "a command line has no jupyterhub_config.py to hand it settings",
}

BANNED_MODULE_NAMES = frozenset(
    {"utils", "util", "helpers", "helper", "manager", "data", "info", "misc", "common"}
)
# http.server calls do_GET and its like by name.
# SQLAlchemy calls a type's process_… by name.
BANNED_FUNCTIONS = r"_*(do_(?![A-Z]+$)|handle_|process_(?!bind_param$|result_value$)).*"
