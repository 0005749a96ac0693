"""The JSON API of one's own logins for git hosts: ``api/credentials``. No answer holds a secret.

A server's own token cannot come here: it takes the right to manage the account's tokens, which such a token never has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jupyterhub.scopes import has_scope
from jupyterhub.user import User
from tornado.web import HTTPError

from versatilehub.errors import InvalidInput
from versatilehub.web.api import ApiHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from versatilehub.store.credentials import Credential

_KEYS: Final = ("host", "username", "secret")


class CredentialsHandler(ApiHandler):
    """``GET`` lists, ``POST {"host", "secret", "username"}`` stores or replaces."""

    async def get(self) -> None:
        """List one's own."""
        found = await self.versatilehub.credentials.listed(_person(self, "read:tokens"))
        self.reply([to_json(one) for one in found])

    async def post(self) -> None:
        """Store one in place of an earlier one for that host."""
        person = _person(self, "tokens")
        body = self.json_body()
        unknown = sorted(set(body) - set(_KEYS))
        if unknown:
            raise InvalidInput(f"There is no key {unknown[0]!r}.", hint=f"The keys are {', '.join(_KEYS)}.")
        host, username, secret = (_text(body, key) for key in _KEYS)
        stored = await self.versatilehub.credentials.put(person, host=host, username=username, secret=secret)
        self.reply(to_json(stored), 201)


class CredentialHandler(ApiHandler):
    """``DELETE`` one by its id."""

    async def delete(self, number: str) -> None:
        """Delete one of one's own."""
        if not await self.versatilehub.credentials.remove(_person(self, "tokens"), int(number)):
            raise HTTPError(404, "You have no such login.")
        self.set_status(204)


def to_json(credential: Credential) -> dict[str, Any]:
    """Return what is shown of a login."""
    return {
        "id": credential.id,
        "host": credential.origin,
        "username": credential.username,
        "created": credential.created.isoformat(),
        "used": credential.used.isoformat() if credential.used else None,
    }


def _person(handler: ApiHandler, scope: str) -> User:
    """Return who asks, if they may do *scope* to their own account's tokens; a service has none of its own."""
    user = handler.current_user
    if user is None:
        raise HTTPError(403, "Missing or invalid credentials.")
    if not isinstance(user, User):
        raise HTTPError(403, "Only a person has logins for git hosts.")
    if not has_scope(f"{scope}!user={user.name}", handler.parsed_scopes, db=handler.db):
        raise HTTPError(403, f"This takes the scope {scope} on your own account.")
    return user


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str):
        raise InvalidInput(f"The key {key!r} is not text.", field=key)
    return value


HANDLERS: Final[list[tuple[Any, ...]]] = [
    (r"/versatilehub/api/credentials", CredentialsHandler),
    (r"/versatilehub/api/credentials/(\d{1,18})", CredentialHandler),
]
