"""Checks a server's display name where JupyterHub has no hook: when one is put on a record that exists.

A PATCH with only ``display_name``, and a start that brings a new one, ask no configurable function. What they do is set a
column of the hub's own table, and SQLAlchemy tells listeners before it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyterhub import orm
from sqlalchemy import event, inspect
from sqlalchemy.orm import object_session

from versatilehub.errors import VersatileHubError
from versatilehub.naming import check_display_name
from versatilehub.web.errors import to_web_error

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from versatilehub.runtime import VersatileHub

#: Key of a session's own dictionary: two hubs in one process have a session each.
_KEY = "versatilehub"


def guard_display_names(session: Session, runtime: VersatileHub) -> None:
    """Check every display name that is put on a record of *session*, by the policy of the server's owner."""
    session.info[_KEY] = runtime
    if not event.contains(orm.Spawner.display_name, "set", _checked):
        event.listen(orm.Spawner.display_name, "set", _checked, retval=True)


def _checked(target: Any, value: Any, _old: object, _initiator: object) -> Any:
    """Return the name in its composed form; raise what JupyterHub answers with when it is not allowed.

    A record that is new has been checked before it was made.
    """
    session = object_session(target)
    runtime = session.info.get(_KEY) if session is not None else None
    if runtime is None or inspect(target).transient or target.user is None or value == target.name:
        return value
    try:
        return check_display_name(value, runtime.policy_of(target.user).display_name_max)
    except VersatileHubError as error:
        runtime.note_refusal(target.user.name, target.name, error)
        raise to_web_error(error) from error
