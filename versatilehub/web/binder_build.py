"""BinderHub's build API, for the clients that know it: ``GET /hub/build/<provider>/<spec>`` streams a build and a launch.

It is the one GET that starts something, so it acts for an API token only, which no page of another site can make a browser send; a login's
cookie is answered with a refusal. The answer is always 200 and a stream of `binder_frames`; ``build_only=true`` ends with the image.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from jupyterhub import orm
from jupyterhub.scopes import has_scope
from jupyterhub.utils import url_escape_path, url_path_join
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from versatilehub import binder_frames as frames
from versatilehub import policy
from versatilehub.builds.attempt import Wish
from versatilehub.errors import Refusal, ServerFailed, SourceFailure, VersatileHubError
from versatilehub.policy import Usage, check_new_server
from versatilehub.readable import readable_name
from versatilehub.sources import parse_source
from versatilehub.spec import LaunchSpec
from versatilehub.web.api import ApiHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from versatilehub.binder_frames import Frame
    from versatilehub.builds.events import BuildEvent
    from versatilehub.builds.probe import Environment
    from versatilehub.policy import Policy
    from versatilehub.sources import ResolvedSource, Source

#: Seconds without news after which a comment is sent, and how long the stream stays open after its last frame so that the client
#: closes it (an EventSource whose server closes first connects again); both are BinderHub's.
KEEP_ALIVE: Final = 25.0
LINGER: Final = 60.0
#: Seconds a token given with a server is valid; the browser that uses it gets a cookie.
TOKEN_SECONDS: Final = 3600
#: Names tried before one with a count is taken.
_TRIES: Final = 20


class BinderBuildHandler(ApiHandler):
    """One request of a BinderHub client."""

    _work: asyncio.Task[None] | None = None

    def get_content_type(self) -> str:
        """Return the type of the stream."""
        return "text/event-stream"

    def on_connection_close(self) -> None:
        """Let go when the client has: a build others wait for goes on, as does a server that starts."""
        if self._work is not None:
            self._work.cancel()
        super().on_connection_close()

    async def get(self) -> None:
        """Stream the build, and unless ``build_only`` the launch, of one Binder spec."""
        if not _accepts_events(self.request.headers.get_list("Accept")):
            raise HTTPError(406, "The answer is a stream: send Accept: text/event-stream.")
        for name, value in (("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")):
            self.set_header(name, value)
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        # as it was sent: tornado has decoded the groups of a pattern, and "%2F" in a spec is no "/"
        provider, _, spec = self.request.path.partition("/hub/build/")[2].partition("/")
        request = frames.Request(provider=provider, spec=spec.rstrip("/"))
        self._work = asyncio.create_task(self._serve(request))
        try:
            await self._stream()
        except StreamClosedError:
            return
        finally:
            self._work.cancel()

    async def _stream(self) -> None:
        """Write frames as they come, and a comment when none does; stay a while after the last."""
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    frame = await self._frames.get()
            except TimeoutError:
                self.write(":keepalive\n\n")
                await self.flush()
                continue
            if frame is None:
                break
            self.write(f"data: {json.dumps(frame)}\n\n")
            await self.flush()
        await asyncio.sleep(LINGER)

    async def _serve(self, request: frames.Request) -> None:
        """Put every frame of *request* into the queue, None after the last; whatever goes wrong is a frame."""
        say = self._frames.put_nowait
        try:
            self._check_caller()
            if not request.known:
                say(frames.unknown_provider(request))
                return
            await self._launch(request, say)
        except SourceFailure as error:
            say(frames.unresolved(request, error))
        except VersatileHubError as error:
            say(frames.refusal(error))
        except HTTPError as error:  # JupyterHub's own refusals, with its words
            say(
                frames.failed(
                    getattr(error, "jupyterhub_message", "") or error.log_message or "Refused.",
                    error.status_code,
                )
            )
        except Exception:
            self.log.exception("A request of BinderHub's API failed")
            say(
                frames.failed(
                    "The hub could not answer because of a fault of its own; it is in the hub's log.", 500
                )
            )
        finally:
            say(None)

    def _check_caller(self) -> None:
        """Raise `Refusal` unless a person's token asks that may start servers."""
        if not getattr(self, "_token_authenticated", False):
            raise Refusal(
                "This address builds and starts servers for an API token only.",
                hint="Send the header Authorization: Bearer TOKEN; make a token on the page Token.",
                code="token_needed",
            )
        if not isinstance(getattr(self.current_user, "orm_user", None), orm.User):
            raise Refusal(
                "This token is a service's.", hint="Send the token of a person.", code="token_needed"
            )
        if not has_scope(f"servers!user={self.current_user.name}", self.parsed_scopes):
            raise Refusal(
                "This token may not start servers.", hint="Its scopes need servers.", code="token_too_narrow"
            )

    async def _launch(self, request: frames.Request, say: Callable[[Frame | None], None]) -> None:
        build_only = self.get_query_argument("build_only", "") == "true"
        say(frames.waiting("Waiting for build to start..."))
        ours = self.versatilehub.policy_of(self.current_user)
        source = parse_source(request.link, rules=ours.sources)
        spec = LaunchSpec.from_json(_options(source), ours.sources)
        policy.check(spec, ours, Usage())
        resolved, reader = await self.versatilehub.resolve_for(self.current_user, source)
        environment, found = await self._build(
            resolved, Wish.of(self.current_user.name, ours, reader=reader), say
        )
        if build_only:
            say(frames.only_built(environment.image, found=found))
            return
        say(frames.built(environment.image, found=found))
        name = await self._start(spec, ours, say)
        host = f"{self.request.protocol}://{self.request.host}"
        url = host + url_path_join(self.current_user.url, url_escape_path(name), "/")
        say(
            frames.ready(
                request,
                resolved,
                url=url,
                token=self._token(name),
                image=environment.image,
                host=host + self.hub.base_url.removesuffix("hub/"),
            )
        )

    async def _build(
        self, resolved: ResolvedSource, wish: Wish, say: Callable[[Frame | None], None]
    ) -> tuple[Environment, bool]:
        """Return the environment, and whether it was there before."""
        seen: list[str] = []

        def watch(event: BuildEvent) -> None:
            if event.kind == "done":
                seen.append(event.outcome)
            if frame := frames.of_event(event):
                say(frame)

        environment = await self.versatilehub.builds.ensure(resolved, watch, wish)
        return environment, "cached" in seen

    async def _start(self, spec: LaunchSpec, ours: Policy, say: Callable[[Frame | None], None]) -> str:
        """Return the name of the server that runs *spec*, started unless it runs."""
        user = self.current_user
        options = spec.to_json()
        taken = {name for name in user.orm_spawners if name}
        same = [name for name, row in user.orm_spawners.items() if name and row.user_options == options]
        name = same[0] if same else readable_name(taken, (secrets.randbelow(1 << 30) for _ in range(_TRIES)))
        if not same:
            check_new_server(name, "", ours, Usage(named_servers=tuple(sorted(taken))))
        say(frames.launching("Launching server..."))
        spawner = user.get_or_create_spawner(name, name, replace_failed=True)
        if spawner.ready:
            return name
        starting = asyncio.ensure_future(self._wait(spawner, options))
        try:
            async with aclosing(spawner.progress()) as events:
                async for event in events:
                    if event.get("message") and event.get("vh", {}).get("phase") in {"start", "ready"}:
                        say(frames.launching(event["message"]))
            await starting
        finally:
            if not starting.done():
                starting.cancel()
        return name

    async def _wait(self, spawner: Any, options: dict[str, Any]) -> None:
        """Return when the server is ready; raises what its start raised."""
        if not spawner.pending:
            await self.spawn_single_user(self.current_user, spawner.name, options=options)
        if spawner._spawn_future is not None:  # noqa: SLF001  # as the hub's own progress handler waits
            await asyncio.shield(spawner._spawn_future)  # noqa: SLF001  # as above
        if not spawner.ready:
            raise ServerFailed("The server did not start.", hint="Look at its page, and start it again.")

    def _token(self, server: str) -> str:
        """Return a token for the new server, "" when the caller's own may not open it: no token makes a stronger one."""
        scope = f"access:servers!server={self.current_user.name}/{server}"
        if not has_scope(scope, self.parsed_scopes):
            return ""
        return str(
            self.current_user.new_api_token(note="BinderHub API", expires_in=TOKEN_SECONDS, scopes=[scope])
        )


def _options(source: Source) -> dict[str, str]:
    fields = {"source": source.url, "ref": source.ref, "subdir": source.subdir}
    return {key: value for key, value in fields.items() if value}


def _accepts_events(headers: list[str]) -> bool:
    """Tell whether one of the media ranges is ours; a client that names none takes anything (RFC 9110, 12.5.1)."""
    ranges = [part.partition(";")[0].strip().lower() for header in headers for part in header.split(",")]
    return not any(ranges) or bool({"text/event-stream", "text/*", "*/*"} & set(ranges))


HANDLERS = [(r"/build/[^/]+/.+", BinderBuildHandler)]
