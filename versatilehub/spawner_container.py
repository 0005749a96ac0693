"""One user's container: made hard, found again, stopped for certain.

What this mixin changes in DockerSpawner, and why: an engine error counted as "stopped"; a container was looked up by
name alone; a failing stop was swallowed; an interrupted create left an orphan.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import docker.errors
from traitlets import Integer, default

from versatilehub import naming
from versatilehub.errors import EngineFailure, EngineUnavailable
from versatilehub.readiness import Ended
from versatilehub.spawner_engine import UNKNOWN, EngineMixin

if TYPE_CHECKING:
    from collections.abc import Mapping


class ContainerMixin(EngineMixin):
    """Container handling over DockerSpawner."""

    stop_grace = Integer(
        10,
        min=1,
        config=True,
        help="""Seconds a server gets to end by itself after SIGTERM before it is killed.

        Jupyter uses the time to stop kernels. Default: 10, as `docker stop`. Example: ``c.VersatileSpawner.stop_grace = 30``
        """,
    )

    #: Bytes of memory the server had when it ended for the lack of more; 0 for any other end.
    ran_out_of: int = 0
    _creating: asyncio.Future[Any] | None = None

    # -- which container is ours -----------------------------------------------------------

    @default("object_name")
    def _object_name_default(self) -> str:
        """Our own name scheme, unless the admin set `name_template`: theirs then stands as it is."""
        if self._name_template_configured():
            return str(self._render_templates(self.name_template))
        return naming.container_name(self.runtime.hub_id, self.user.name, self.name)

    def _name_template_configured(self) -> bool:
        return any("name_template" in self.config.get(cls.__name__, {}) for cls in type(self).__mro__)

    def _labels(self) -> dict[str, str]:
        return self.runtime.engine.labels("server", owner=self.user.name, server=self.name)

    def _is_ours(self, inspected: Mapping[str, Any]) -> bool:
        """Labels say it is this hub's container of this very server; the name alone proves nothing."""
        labels = (inspected.get("Config") or {}).get("Labels") or {}
        wanted = self._labels()
        return all(
            labels.get(key) == wanted[key]
            for key in ("versatilehub.hub", "versatilehub.owner", "versatilehub.server", "versatilehub.kind")
        )

    async def get_object(self) -> dict[str, Any] | None:
        """Return the inspected container of this server, or None when there is none of ours.

        Raises `EngineFailure` (code ``name_taken``) for a container of that name that is not ours, and lets every other engine error
        through: unlike stock, an error 500 is not taken for "gone".
        """
        try:
            found: dict[str, Any] = await self.docker("inspect_container", self.object_id or self.object_name)
        except docker.errors.NotFound:
            self.object_id = ""
            return None
        if not self._is_ours(found):
            raise EngineFailure(
                f"A container named {self.object_name} exists and is not this hub's.",
                hint="Ask an administrator to remove or rename it.",
                code="name_taken",
            )
        self.object_id = found["Id"]
        return found

    async def poll(self) -> int | str | None:
        """Return None while running *or unknown*, else how the container ended.

        An engine that does not answer has not stopped anybody's server: taking it for "stopped" would leave the container
        running with nobody to stop it.
        """
        try:
            found = await self.get_object()
        except EngineFailure as error:
            return 0 if error.code == "name_taken" else None
        except UNKNOWN as error:
            self.log.warning("%s: state unknown, the engine answered: %s", self._log_name, error)
            return None
        if found is None:
            return 0
        state = found["State"]
        if state["Running"]:
            return "its start was interrupted" if self._interrupted() else None
        if state.get("OOMKilled"):
            self.ran_out_of = int((found.get("HostConfig") or {}).get("Memory") or 0)
        reason = "out of memory" if state.get("OOMKilled") else f"exit code {state['ExitCode']}"
        return f"{reason} {state.get('Error', '')}".strip()

    def _interrupted(self) -> bool:
        """Tell whether the hub that started the container was killed before the server was complete."""
        return False

    async def get_url(self) -> str:
        """Return where the container answers now; the hub asks after its own restart, when its record may be older."""
        for _ in range(self.runtime.engine_patience):
            try:
                if await self.get_object() is None:  # by name: a killed hub may have recorded no id
                    break
                ip, port = await self.get_ip_and_port()
            except UNKNOWN as error:
                self.log.warning("%s: waiting for the engine: %s", self._log_name, error)
                await asyncio.sleep(1)
                continue
            return f"http://{ip}:{port}{self.server.base_url}"
        return str(self.server.url)

    async def how_it_ended(self) -> Ended | None:
        """Return how the container ended, None while it runs or nobody knows."""
        try:
            found = await self.get_object()
            if found is not None and found["State"]["Running"]:
                return None
            text = await self.docker("logs", found["Id"], tail=20) if found else b""
        except UNKNOWN:
            return None
        state = found["State"] if found else {}
        return Ended(
            exit_code=state.get("ExitCode", -1),
            out_of_memory=bool(state.get("OOMKilled")),
            memory=int(((found or {}).get("HostConfig") or {}).get("Memory") or 0),
            lines=tuple(text.decode(errors="replace").splitlines()),
        )

    # -- making and removing ---------------------------------------------------------------

    async def create_object(self) -> Any:
        """Create the container; a cancelled start still learns its id, so that it can be removed."""
        self._creating = asyncio.ensure_future(self._create())
        return await asyncio.shield(self._creating)

    async def _create(self) -> Any:
        try:
            return await super().create_object()
        except docker.errors.APIError as error:
            if error.status_code != 409:
                raise
        # The name was free a moment ago: a call of a hub that was killed has come through only now, or somebody else's.
        await self._remove_ours()
        await self.get_object()
        return await super().create_object()

    async def remove_object(self) -> None:
        """Remove the container by force, with its anonymous volumes, and wait until it is gone."""
        if not self.object_id:
            return
        for _ in range(50):
            try:
                await self.docker("remove_container", self.object_id, v=True, force=True)
            except docker.errors.NotFound:
                break
            except docker.errors.APIError as error:
                if error.status_code != 409:  # Docker: "removal is already in progress"
                    raise
                await asyncio.sleep(0.1)
            else:
                break
        self.object_id = ""

    async def clear_the_way(self) -> None:
        """Remove every container of this server that an earlier start or a killed hub left."""
        if self._creating is not None and not self._creating.done():
            await asyncio.wait([self._creating])
        self._creating = None
        await self._remove_ours()

    async def _remove_ours(self) -> None:
        filters = {
            "label": [
                f"{key}={value}" for key, value in self._labels().items() if key != "versatilehub.created"
            ]
        }
        for row in await self.docker("containers", all=True, filters=filters):
            self.object_id = row["Id"]
            await self.remove_object()
        self.object_id = ""

    async def stop_object(self) -> None:
        """End the container; a server that does not listen to SIGTERM is killed after `stop_grace` seconds."""
        try:
            await self.docker("stop", self.object_id, timeout=self.stop_grace)
        except docker.errors.NotFound:
            return

    async def stop(self, now: bool = False) -> None:  # JupyterHub's signature
        """Stop the server and remove its container.

        JupyterHub swallows what this raises and goes on as if the server were gone, so it is logged here, and what is left is
        removed by the next start or by the reconciler.
        """
        try:
            if self.object_id or await self.get_object():
                if not now:
                    await self.stop_object()
                if self.remove:
                    await self.remove_object()
        except UNKNOWN as error:
            self.log.error(  # noqa: TRY400  # one line: the reason is the engine's, not our stack
                "%s: could not be stopped and may still run: %s", self._log_name, error
            )
            raise EngineUnavailable(
                "The server could not be stopped: Docker does not answer.", hint="Try again in a minute."
            ) from error
        self.clear_state()
