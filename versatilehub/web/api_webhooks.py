"""``POST webhooks/<provider>``: a git host says that a repository of the warm list has new commits.

Nobody is logged in here: the message is signed with the secret that both sides know. It never says what is built, only that an entry
of the warm list is worth looking at; the same message again changes nothing.
"""

from __future__ import annotations

from typing import Any, Final

from tornado.web import HTTPError

from versatilehub.errors import Refusal
from versatilehub.images import webhooks
from versatilehub.web.api import ApiHandler


class WebhookHandler(ApiHandler):
    """Messages of one kind of git host."""

    def check_xsrf_cookie(self) -> None:
        """A git host has no cookie; its signature is what counts."""

    async def post(self, provider: str) -> None:
        """Take the message: 202 with the entries that are made, 200 when there is nothing to do."""
        body = self.request.body
        if len(body) > webhooks.MOST:
            raise HTTPError(413, f"A message has at most {webhooks.MOST} bytes.")
        hub = self.versatilehub
        headers = {name.lower(): value for name, value in self.request.headers.get_all()}
        webhooks.check_origin(provider, await hub.webhook_secret(), headers, body)
        push = webhooks.read_push(provider, headers, body)
        if push is None:
            self.reply({"status": "ignored", "entries": []})
            return
        entries = webhooks.touched(push, hub.warmer.entries, hub.policy.sources)
        if not entries:
            raise Refusal(
                "No entry of the warm list is of this repository and branch.",
                hint="Add it to c.VersatileHub.warm, or take the webhook away.",
                code="not_on_warm_list",
            )
        if not await hub.warmer.take(webhooks.delivery(provider, body)):
            self.reply({"status": "seen", "entries": []})
            return
        for entry in entries:
            await hub.warmer.request(entry)
        self.reply({"status": "queued", "entries": [str(entry) for entry in entries]}, 202)


_PROVIDERS: Final = "|".join(webhooks.PROVIDERS)
HANDLERS: list[tuple[Any, ...]] = [(rf"/versatilehub/api/webhooks/({_PROVIDERS})", WebhookHandler)]
