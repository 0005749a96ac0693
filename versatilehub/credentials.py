"""People's logins for git hosts: stored under the hub's crypt key, or left by their OAuth login, and found by URL.

A secret is opened for git at the moment it is needed and kept nowhere; what is listed has none. A login is its owner's alone:
nobody, administrators included, uses another person's, and no page or API shows a secret.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import InvalidToken
from jupyterhub.crypto import EncryptionUnavailable, decrypt, encrypt

from versatilehub import logins
from versatilehub.errors import Refusal
from versatilehub.logins import Login
from versatilehub.source_address import split_url
from versatilehub.store import credentials as table
from versatilehub.store.credentials import Credential, NewCredential

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from versatilehub.sources import SourceRules
    from versatilehub.store import Store

_log: Final = logging.getLogger(__name__)


class Credentials:
    """All logins of one hub's people. *settings* are the hub's own (its users, its authenticator), *rules* a person's."""

    def __init__(
        self,
        store: Store,
        settings: MutableMapping[str, Any],
        rules: Callable[[Any], SourceRules],
        *,
        from_login: bool = True,
    ) -> None:
        self._store = store
        self._settings = settings
        self._rules = rules
        self._from_login = from_login

    async def listed(self, user: Any) -> tuple[Credential, ...]:
        """Return what *user* has stored, without secrets."""
        owner = _owner(user)
        return await self._store.run(lambda session: table.listed(session, owner))

    async def put(self, user: Any, *, host: str, username: str, secret: str) -> Credential:
        """Store a login of *user*, in place of an earlier one for that host; raises InvalidInput and `Refusal`.

        *host* is a name or any address on it, *username* "" the host's usual one beside a token.
        """
        origin = logins.check_host(host, self._rules(user))
        login = Login(
            origin=origin,
            username=logins.check_username(username, origin),
            secret=logins.check_secret(secret),
        )
        owner = _owner(user)
        new = NewCredential(
            owner=owner,
            origin=origin,
            username=login.username,
            sealed=await _seal(owner, login),
            at=datetime.now(UTC),
        )
        return await self._store.run(lambda session: table.put(session, new))

    async def remove(self, user: Any, number: int) -> bool:
        """Delete one of *user*'s by its id; False when there is no such."""
        owner = _owner(user)
        return await self._store.run(lambda session: table.remove(session, owner, number))

    async def find(self, user: Any, url: str) -> Login | None:
        """Return *user*'s login for the host of *url*: the stored one, else that of the OAuth login; None for neither."""
        address, owner = split_url(url), _owner(user)
        if not self._may_carry(user, address.origin):
            return None
        sealed = await self._store.run(lambda session: table.sealed(session, owner, address.origin))
        if sealed is not None:
            return await _open(owner, address.origin, sealed)
        left = await self._left_by_login(user)
        return left if left is not None and left.is_for(url) else None

    async def note_use(self, user: Any, login: Login) -> None:
        """Note that the host took a stored login of *user*, for the list they see."""
        owner, now = _owner(user), datetime.now(UTC)
        await self._store.run(lambda session: table.note_use(session, owner, login.origin, now))

    async def of(self, name: str, url: str) -> Login | None:
        """Return the same of the person called *name*; None for somebody the hub does not know any more."""
        users = self._settings.get("users")
        user = users.get(name) if users is not None else None
        return None if user is None else await self.find(user, url)

    async def login_host(self, user: Any) -> str:
        """Return the host whose token came with the OAuth login of *user*, "" if none did."""
        left = await self._left_by_login(user)
        return left.origin if left is not None and self._may_carry(user, left.origin) else ""

    async def _left_by_login(self, user: Any) -> Login | None:
        if not self._from_login:
            return None
        state = await user.get_auth_state()
        authenticator = self._settings.get("authenticator")
        forges = {
            trait: str(getattr(authenticator, trait, "") or "") for trait in ("github_url", "gitlab_url")
        }
        return logins.from_auth_state(state, forges)

    def _may_carry(self, user: Any, origin: str) -> bool:
        """Whether a token may go there: over TLS, or to what the site added by name, which may have changed since."""
        return origin.startswith("https://") or any(
            split_url(prefix).origin == origin for prefix in self._rules(user).extra
        )


def _owner(user: Any) -> str:
    """Return what stands for this account alone: a name may be given again, and an id too."""
    return f"{user.id} {user.created.isoformat()}"


async def _seal(owner: str, login: Login) -> bytes:
    content: Mapping[str, str] = {
        "owner": owner,
        "origin": login.origin,
        "username": login.username,
        "secret": login.secret,
    }
    try:
        return bytes(await encrypt(content))  # type: ignore[no-untyped-call]  # JupyterHub's
    except EncryptionUnavailable as error:
        raise Refusal(
            "This hub cannot keep tokens: it has no key to encrypt them with.",
            hint="An administrator can set c.CryptKeeper.keys, or JUPYTERHUB_CRYPT_KEY.",
            code="no_crypt_key",
        ) from error


async def _open(owner: str, origin: str, sealed: bytes) -> Login | None:
    try:
        found = await decrypt(sealed)  # type: ignore[no-untyped-call]  # JupyterHub's
    except (EncryptionUnavailable, InvalidToken):
        _log.warning("a stored login for %s cannot be opened: the hub's crypt key has changed", origin)
        return None
    # What was sealed for somebody or somewhere else was moved in the database.
    if (found["owner"], found["origin"]) != (owner, origin):
        _log.warning("a stored login for %s is not its owner's and is not used", origin)
        return None
    return Login(origin=origin, username=found["username"], secret=found["secret"])
