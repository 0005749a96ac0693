"""`configure`: what it refuses before it touches anything, its secrets, and how it sees that it was undone."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from traitlets.config import Config

from versatilehub import config
from versatilehub.config import configure, expectations, secret, undone
from versatilehub.web.server_limit import named_server_limit

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def c(tmp_path: Path) -> Any:
    """A configuration as `configure` leaves it, but for what needs an engine."""
    made = Config()
    config._jupyterhub(made, tmp_path, "http://127.0.0.1:8000", "http://172.30.0.1:8081")
    config._pages(made)
    return made


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("build_timout", "Did you mean 'build_timeout'?"),
        ("pid_limit", "Did you mean 'pids_limit'?"),
        ("base_image", "Did you mean 'base_images'?"),
        ("xyzzy", "has no setting 'xyzzy'."),
    ],
)
def test_an_unknown_setting_is_refused(tmp_path: Path, name: str, words: str) -> None:
    """A mistyped setting ends the start with the nearest right one, whether or not there is an engine."""
    setting: dict[str, Any] = {name: 1}
    with pytest.raises(TypeError) as raised:
        configure(Config(), state=tmp_path, **setting)

    assert words in str(raised.value)


def test_a_state_folder_that_is_open_is_closed(tmp_path: Path) -> None:
    """A folder that was there before is readable by nobody else once secrets go into it."""
    tmp_path.chmod(0o755)
    with pytest.raises(TypeError):
        configure(Config(), state=tmp_path, xyzzy=1)

    assert 0o700 == tmp_path.stat().st_mode & 0o777


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """A secret is random, kept over calls, and readable by its owner only."""
    first = secret(tmp_path, "crypt_key")

    assert (64, first) == (len(first), secret(tmp_path, "crypt_key"))
    assert first != secret(tmp_path, "other")
    assert 0o600 == (tmp_path / "crypt_key").stat().st_mode & 0o777
    assert ["crypt_key", "other"] == sorted(path.name for path in tmp_path.iterdir())


def test_nothing_is_undone_at_first(c: Any) -> None:
    """What `configure` sets fulfils what it looks for later."""
    assert [] == undone(c)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spawner_class", "simple"),
        ("spawner_class", "dockerspawner.DockerSpawner"),
        ("template_paths", []),
        ("template_paths", ["/srv/templates"]),
        ("extra_handlers", []),
        ("cleanup_servers", True),
        ("allow_named_servers", False),
    ],
)
def test_what_a_later_line_undid_is_named(c: Any, name: str, value: object) -> None:
    """One sentence names the setting and what is lost."""
    c.JupyterHub[name] = value
    (sentence,) = undone(c)

    assert sentence.startswith(f"c.JupyterHub.{name} was changed after configure(c): ")


def test_a_subclass_of_ours_undoes_nothing(c: Any) -> None:
    """A site's own spawner over ours, and more templates and handlers beside ours, are fine."""
    c.JupyterHub.spawner_class = "site.OurVersatileSpawner"
    c.JupyterHub.template_paths.insert(0, "/srv/templates")
    c.JupyterHub.extra_handlers.append(("/site", object))

    assert [] == undone(c)


def test_each_expectation_says_what_is_lost() -> None:
    """No warning without a reason."""
    assert all(one.loss and one.name.startswith("c.") for one in expectations())


async def test_warnings_come_after_the_whole_file(c: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The look happens when the hub goes on, so that a line after `configure` counts."""
    config._look_again_at_start(c)
    c.JupyterHub.cleanup_servers = True
    with caplog.at_level(logging.WARNING, "versatilehub"):
        await asyncio.sleep(0)

    assert "cleanup_servers was changed" in caplog.text


def test_no_loop_no_look(c: Any) -> None:
    """Read by a tool, outside a hub, configuration is no error."""
    config._look_again_at_start(c)


def test_servers_outlive_the_hub(c: Any) -> None:
    """A hub that ends stops nobody's server, and named servers are on with the policy's limit."""
    hub = c.JupyterHub

    assert (False, True) == (hub.cleanup_servers, hub.allow_named_servers)
    assert named_server_limit is hub.named_server_limit_per_user
