"""What a person asked for: form, link and REST body become one checked launch spec here.

JupyterHub stores options before anybody has looked at them. So they are read here again at every start, and a set that is
refused is taken out of the database, where the next start would find it.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from traitlets import default

from versatilehub import policy
from versatilehub.errors import Refusal, VersatileHubError
from versatilehub.spawner_policy import PolicyMixin, usage_of
from versatilehub.spec import LaunchSpec
from versatilehub.web.errors import WebError, to_web_error
from versatilehub.web.form import AT, MOUNT, FormState, pick_fields, render_options_form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from versatilehub.mounts import GrantedMount
    from versatilehub.volume_grants import MountGrant


class OptionsMixin(PolicyMixin):
    """Options form, its reading, and the one `parse` and `check` every way in ends in."""

    #: The last options that passed, restored when later ones are refused. Part of the state, so the hub's own record.
    good_options: Mapping[str, Any] | None = None
    #: The request this server was last started by, as long as it is known.
    asked_by: weakref.ref[Any] | None = None
    #: What this start was asked for; None when nothing was.
    spec: LaunchSpec | None = None

    if TYPE_CHECKING:  # of `StorageMixin`

        async def grant(self, spec: LaunchSpec | None, home: str = "") -> tuple[GrantedMount, ...]:
            """Return what of the spec's mounts appears and how."""

        async def grants(self) -> tuple[MountGrant, ...]:
            """Return all that this server's owner may mount."""

        async def missing_images(self, names: Iterable[str]) -> tuple[str, ...]:
            """Return those that cannot be had."""

    # -- the form --------------------------------------------------------------------------

    @default("options_form")
    def _options_form_default(self) -> Any:
        return type(self).render_form

    @staticmethod
    async def render_form(spawner: OptionsMixin) -> str:
        """Return the form's HTML, with what was typed and why it was refused when a POST just failed."""
        refused = spawner.runtime.rejected_forms.pop(spawner.user.name, None)
        meant = spawner.just_failed() or spawner
        return render_options_form(await meant.with_mounts(refused or meant.form_state()))

    def just_failed(self) -> OptionsMixin | None:
        """Return the server of this person whose start failed in the request that is being answered.

        JupyterHub asks the default server for the form then, whichever it was (`SpawnHandler._post`): what was typed would be lost.
        """
        for other in self.user.spawners.values():
            handler = other.asked_by() if isinstance(other, OptionsMixin) and other.asked_by else None
            answering = handler is not None and handler.request.method == "POST" and not handler._finished  # noqa: SLF001  # tornado's word for "answered"
            if answering and not other.active:
                return other
        return None

    async def with_mounts(self, state: FormState) -> FormState:
        """Return the form with the images that are missing, and the volumes this server's owner may mount, chosen as they last were."""
        state = replace(state, missing=await self.missing_images(state.images))
        if "mounts" not in self.owner_policy().offers:
            return state
        last = (self.good_options or {}).get("mounts") or []
        usual = {f"{MOUNT}{one['volume']}": one.get("mode", "rw") for one in last}
        usual |= {f"{AT}{one['volume']}": one["at"] for one in last}
        return replace(state, mounts=await self.grants(), defaults={**state.defaults, **usual})

    def form_state(self) -> FormState:
        """Return the form as policy allows it, filled with the options this server last ran with."""
        policy_now = self.owner_policy()
        last = {key: value for key, value in (self.good_options or {}).items() if isinstance(value, str)}
        listed = self._get_allowed_images()
        names = tuple(listed) if isinstance(listed, Mapping) and listed else policy_now.images
        kind = "image" if last.get("image") else ""
        usual = {"placement": "home", "kind": kind, "profile": policy_now.default_profile}
        return FormState(
            base_url=self.hub.base_url,
            defaults={**usual, **last},
            profiles=policy_now.profiles,
            sources_allowed=policy_now.allow_sources,
            images=tuple(name for name in names if not name.endswith("*")),
            any_image=listed == "*" or any(name.endswith("*") for name in names),
        )

    @default("options_from_form")
    def _options_from_form_default(self) -> Any:
        return self.read_form

    async def read_form(self, form: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return the user options a form stands for.

        Raises ValueError, for which JupyterHub shows the form again; what was typed waits in the runtime for that.
        """
        try:
            spec = self._read_form(form)
            await self.grant(spec)
            if not self.owner_policy().admin_may_exceed:  # else the start decides, which knows who asks
                policy.check_running(self.owner_policy(), usage_of(self.user, self.name))
        except VersatileHubError as error:
            self.runtime.note_refusal(self.user.name, self.name, error)
            self.runtime.rejected_forms[self.user.name] = self.form_state().rejected(form, error)
            raise ValueError(error.message) from error
        return spec.to_json()

    def check_form(self, form: Mapping[str, Sequence[Any]]) -> None:
        """Return if a form asks for what the owner may run; raise `InvalidInput` or `Refusal`.

        A reader of forms that an administrator put in the place of ours is not asked: it may do more than read.
        """
        if self.options_from_form == self.read_form:
            self._read_form(form)

    async def check_mounts(self, form: Mapping[str, Sequence[Any]]) -> None:
        """Return if the owner may mount what a form asks for; raise `Refusal`."""
        if self.options_from_form == self.read_form:
            await self.grant(self._read_form(form))

    def _read_form(self, form: Mapping[str, Sequence[Any]]) -> LaunchSpec:
        spec = LaunchSpec.from_form(pick_fields(form), self.owner_policy().sources, self._listed())
        policy.check_spec(spec, self.owner_policy(spec.image))
        return spec

    def options_from_query(self, query_data: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Refuse: a link never starts a server, whatever it carries."""
        raise to_web_error(
            Refusal(
                "A link does not start a server.",
                hint="Check what it asks for in the form below, then press Start.",
                code="link_starts_nothing",
            )
        )

    # -- parse and check -------------------------------------------------------------------

    @default("apply_user_options")
    def _apply_user_options_default(self) -> Any:
        return type(self).accept_options

    @staticmethod
    async def accept_options(spawner: OptionsMixin, user_options: object) -> None:
        """Read and check the options of a start; refused ones are replaced in the database by the last good ones."""
        spawner.admitted = False
        spawner.asked_by = weakref.ref(spawner.handler) if spawner.handler is not None else None
        try:
            spawner.spec = spawner.read_options(user_options)
            await spawner.grant(spawner.spec)
        except VersatileHubError as error:
            spawner.forget_options()
            raise spawner.refused(error) from error
        spawner.good_options = user_options if isinstance(user_options, Mapping) else {}
        try:
            spawner.admit()
        except VersatileHubError as error:
            raise spawner.refused(error) from error

    def refused(self, error: VersatileHubError) -> WebError:
        """Note *error* as a refusal of this server, and return it as what JupyterHub shows."""
        self.runtime.note_refusal(self.user.name, self.name, error)
        return to_web_error(error)

    def read_options(self, user_options: object) -> LaunchSpec | None:
        """Return the checked spec, None when nothing was asked for: the server then runs the configured image.

        Raises `InvalidInput` or `Refusal`, nothing else. How many servers there are was asked before the record was made.
        """
        if not user_options:
            return None
        spec = LaunchSpec.from_json(user_options, self.owner_policy().sources, self._listed())
        policy.check_spec(spec, self.owner_policy(spec.image))
        return spec

    def _listed(self) -> Mapping[str, str]:
        """Return the names in stock DockerSpawner's `allowed_images`, and the images they stand for by their own names."""
        allowed = self._get_allowed_images()
        if not isinstance(allowed, Mapping):
            return {}
        return {**{image: image for image in allowed.values()}, **allowed}

    def forget_options(self) -> None:
        """Put the last good options where JupyterHub just stored refused ones."""
        self.user_options = dict(self.good_options or {})
        self.orm_spawner.user_options = self.user_options or None
        self.user.db.commit()
