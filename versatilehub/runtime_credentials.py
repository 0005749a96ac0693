"""The part of `VersatileHub` that knows people's logins for git hosts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from traitlets import Bool, HasTraits

from versatilehub import git, resolver
from versatilehub.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from versatilehub.policy import Policy
    from versatilehub.resolver import Asking
    from versatilehub.sources import ResolvedSource, Source
    from versatilehub.store import Store


class CredentialTraits(HasTraits):
    """What an administrator sets about logins for git hosts, and who may read what with them."""

    if TYPE_CHECKING:  # parts of `VersatileHub` itself
        ca_bundle: str

        @property
        def store(self) -> Store:
            """Our database."""

        @property
        def asking(self) -> Asking:
            """How a source is asked."""

        def policy_of(self, owner: Any) -> Policy:
            """Return the policy of one person."""

    use_login_tokens = Bool(
        True,
        config=True,
        help="""Use the token of an OAuth login through GitHub or GitLab to read its forge's private repositories. Default: True.

        It is there if ``c.Authenticator.enable_auth_state = True``, and can read what its scopes allow: GitHub's ``repo``, GitLab's
        ``read_repository``. A token a person stores comes first. Example: ``c.VersatileHub.use_login_tokens = False``
        """,
    )

    #: The hub's own settings: its users and its authenticator.
    hub_settings: MutableMapping[str, Any]

    @cached_property
    def credentials(self) -> Credentials:
        """People's logins for git hosts."""
        return Credentials(
            self.store,
            getattr(self, "hub_settings", {}),
            lambda user: self.policy_of(user).sources,
            from_login=self.use_login_tokens,
        )

    async def resolve_for(self, user: Any, source: Source) -> tuple[ResolvedSource, str]:
        """Return the commit of *source* if *user* may read it, and whose login its fetch may use ("" for nobody's).

        Asked at every start, also when the image exists: only who may read the repository may run what was built from it.
        Raises what `resolver.resolve` raises.
        """
        login = await self.credentials.find(user, source.url) if source.is_git else None
        rules = self.policy_of(user).sources
        resolved = await resolver.resolve(source, rules, self.asking, login=login)
        if login is not None and resolved.private:
            await self.credentials.note_use(user, login)
        return resolved, user.name if login is not None else ""

    async def check_reads(self, user: Any, urls: Iterable[str]) -> None:
        """Return if *user* may read each private submodule in an image; raises what `git.resolve` raises."""
        rules = self.policy_of(user).sources
        for url in urls:
            login = await self.credentials.find(user, url)
            await git.check_readable(url, rules, ca_bundle=self.ca_bundle, login=login)
