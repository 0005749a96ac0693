"""Builds over HTTP: list, show, begin, cancel, retry.

``GET builds``, ``POST builds``, ``GET builds/<id>``, ``POST builds/<id>/cancel`` and ``…/retry``; `api_build_log` has the events and
the log. A build is shown to those who asked for it and to administrators; to anybody else it does not exist.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from jupyterhub import orm
from jupyterhub.scopes import has_scope, needs_scope

from versatilehub import policy, resolver
from versatilehub.builds.attempt import Attempt, Wish
from versatilehub.builds.audience import decide
from versatilehub.builds.events import BuildState
from versatilehub.builds.probe import Environment
from versatilehub.errors import BuildNotFound, InvalidInput, Refusal
from versatilehub.policy import Policy, Usage
from versatilehub.spec import LaunchSpec
from versatilehub.store.builds import Wanted
from versatilehub.web.api import ApiHandler

if TYPE_CHECKING:
    from versatilehub.builds.jobs import Builds
    from versatilehub.sources import ResolvedSource, Source
    from versatilehub.store.builds import BuildRecord

_MOST: Final = 200
_BODY: Final = frozenset({"source", "ref", "subdir", "force"})
ID: Final = r"([0-9a-f]{12})"


class BuildsApi(ApiHandler):
    """What every request about builds needs."""

    @property
    def builds(self) -> Builds:
        """All builds of this hub."""
        return self.versatilehub.builds

    @property
    def asker(self) -> str:
        """Name of the person who asks, "" for a service: that asks for the site."""
        return "" if isinstance(self.current_user, orm.Service) else str(self.current_user.name)

    @property
    def is_admin(self) -> bool:
        """Whether who asks may look after everybody's servers."""
        return bool(has_scope("admin:servers", self.parsed_scopes))

    @property
    def policy(self) -> Policy:
        """What the asker may; a service has the site's policy."""
        runtime = self.versatilehub
        return runtime.policy_of(self.current_user) if self.asker else runtime.policy

    async def seen(self, id: str) -> BuildRecord:  # noqa: A002  # the field's name
        """Return a build the asker may see; `BuildNotFound` for any other, and when there is none."""
        record = await self.builds.archive.get(id)
        if record is None or not await self.versatilehub.may_see_build(
            self.asker, record, admin=self.is_admin
        ):
            raise BuildNotFound(f"There is no build {id} of yours.", hint="List yours: GET builds.")
        return record

    def shown(self, record: BuildRecord) -> dict[str, Any]:
        """Return a build as JSON."""
        moments = {name: getattr(record, name) for name in ("created", "started", "ended")}
        plain = {name: getattr(record, name) for name in _SHOWN}
        place = self.builds.place(record.id)
        queue = place.to_json() if place is not None else {}
        return {
            **plain,
            **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
            "state": record.state.value,
            "seconds": dict(record.seconds),
            "waiting": len(self.builds.waiting(record.id)),
            "queue": {name: queue[name] for name in ("position", "ahead", "estimate") if name in queue},
            **({"askers": list(record.askers)} if self.is_admin else {}),
        }

    async def resolved(self, source: Source) -> tuple[ResolvedSource, str]:
        """Return the commit of *source* if the asker may read it, and whose login its fetch may use."""
        if self.asker:
            return await self.versatilehub.resolve_for(self.current_user, source)
        return await resolver.resolve(source, self.policy.sources, self.versatilehub.asking), ""

    async def begin(self, resolved: ResolvedSource, reader: str, *, force: bool) -> None:
        """Begin or join a build for the asker and answer with it."""
        wish = Wish.of(self.asker, self.policy, force=force, reader=reader)
        found = await self.builds.begin(resolved, wish)
        if isinstance(found, Environment):
            self.reply({"state": "ready", "image": found.image, "commit": found.commit, "pack": found.pack})
        else:
            self.reply(self.shown(found), 202)

    def checked(self, obj: dict[str, Any]) -> LaunchSpec:
        """Return what was asked for as a launch spec that the asker may run; raises as a launch does."""
        spec = LaunchSpec.from_json({key: value for key, value in obj.items() if value}, self.policy.sources)
        policy.check(spec, self.policy, Usage())
        return spec


_SHOWN: Final = (
    "id", "identity", "owner", "source", "provider", "ref", "commit", "subdir", "lane", "forced", "number",
    "pack", "code", "message", "hint", "file", "image", "image_id", "log_bytes", "cancelled_by",
)  # fmt: skip


class BuildListHandler(BuildsApi):
    """All builds of a person, or of everybody for an administrator."""

    @needs_scope("read:servers", post_filter=True)
    async def get(self) -> None:
        """List builds, the newest first: ``state``, ``source``, ``owner``, ``offset`` and ``limit`` narrow them down."""
        state = self.get_query_argument("state", "")
        if state and state not in set(BuildState):
            raise InvalidInput(
                f"There is no state {state!r}.", hint=f"One of {', '.join(BuildState)}.", field="state"
            )
        wanted = Wanted(
            asker="" if self.is_admin else self.asker,
            owner=self.get_query_argument("owner", ""),
            state=state,
            source=self.get_query_argument("source", ""),
        )
        offset, limit = self._number("offset", 0), min(self._number("limit", 50), _MOST)
        found: list[BuildRecord] = []
        total = 0
        if self.is_admin or self.asker:
            found, total = await self.builds.archive.find(wanted, offset=offset, limit=limit)
        builds = [
            self.shown(one)
            for one in found
            if await self.versatilehub.may_see_build(self.asker, one, admin=self.is_admin)
        ]
        self.reply({"builds": builds, "total": total, "offset": offset, "limit": limit})

    @needs_scope("servers", post_filter=True)
    async def post(self) -> None:
        """Begin a build of ``source`` (``ref``, ``subdir``) without a server; ``force`` builds although the image exists."""
        body = dict(self.json_body())
        unknown = sorted(body.keys() - _BODY)
        if unknown:
            raise InvalidInput(
                f"Unknown key {unknown[0]!r}.",
                hint=f"Known are {', '.join(sorted(_BODY))}.",
                field=unknown[0],
            )
        force = _flag(body, "force")
        spec = self.checked({key: body.get(key) for key in ("source", "ref", "subdir")})
        if spec.source is None:
            raise InvalidInput(
                "A build needs a source.", hint="Send the link of a repository.", field="source"
            )
        resolved, reader = await self.resolved(spec.source)
        await self.begin(resolved, reader, force=force)

    def _number(self, name: str, usual: int) -> int:
        text = self.get_query_argument(name, str(usual))
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise InvalidInput(f"{name} is {text[:40]!r}, not a number.", field=name)
        return int(text)


class BuildHandler(BuildsApi):
    """One build."""

    @needs_scope("read:servers", post_filter=True)
    async def get(self, id: str) -> None:  # noqa: A002
        """Show it, and the other builds of the same environment that the asker may see."""
        record = await self.seen(id)
        others, _ = await self.builds.archive.find(
            Wanted(identity=record.identity, asker="" if self.is_admin else self.asker), offset=0, limit=_MOST
        )
        attempts = [{"id": one.id, "number": one.number, "state": one.state.value} for one in others]
        self.reply({**self.shown(record), "attempts": attempts})


class CancelHandler(BuildsApi):
    """The end of a build before its time."""

    @needs_scope("servers", post_filter=True)
    async def post(self, id: str) -> None:  # noqa: A002
        """Cancel it. While others wait it asks back (409 ``others_wait``) until ``force`` is sent.

        With ``force`` an administrator ends it for all; anybody else stops waiting, and the build goes on.
        """
        record = await self.seen(id)
        sure = _flag(self.json_body(), "force")
        if record.state.final:
            raise Refusal(
                f"The build is {record.state} already.", code="build_ended", hint="Nothing is to be done."
            )
        people = self.builds.waiting(id)
        if decide(people, self.asker, admin=self.is_admin, sure=sure) == "cancel":
            await self.builds.cancel(id, by=self.asker)
        else:
            self.builds.leave(id, self.asker)
        now = await self.seen(id)
        self.reply({**self.shown(now), "ended": now.state.final})


class RetryHandler(BuildsApi):
    """The same once more."""

    @needs_scope("servers", post_filter=True)
    async def post(self, id: str) -> None:  # noqa: A002
        """Build the same commit again, as a build of its own; with ``force`` although the image exists, without cached steps."""
        record = await self.seen(id)
        force = _flag(self.json_body(), "force")
        source, reader = Attempt.from_json(record.plan).source, ""
        ref = record.ref if source.record else record.commit  # an archive's version is no commit
        spec = self.checked({"source": record.source, "ref": ref, "subdir": record.subdir})
        if spec.source is not None and spec.source.is_git:  # who may read it may have changed since
            now, reader = await self.resolved(spec.source)
            source = replace(source, private=now.private)
        await self.begin(source, reader, force=force)


def _flag(body: Any, key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise InvalidInput(f"{key} is neither true nor false.", field=key)
    return value


HANDLERS: list[tuple[Any, ...]] = [
    (r"/versatilehub/api/builds", BuildListHandler),
    (rf"/versatilehub/api/builds/{ID}", BuildHandler),
    (rf"/versatilehub/api/builds/{ID}/cancel", CancelHandler),
    (rf"/versatilehub/api/builds/{ID}/retry", RetryHandler),
]
