"""What Docker did while a test looked: the engine's own event stream, so that nothing short-lived is missed."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Self

from tests.hubprocess import docker, wait_for

if TYPE_CHECKING:
    from types import TracebackType

    from tests.hubprocess import HubProcess


class ContainersMade:
    """Context manager: the labels of every container (of *kind*, "" for any) that *hub* makes in the meantime."""

    def __init__(self, hub: HubProcess, *, kind: str = "") -> None:
        wanted = {"type": "container", "event": "create"}
        labels = {"versatilehub.hub": hub.hub_id, **({"versatilehub.kind": kind} if kind else {})}
        filters = [f"{key}={value}" for key, value in wanted.items()]
        filters += [f"label={key}={value}" for key, value in labels.items()]
        self._arguments = [part for one in filters for part in ("--filter", one)]
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        command = ["docker", "events", "--format", "{{json .}}", *self._arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        self._await_marker()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._await_marker()  # events come in order: what was made before it has been seen
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._rows.append(json.loads(line)["Actor"]["Attributes"])

    def _await_marker(self) -> None:
        """Make and remove a container that the stream must show, again until it does: it may not have begun yet."""
        labels = [part for one in self._arguments if one.startswith("label=") for part in ("-l", one[6:])]

        def seen() -> bool:
            container = docker(
                "create", "--network", "none", *labels, "-l", "versatilehub.marker=yes", _IMAGE
            )
            docker("rm", container)
            return any("versatilehub.marker" in row for row in self._rows[before:])

        before = len(self._rows)
        wait_for(seen, "Docker's event stream")

    @property
    def labels(self) -> list[dict[str, Any]]:
        """The labels (and Docker's attributes) of each container made, in order."""
        return [row for row in self._rows if "versatilehub.marker" not in row]

    @property
    def attempts(self) -> set[str]:
        """The builds those containers belong to."""
        return {row["versatilehub.attempt"] for row in self.labels}


_IMAGE = "versatilehub/test-server:latest"
