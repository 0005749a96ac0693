"""JupyterHub configuration of the stub hub: our pages, and a spawner whose *ref* names the story it tells."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyterhub.spawner import Spawner
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from traitlets import default

from versatilehub.errors import BuildFailed, InvalidSource, RefNotFound, Refusal
from versatilehub.web.api import ApiHandler
from versatilehub.web.assets import TEMPLATES
from versatilehub.web.errors import to_web_error
from versatilehub.web.form import FormState, pick_fields, render_options_form
from versatilehub.web.handlers import extra_handlers, template_vars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
from versatilehub.web.ready import honest_ready_event

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # JupyterHub's

Event = dict[str, Any]
MANY = 20_000
LOG_TAIL = ("Collecting numpyy", "ERROR: No matching distribution found for numpyy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A size profile, as the policy has it."""

    name: str
    label: str
    memory: int
    cpus: float


SIZES: tuple[Any, ...] = (
    Size(name="small", label="Small", memory=1 << 30, cpus=0.5),
    Size(name="medium", label="Medium", memory=2 << 30, cpus=1),
    Size(name="large", label="Large", memory=int(5.5 * (1 << 30)), cpus=4),
)


def event(phase: str, kind: str, message: str = "", **more: Any) -> Event:
    """Return one event without its number and time."""
    return {"phase": phase, "kind": kind, "message": message, "step": 0, "steps": 0, "outcome": "", **more}


BEGINNING = (
    event("resolve", "phase", "Finding the commit of main"),
    event("resolve", "done", "", outcome="ok"),
    event("fetch", "phase", "Fetching 1a2b3c4d5e6f"),
    event("fetch", "log", "Receiving objects: 100% (12/12)\rReceiving objects: 100% (12/12), done."),
    event("fetch", "done", "", outcome="cached"),
    event("build", "phase", "Building the image"),
    event("build", "step", "FROM versatilehub/singleuser", step=1, steps=3),
    event("build", "step", "RUN pip install -r requirements.txt", step=2, steps=3),
    event("build", "log", "\x1b[32mCollecting numpy\x1b[0m <script>window.hacked = 1</script>"),
)
ENDING = (
    event("start", "phase", "Starting the container"),
    event("ready", "phase", "Waiting for the server"),
)
STORIES: dict[str, Sequence[Event]] = {
    "hold": BEGINNING,
    "many": (
        *BEGINNING,
        *(
            event("build", "log", f"line {n} of the build log, as long as such lines are")
            for n in range(MANY)
        ),
    ),
    "fail": (*BEGINNING, *(event("build", "log", line) for line in LOG_TAIL)),
    "quick": (*BEGINNING, *ENDING),
    "looking": (*BEGINNING, event("build", "phase", "Looking whether a server can run in the image")),
    "cached": (
        *BEGINNING[:2],
        event("build", "done", "The image of commit 1a2b3c4d5e6f exists.", outcome="cached"),
        event("start", "phase", "Starting the server"),
        event("start", "phase", "2 files you changed were kept as before"),
    ),
}


ENDLESS = frozenset({"hold", "many", "looking", "cached"})


class Answer(RequestHandler):
    """The whole server: one line."""

    def get(self) -> None:
        """Answer anything."""
        self.finish(f"<!doctype html><title>up</title><h1>Server at {self.request.path}</h1>")


class Failing(ApiHandler):
    """A call of our JSON API that fails as its path says."""

    async def get(self, how: str) -> None:
        """Raise."""
        errors: dict[str, Exception] = {
            "refused": Refusal(
                "Two of two servers run.", hint="Stop one.", field="source", limit="2", actual="2"
            ),
            "missing": HTTPError(404, "no such build"),
            "wordless": HTTPError(409),
            "bug": RuntimeError("/secret/path"),
        }
        raise errors[how]


class StubSpawner(Spawner):
    """Tells the story of ``user_options["ref"]``; those of `ENDLESS` go on until cancelled."""

    rejected: FormState | None = None
    http: HTTPServer | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.story: list[Event] = []
        self.changed = asyncio.Event()
        self.heard = asyncio.Event()

    @default("options_form")
    def _default_options_form(self) -> Callable[[Any], str]:
        return lambda spawner: spawner.render_form()

    @default("progress_ready_hook")
    def _default_progress_ready_hook(self) -> Callable[[Any, Event], Event]:
        return honest_ready_event

    def render_form(self) -> str:
        """Return the form, with what was refused a moment ago."""
        rejected, self.rejected = self.rejected, None
        return render_options_form(rejected or self.form_state())

    def form_state(self) -> FormState:
        """Return the form before anything was typed."""
        return FormState(
            base_url=self.hub.base_url,
            profiles=SIZES,
            images=("local/one:1", "local/two:2"),
            defaults={"profile": "medium", "placement": "home"},
        )

    def options_from_form(self, form: dict[str, list[Any]]) -> dict[str, Any]:
        """Refuse what does not look like a link, keeping it for the form that is shown again."""
        options = {name: values[0] for name, values in pick_fields(form).items()}
        if "image" not in options and not options.get("source", "").startswith("https://"):
            error = InvalidSource(
                f"“{options.get('source', '')}” is no repository link.",
                hint="A link looks like https://github.com/owner/repo.",
                field="source",
            )
            self.user.spawner.rejected = self.form_state().rejected(form, error)
            raise to_web_error(error) from error
        return options

    async def start(self) -> tuple[str, int]:
        """Tell the story, then fail, wait for ever, or serve."""
        ref = self.user_options.get("ref", "quick")
        if ref == "topic-x":
            error = RefNotFound(
                "There is no branch “topic-x” & <b>never was</b>.", hint="There is “main”.", field="ref"
            )
            raise to_web_error(error) from error
        for one in STORIES[ref]:
            self.tell(one)
        if ref == "fail":
            await self.told()
            failure = BuildFailed(
                "Step 2 of 3 failed: pip found no package “numpyy”.",
                hint="Correct the name in requirements.txt.",
                lines=LOG_TAIL,
            )
            raise to_web_error(failure) from failure
        if ref in ENDLESS:
            await asyncio.Event().wait()
        await self.told()
        return self.serve()

    async def told(self) -> None:
        """Return when a page has heard the whole story, or after a while: not everybody listens."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.heard.wait(), 3)
        await asyncio.sleep(0.5)  # the page draws once a frame

    def serve(self) -> tuple[str, int]:
        """Open the server and return its address."""
        sockets = bind_sockets(0, "127.0.0.1")
        self.http = HTTPServer(Application([(r"/.*", Answer)]))
        self.http.add_sockets(sockets)
        return "127.0.0.1", sockets[0].getsockname()[1]

    def tell(self, one: Event) -> None:
        """Append *one* to the story and wake the readers."""
        told = {key: value for key, value in one.items() if key != "message"}
        vh = {**told, "seq": len(self.story) + 1, "at": time.time()}
        self.story.append({"progress": min(95, len(self.story) * 6), "message": one["message"], "vh": vh})
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    async def progress(self) -> AsyncIterator[Event]:
        """Yield the story from the beginning, whoever asks and whenever."""
        seen = 0
        while True:
            while seen < len(self.story):
                yield dict(self.story[seen])
                seen += 1
            if seen:
                self.heard.set()
            await self.changed.wait()

    async def stop(self, now: bool = False) -> None:
        """Close the server."""
        if self.http:
            self.http.stop()
            self.http = None

    async def poll(self) -> int | None:
        """Say whether the server is open."""
        return None if self.http or self._start_pending else 0


c.JupyterHub.spawner_class = StubSpawner
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"admin"}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.base_url = "/base/"
c.JupyterHub.bind_url = f"http://127.0.0.1:{os.environ['STUB_PORT']}/base/"
c.JupyterHub.hub_port = int(os.environ["STUB_HUB_PORT"])
c.JupyterHub.cleanup_servers = False
c.JupyterHub.template_paths = [str(TEMPLATES)]
c.JupyterHub.template_vars = template_vars()
c.JupyterHub.extra_handlers = [*extra_handlers(), (r"/api/stub/(\w+)", Failing)]
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['STUB_API_PORT']}"
