"""How long one server lives, and what the ledger hears of it.

What decides (the idle time its person asked for, until when it is kept) is part of the spawner's state: the hub's own record, which
nobody writes by REST.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
from jupyterhub.utils import utcnow

from versatilehub.culling import is_busy
from versatilehub.errors import Refusal
from versatilehub.events import Kind
from versatilehub.runtime_culling import LIFETIME, STATE_KEY
from versatilehub.spawner_engine import UNKNOWN
from versatilehub.spawner_record import RecordMixin

if TYPE_CHECKING:
    from collections.abc import Callable

    from versatilehub.policy import Policy
    from versatilehub.spec import LaunchSpec

#: Seconds until a server's answer about its kernels is given up: one that computes may be slow.
ANSWER = 10.0
#: A kernel's row has some 250 bytes.
ANSWER_BYTES = 256 * 1024
OK = 200


class LifetimeMixin(RecordMixin):
    """Idle time, putting off, and the events of starting and ending."""

    owner_policy: Callable[[], Policy]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.idle_wish: int | None = None
        self.keep_until: datetime | None = None
        #: The start is in the ledger and no end is yet.
        self.counted = False
        #: Why the culler ends it now; "" when somebody else does.
        self.culled = ""

    # -- state -----------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the state, with the lifetime in it."""
        state = super().get_state()
        state[STATE_KEY][LIFETIME] = {
            "idle_timeout": self.idle_wish,
            "keep_until": self.keep_until.timestamp() if self.keep_until else None,
            "counted": self.counted,
        }
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_state` gave."""
        super().load_state(state)
        lifetime = (state.get(STATE_KEY) or {}).get(LIFETIME) or {}
        self.idle_wish = lifetime.get("idle_timeout")
        keep = lifetime.get("keep_until")
        self.keep_until = datetime.fromtimestamp(keep, UTC) if keep else None
        self.counted = bool(lifetime.get("counted"))

    def begin_lifetime(self, spec: LaunchSpec | None) -> None:
        """Forget the run before; note what this one was asked for."""
        self.idle_wish = spec.idle_timeout if spec is not None else None
        self.keep_until, self.culled, self.ran_out_of = None, "", 0

    def keep(self, until: datetime) -> None:
        """Put the server's end off, and have it on record."""
        self.keep_until = until
        self.save_state()
        self._record(Kind.SERVER_EXTENDED, until=until.isoformat())

    async def check_budget(self) -> None:
        """Raise `Refusal` when the owner's budget of this month is used up; whoever acts, it is the owner's.

        Starts at the same moment are not held apart: they may all pass just before the end of a budget.
        """
        try:
            await self.runtime.check_budget(self.user.name, self.owner_policy())
        except Refusal as refusal:
            self._record(Kind.REFUSED, code=refusal.code)
            raise

    # -- the ledger ------------------------------------------------------------------------

    def count_start(self) -> None:
        """Tell the ledger that the server runs, with what it was granted."""
        resolved = getattr(self, "resolved", None)
        self.counted = True
        self._record(
            Kind.SERVER_STARTED,
            source=resolved.url if resolved is not None else "",
            memory=int(self.mem_limit or 0),
            cpus=float(self.cpu_limit or 0),
            image=str(self.image),
            commit=resolved.commit if resolved is not None else "",
        )

    def _record(self, kind: Kind, *, source: str = "", **data: Any) -> None:
        workspace = str((self.good_options or {}).get("workspace") or "")
        self.runtime.ledger.append(
            kind, owner=self.user.name, server=self.name, workspace=workspace, source=source, **data
        )

    async def _after_stop(self) -> None:
        if self.counted:
            if self.ran_out_of or await self._ran_out_of_memory():
                self._record(Kind.SERVER_OOM)
            if self.culled:
                self._record(Kind.SERVER_CULLED, why=self.culled)
            self._record(Kind.SERVER_STOPPED)
            self.counted, self.culled, self.keep_until = False, "", None
        await super()._after_stop()

    async def _ran_out_of_memory(self) -> bool:
        try:
            found = await self.get_object() if self.object_id else None
        except UNKNOWN:
            return False
        state = (found or {}).get("State") or {}
        return bool(state.get("OOMKilled")) and not state.get("Running")

    async def delete_forever(self) -> None:
        """The server's record goes; the ledger hears of it."""
        self._record(Kind.SERVER_DELETED)
        await super().delete_forever()

    # -- what the server is told -------------------------------------------------------------

    def get_env(self) -> dict[str, str]:
        """Return the server's environment; our image's server reads there whether an open tab is use."""
        return {**super().get_env(), "VERSATILEHUB_OPEN_TABS_COUNT": str(int(self.runtime.open_tabs_count))}

    # -- is it in use? -----------------------------------------------------------------------

    async def computes(self) -> bool | None:
        """Tell whether a kernel of the running server computes; None when the server does not say.

        Its last report of activity may be hours old then: a kernel that prints nothing reports nothing.
        """
        try:
            async with asyncio.timeout(ANSWER):
                headers = {"Authorization": f"token {self._token()}"}
                # The server is its owner's, who may have put anything in its place: its answer leads nowhere and is short.
                async with self.runtime.http.get(
                    f"{self.server.url}api/kernels", headers=headers, allow_redirects=False
                ) as answer:
                    if answer.status != OK:
                        return False  # no Jupyter server's answer: there are no kernels to ask about
                    kernels = json.loads(await _at_most(answer.content, ANSWER_BYTES))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        except (ValueError, RecursionError):
            return False
        return is_busy(kernels) if isinstance(kernels, list) else False

    def _token(self) -> str:
        """Return the server's own token; a hub that was restarted has forgotten it and makes one for this question."""
        if self.api_token:
            return str(self.api_token)
        scope = f"access:servers!server={self.user.name}/{self.name}"
        return str(self.user.new_api_token(note="Does a kernel compute?", expires_in=60, scopes=[scope]))

    def seen_in_use(self) -> None:
        """Put on record that the server is in use now."""
        self.orm_spawner.last_activity = utcnow(with_tz=False)
        self.user.db.commit()


async def _at_most(content: aiohttp.StreamReader, size: int) -> bytes:
    """Return the answer; ValueError when it is longer than *size*."""
    try:
        await content.readexactly(size)
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    raise ValueError("too long")
