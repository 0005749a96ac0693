"""What is known about one server: the events of its launch for every browser that looks, and the state that survives.

Unlike stock, part of the state survives a stop: which volume is this server's, and what was placed in it.
"""

from __future__ import annotations

import contextlib
import inspect
import time
from typing import TYPE_CHECKING, Any

from traitlets import default

from versatilehub.builds.events import BuildEvent, BuildState, Kind
from versatilehub.launch import LaunchLog, progress_event
from versatilehub.runtime_culling import STATE_KEY
from versatilehub.spawner_engine import UNKNOWN
from versatilehub.spawner_farewell import FarewellMixin
from versatilehub.web.ready import honest_ready_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class RecordMixin(FarewellMixin):
    """Progress, state and the end of a server."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.launch = LaunchLog()
        self.volume = ""
        #: The volume of the server's own beside a home that is its owner's, "" without one.
        self.disk = ""
        #: Folders in the home, relative to it, that were made for volumes to appear at.
        self.points: list[str] = []
        self.placed = ""
        #: The content on its way into the volume; still there when a killed hub comes back, the start was not complete.
        self.placing = ""

    @default("progress_ready_hook")
    def _progress_ready_hook_default(self) -> Any:
        return honest_ready_event

    # -- the record of this launch -----------------------------------------------------------

    def say(self, phase: str, message: str, *, kind: Kind = "phase", outcome: str = "") -> None:
        """Add one event to the record of this launch."""
        self.launch.add(
            BuildEvent(
                seq=0,
                at=time.time(),
                state=BuildState.READY,
                phase=phase,
                kind=kind,
                message=message,
                outcome=outcome,
            )
        )

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield every event of this launch from the first, for each browser that looks."""
        async for numbered in self.launch.follow():
            yield progress_event(numbered)

    def run_post_stop_hook(self) -> Any:
        """Sweep after every end of a server: JupyterHub skips `stop()` when the container had ended by itself."""
        return self._after_stop()

    async def _after_stop(self) -> None:
        if self.remove:
            with contextlib.suppress(*UNKNOWN):
                await self.clear_the_way()
        hook = super().run_post_stop_hook()
        if inspect.isawaitable(hook):
            await hook

    # -- state -----------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return what must survive a restart of the hub; unlike stock, part of it survives a stop as well."""
        state: dict[str, Any] = super().get_state()
        state[STATE_KEY] = {
            "volume": self.volume,
            "disk": self.disk,
            "points": self.points,
            "placed": self.placed,
            "placing": self.placing,
            "options": self.good_options,
            "ran_out_of": self.ran_out_of,
        }
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_state` gave."""
        super().load_state(state)
        ours = state.get(STATE_KEY) or {}
        self.volume = ours.get("volume", "")
        self.disk = ours.get("disk", "")
        self.points = list(ours.get("points") or ())
        self.placed = ours.get("placed", "")
        self.placing = ours.get("placing", "")
        self.good_options = ours.get("options")
        self.ran_out_of = int(ours.get("ran_out_of") or 0)

    def clear_state(self) -> None:
        """Forget the run, keep the storage; a new launch gets a new record."""
        super().clear_state()
        self.placing = ""
        if self.remove:
            self.object_id = ""
        if self.launch.closed:
            self.launch = LaunchLog()

    def save_state(self) -> None:
        """Put the state on record now: JupyterHub does so only after a start has succeeded."""
        self.orm_spawner.state = self.get_state()
        self.user.db.commit()
