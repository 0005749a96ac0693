"""One line makes a hub of ours: ``configure(c)`` in ``jupyterhub_config.py``.

It writes plain JupyterHub configuration, so everything it sets can be set again after it; what that undoes is said in the log
when the hub starts. Nothing is read from the environment here: the configuration file hands it in.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.app import JupyterHub
from traitlets.config.loader import LazyConfigValue

from versatilehub.commands import deployment
from versatilehub.config_culling import only_reports_count
from versatilehub.config_services import add_services
from versatilehub.errors import EngineFailure, InvalidInput, StoreFailure
from versatilehub.networks import NetworkPlan, in_own_loop, prepare
from versatilehub.runtime import VersatileHub
from versatilehub.runtime_storage import require_storage
from versatilehub.web.assets import TEMPLATES
from versatilehub.web.handlers import extra_handlers, template_vars
from versatilehub.web.server_limit import named_server_limit

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("versatilehub")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Something `configure` set and a later line may undo: its *name*, how to look, what is lost without it."""

    name: str
    holds: Callable[[Any], bool]
    loss: str


def secret(state: Path, name: str, nbytes: int = 32) -> str:
    """Return the hex secret *name* of the state folder, made at its first use with mode 0600."""
    path = state / name
    if not path.exists():
        fresh = state / f".{name}.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(nbytes))
        fresh.rename(path)
    return path.read_text().strip()


def configure(  # noqa: PLR0913  # each is one decision of an administrator, all but c have defaults
    c: Any,
    *,
    preset: str = "versatile",
    state: str | Path = ".state",
    bind: str = "127.0.0.1",
    port: int = 8000,
    extra_sources: tuple[str, ...] = (),
    users_csv: str | Path | None = None,
    api_token: str = "",
    ca_bundle: str | Path | None = None,
    **overrides: Any,
) -> None:
    """Set up a hub: *preset* policy, everything it keeps below *state*, pages at ``http://bind:port``.

    *extra_sources* are URL prefixes of git hosts beside the public forges; *users_csv* holds the accounts (default:
    ``users.csv`` in *state*; set another `authenticator_class` after this call and it is not read); *api_token*, if given, belongs to an operator service with admin scopes.
    *ca_bundle* is a PEM file of the certificates to trust when git hosts are asked (default: the machine's).
    *overrides* are traits of `VersatileHub`. The proxy's API takes ``port + 1``, the hub's API ``port + 81``.

    Raises TypeError for an override that is no trait, `InvalidInput` for a policy that cannot hold, `EngineFailure` when
    Docker does not answer, `StorageFailure` without a backend for `require_hard_cap`.
    """
    folder = Path(state).absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)  # one that was there may be open to others, and secrets go into it
    _check_overrides(overrides)
    settings = {
        **overrides,
        "hub_id": overrides.get("hub_id") or secret(folder, "hub_id", 4),
        "preset": preset,
        "state_dir": str(folder),
        "extra_sources": list(extra_sources),
        "ca_bundle": str(Path(ca_bundle).absolute()) if ca_bundle else "",
    }
    gateway = _networks(settings, hub_port=port + 81)
    for name, value in settings.items():
        setattr(c.VersatileHub, name, value)
    deployment.write(folder, settings)
    _jupyterhub(c, folder, f"http://{bind}:{port}", f"http://{gateway}:{port + 81}")
    _proxy(c, folder, f"http://127.0.0.1:{port + 1}")
    _pages(c)
    _accounts(c, folder, Path(users_csv or folder / "users.csv"))
    add_services(c, settings, folder, api_token)
    _look_again_at_start(c)


def _networks(settings: dict[str, Any], *, hub_port: int) -> str:
    """Check the policies, make the hub's networks and their rules, see to required storage; return where the hub's API listens."""
    hub = VersatileHub(**settings)
    hub.check_policies()
    plan = NetworkPlan(
        hub_id=hub.hub_id,
        network=hub.network,
        build_network=hub.build_network,
        hub_port=hub_port,
        extra_sources=tuple(hub.extra_sources),
        firewall=hub.firewall,
        patience=hub.engine_patience,
    )
    gateway = prepare(plan).gateway
    if hub.require_hard_cap:
        in_own_loop(require_storage(hub))
    return gateway


def _accounts(c: Any, folder: Path, users_csv: Path) -> None:
    c.JupyterHub.authenticator_class = "versatilehub"
    c.VersatileAuthenticator.users_csv = str(users_csv.absolute())
    c.VersatileAuthenticator.accounts_file = str(folder / "accounts.json")


def _check_overrides(overrides: dict[str, Any]) -> None:
    known = VersatileHub.class_trait_names(config=True)
    for name in overrides:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise TypeError(
                f"configure() has no setting {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            )


def _jupyterhub(c: Any, folder: Path, bind_url: str, hub_url: str) -> None:
    hub = c.JupyterHub
    hub.bind_url = bind_url
    hub.hub_bind_url = hub_url
    hub.db_url = f"sqlite:///{folder / 'jupyterhub.sqlite'}"
    hub.cookie_secret_file = str(folder / "cookie_secret")
    secret(folder, "cookie_secret")
    hub.spawner_class = "versatilehub"
    hub.allow_named_servers = True
    hub.named_server_limit_per_user = named_server_limit
    # Servers outlive the hub: a restart for new settings ends nobody's work.
    hub.cleanup_servers = False
    c.CryptKeeper.keys = [bytes.fromhex(secret(folder, "crypt_key"))]


def _proxy(c: Any, folder: Path, api_url: str) -> None:
    proxy = c.ConfigurableHTTPProxy
    proxy.api_url = api_url
    proxy.auth_token = secret(folder, "proxy_token")
    proxy.pid_file = str(folder / "proxy.pid")


def _pages(c: Any) -> None:
    # First place: a folder after the stock one is never looked at.
    c.JupyterHub.template_paths.insert(0, str(TEMPLATES))
    c.JupyterHub.extra_handlers.extend(extra_handlers())
    c.JupyterHub.template_vars.update(template_vars())


def _still_in(wanted: object, value: object) -> bool:
    """Additions are kept as a `LazyConfigValue` until the application reads them; a plain list replaced ours."""
    return isinstance(value, LazyConfigValue) or (isinstance(value, list) and wanted in value)


def expectations() -> list[Expectation]:
    """Return what must still hold when the whole configuration has been read."""
    return [
        Expectation(
            name="c.JupyterHub.spawner_class",
            holds=lambda c: "ersatile" in str(c.JupyterHub.get("spawner_class", "")),
            loss="servers are not started by versatilehub",
        ),
        Expectation(
            name="c.JupyterHub.template_paths",
            holds=lambda c: _still_in(str(TEMPLATES), c.JupyterHub.get("template_paths")),
            loss="the page of a starting server shows no build log and its Cancel stops the wrong server",
        ),
        Expectation(
            name="c.JupyterHub.extra_handlers",
            holds=lambda c: all(
                _still_in(row, c.JupyterHub.get("extra_handlers")) for row in extra_handlers()
            ),
            loss="our pages have no styles and scripts",
        ),
        Expectation(
            name="c.JupyterHub.cleanup_servers",
            holds=lambda c: c.JupyterHub.get("cleanup_servers") is False,
            loss="stopping the hub stops every server",
        ),
        Expectation(
            name="c.JupyterHub.allow_named_servers",
            holds=lambda c: c.JupyterHub.get("allow_named_servers") is True,
            loss="a person can have one server only",
        ),
    ]


def undone(c: Any) -> list[str]:
    """Return one sentence for each setting of `configure` that a later line of the configuration undid."""
    return [f"{e.name} was changed after configure(c): {e.loss}." for e in expectations() if not e.holds(c)]


def _look_again_at_start(c: Any) -> None:
    """Warn about `undone` settings and resume builds once the hub goes on, after the whole file has been read."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # read outside a hub, by a tool or a test
    tasks: set[asyncio.Task[None]] = set()

    def look() -> None:
        _stop_on_bad_policy(c)
        if isinstance(folder := c.VersatileHub.get("state_dir"), str) and Path(folder).is_dir():
            deployment.write(Path(folder), c.VersatileHub)  # with what later lines set
        only_reports_count(c)
        for sentence in undone(c):
            log.warning("%s", sentence)
        for work in (resume(), note_start()):
            task = loop.create_task(work)
            tasks.add(task)  # a loop holds its tasks weakly
            task.add_done_callback(tasks.discard)

    loop.call_soon(look)


def _stop_on_bad_policy(c: Any) -> None:
    """End the hub, with file, line and reason, when a line after `configure` made the policy one that cannot hold."""
    try:
        VersatileHub(config=c).check_policies()
    except InvalidInput as error:
        log.critical("%s %s", error.message, error.hint)
        raise SystemExit(1) from error


async def resume() -> None:
    """Adopt the builds that a hub before this one left, and make storage ready, before somebody asks for either."""
    while not (  # noqa: ASYNC110  # JupyterHub has no hook for "I have started"
        JupyterHub.initialized() and "spawner_class" in JupyterHub.instance().tornado_settings
    ):
        await asyncio.sleep(0.2)
    app = JupyterHub.instance()
    runtime = VersatileHub.of(app.users.settings, config=app.config, log=app.log)
    await asyncio.gather(runtime.prepare_storage(), _recover(runtime))
    runtime.look_after_volumes()
    await _keep_warm(runtime)
    await runtime.usage.watch()


async def _keep_warm(runtime: VersatileHub) -> None:
    try:
        await runtime.keep_warm()
    except (InvalidInput, StoreFailure) as error:
        log.error("Nothing is made ahead: %s %s", error.message, error.hint)  # noqa: TRY400  # an administrator's slip


async def _recover(runtime: VersatileHub) -> None:
    try:
        await runtime.builds.recover()
    except EngineFailure as error:
        log.warning("Builds of before are not looked at yet: %s", error)


async def note_start() -> None:
    """Tell the ledger what runs, once JupyterHub has looked at every server of before."""
    while not (JupyterHub.initialized() and JupyterHub.instance().http_server):  # noqa: ASYNC110  # as above
        await asyncio.sleep(0.2)
    app = JupyterHub.instance()
    while any(  # noqa: ASYNC110  # as above
        spawner.pending == "check" for user in app.users.values() for spawner in user.spawners.values()
    ):
        await asyncio.sleep(0.2)
    VersatileHub.of(app.users.settings, config=app.config, log=app.log).record_start()
