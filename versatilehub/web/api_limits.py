"""``GET limits`` and ``GET limits/<user>``: each limit of a person, what of it is in use, and the rule it came from."""

from __future__ import annotations

from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from versatilehub.web.api import ApiHandler
from versatilehub.web.limits import limits_of


class LimitsApiHandler(ApiHandler):
    """One's own limits, or those of a person whose groups one may see."""

    async def get(self, user_name: str = "") -> None:
        """Return ``{user, groups, limits: [{key, label, topic, value, setting, use, used, origin}]}``."""
        if self.current_user is None:
            raise HTTPError(403)
        await self._get(user_name=user_name or self.current_user.name)

    @needs_scope("read:users:groups")
    async def _get(self, user_name: str) -> None:
        owner = self.find_user(user_name)
        if owner is None:
            raise HTTPError(404, "There is no such person.")
        self.reply((await limits_of(self.versatilehub, owner)).to_json())


HANDLERS = [
    (r"/versatilehub/api/limits", LimitsApiHandler),
    (r"/versatilehub/api/limits/([^/]+)", LimitsApiHandler),
]
