"""Every exception of versatilehub, each with the words a person is shown.

An error is a value first (`to_json`): the same object feeds the form, the REST API, the command line and the log.
Nothing here knows HTTP beyond a status number, and no status reaches 500, because JupyterHub counts a 5xx of a
failed start towards ``consecutive_failure_limit`` and would end itself over five bad repositories.
"""

from __future__ import annotations

from typing import ClassVar


class VersatileHubError(Exception):
    """Something a person can act on: what happened, and what to do next.

    *message* is one sentence that names the thing, the limit and the actual value; *hint* is the next step;
    *field* is the spec or form field it belongs to, "" when it belongs to none. *code* is stable: scripts match it.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400

    def __init__(self, message: str, *, hint: str = "", field: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        if code:
            self.code = code  # type: ignore[misc]  # one instance may be more exact than its class

    def to_json(self) -> dict[str, str]:
        """Return the four keys every client of ours reads: code, message, hint, field."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "field": self.field}


class InvalidInput(VersatileHubError):
    """What was typed cannot be read; *field* says where."""

    code = "invalid_input"


class InvalidSource(InvalidInput):
    """The text names no repository, ref or folder we may build; the hint shows a right one."""

    code = "invalid_source"


class InvalidSpec(InvalidInput):
    """A launch spec (form, link, REST body) has an unknown key or a value of the wrong form."""

    code = "invalid_spec"


class InvalidName(InvalidInput):
    """A server name, display name or user name breaks the naming rules."""

    code = "invalid_name"


class InvalidUsersFile(InvalidInput):
    """A users.csv as a whole cannot be taken; the accounts read before stay in force."""

    code = "invalid_users_file"


class Refusal(VersatileHubError):
    """Policy says no. *limit* and *actual* are the two figures the sentence compares, "" where there are none."""

    code = "refused"
    status = 403

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        field: str = "",
        code: str = "",
        limit: str = "",
        actual: str = "",
    ) -> None:
        super().__init__(message, hint=hint, field=field, code=code)
        self.limit = limit
        self.actual = actual

    def to_json(self) -> dict[str, str]:
        """Return the usual four keys and the two figures."""
        return {**super().to_json(), "limit": self.limit, "actual": self.actual}


class SourceFailure(VersatileHubError):
    """Asking the git host for a commit did not give one."""

    code = "source_failed"
    status = 424


class RefNotFound(SourceFailure):
    """The repository is readable and has no such branch, tag or commit; the hint lists near matches."""

    code = "ref_not_found"
    status = 404


class RefAmbiguous(SourceFailure):
    """A branch and a tag of that name are different commits."""

    code = "ref_ambiguous"
    status = 409


class SourceNotReadable(SourceFailure):
    """The repository is private or does not exist: the git host answers both alike."""

    code = "source_not_readable"
    status = 403


class SourceUnreachable(SourceFailure):
    """The git host refused the connection, has no address, or its certificate is not trusted."""

    code = "source_unreachable"


class SourceMoved(SourceUnreachable):
    """The git host redirects to another address, which is not followed."""

    code = "source_moved"


class SourceTooSlow(SourceFailure):
    """The git host did not answer within the time limit."""

    code = "source_too_slow"


class RecordNotFound(SourceFailure):
    """The archive has no such record, or no such version of it."""

    code = "record_not_found"
    status = 404


class RecordNotReadable(SourceNotReadable):
    """The archive has the record and shows its files to nobody: they are restricted, embargoed or not published yet."""

    code = "record_restricted"


class ArchiveUnknown(SourceFailure):
    """A DOI or link leads to a place that none of the archives we can read owns."""

    code = "archive_unknown"
    status = 404


class BuildFailed(VersatileHubError):
    """A build ended without an image. *cause_file* is the repository file at fault where known, *lines* the last of the log."""

    code = "build_failed"
    status = 422

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        field: str = "",
        code: str = "",
        cause_file: str = "",
        lines: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, field=field, code=code)
        self.cause_file = cause_file
        self.lines = lines


class BuildCancelled(BuildFailed):
    """A person cancelled the build."""

    code = "build_cancelled"
    status = 409


class OthersWait(VersatileHubError):
    """A build is not cancelled yet, because *waiting* others wait for it: whoever asked is asked back."""

    code = "others_wait"
    status = 409

    def __init__(self, message: str, *, hint: str = "", field: str = "", waiting: int = 0) -> None:
        super().__init__(message, hint=hint, field=field)
        self.waiting = waiting

    def to_json(self) -> dict[str, str]:
        """Return the usual four keys and how many wait."""
        return {**super().to_json(), "waiting": str(self.waiting)}


class BuildNotFound(VersatileHubError):
    """There is no such build, or it is none of the asker's: the answer to both is the same."""

    code = "build_not_found"
    status = 404


class EngineFailure(VersatileHubError):
    """Docker answered with an error we did not expect."""

    code = "engine_failed"
    status = 424


class EngineUnavailable(EngineFailure):
    """Docker does not answer: what runs is unknown, never "stopped"."""

    code = "engine_unavailable"


class EngineNotFound(EngineFailure):
    """Docker knows no such container, image, volume or network: callers may treat it as absence."""

    code = "engine_not_found"
    status = 404


class EngineConflict(EngineFailure):
    """The name is taken, or the object is in use."""

    code = "engine_conflict"
    status = 409


class StoreFailure(VersatileHubError):
    """The database could not be read or written; nothing of the work was done."""

    code = "store_failed"
    status = 424


class ImageUnusable(BuildFailed):
    """The image exists, but no server can run in it; the hint says what to add."""

    code = "image_unusable"


class ServerFailed(VersatileHubError):
    """The container started and the server in it did not answer, or ended."""

    code = "server_failed"
    status = 424


class StorageFailure(VersatileHubError):
    """A volume could not be made, made ready, grown or measured; the hint says how to repair it."""

    code = "storage_failed"
    status = 424


class ImageInUse(VersatileHubError):
    """An image that somebody or something needs is not removed; *users* are one phrase each: "ada's server lab"."""

    code = "image_in_use"
    status = 409

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        field: str = "",
        code: str = "",
        users: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, field=field, code=code)
        self.users = users


class ImageNotFound(VersatileHubError):
    """No image of that name or id is there, or none that whoever asks may know of."""

    code = "image_not_found"
    status = 404


class RegistryFailure(VersatileHubError):
    """A registry did not do what it was asked; what is on this machine is as before."""

    code = "registry_failed"
    status = 424


class RegistryRefused(RegistryFailure):
    """The registry does not take this user name and password, or they may not do that."""

    code = "registry_refused"


class RegistryUnavailable(RegistryFailure):
    """The registry does not answer, or not in time."""

    code = "registry_unavailable"


class NotInRegistry(RegistryFailure):
    """The registry has no image of that name, tag or digest."""

    code = "not_in_registry"
    status = 404


class RegistryMismatch(RegistryFailure):
    """What the registry gave is not the image that was asked for: it is not used."""

    code = "registry_mismatch"
