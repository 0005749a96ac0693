"""What was used, by REST and on the command line; a budget that is used up."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.hub.clocks import STUB, is_up, ours, token_of
from tests.hubprocess import wait_for
from versatilehub.accounting import Month
from versatilehub.cli import main
from versatilehub.events import Event, Kind
from versatilehub.store import Store
from versatilehub.store import ledger as rows

if TYPE_CHECKING:
    from tests.hubprocess import HubProcess


def ran(hub: HubProcess, owner: str, hours: float, *, server: str = "old") -> None:
    """Put a run of so many hours, which ended a minute ago, on record."""
    end = datetime.now(UTC) - timedelta(minutes=1)
    begun = end - timedelta(hours=hours)
    grant: dict[str, Any] = {"cpus": 2.0, "memory": 2**30}
    events = [
        Event(kind=Kind.SERVER_STARTED, at=begun, owner=owner, server=server, groups=("staff",), data=grant),
        Event(kind=Kind.SERVER_STOPPED, at=end, owner=owner, server=server, groups=("staff",)),
    ]
    store = Store(f"sqlite:///{hub.state / 'versatilehub.sqlite'}")
    store.run_now(lambda session: rows.add(session, events))
    store.close()


Command = Callable[..., str]


@pytest.fixture
def command(clocked: HubProcess, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `versatilehub accounting` for the hub and return what it prints."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["--state", str(clocked.state), "accounting", *arguments]) == 0
        return capsys.readouterr().out

    return run


@pytest.mark.req("V51")
def test_one_sees_ones_own_and_administrators_everything(
    clocked: HubProcess, customer: str, command: Command
) -> None:
    """The same figures by REST and on the command line, as JSON, CSV and lines; nobody reads another's."""
    ran(clocked, customer, 0.02)
    mine = token_of(clocked, customer)
    clocked.run(customer, image=STUB)
    own = ours(clocked, "GET", "accounting", token=mine).json()
    everybody = ours(clocked, "GET", "accounting?by=user").json()

    assert list(own["rows"]) == [customer]
    assert own["rows"][customer]["server_hours"] >= 0.02
    assert everybody["rows"][customer]["server_hours"] >= own["rows"][customer]["server_hours"]
    assert own["month"] == str(Month.of(datetime.now(UTC)))
    inside = clocked.exec(customer, "echo $JUPYTERHUB_API_TOKEN")
    assert ours(clocked, "GET", "accounting", token=inside).status_code == 403
    for query in ("by=group", "by=workspace", "user=ada"):
        assert ours(clocked, "GET", f"accounting?{query}", token=mine).status_code == 403
    assert ours(clocked, "GET", "accounting", token="0" * 32).status_code == 403
    assert ours(clocked, "GET", "accounting?month=2026-13").json()["code"] == "invalid_month"
    assert ours(clocked, "GET", "accounting?by=cake").json()["field"] == "by"
    clocked.halt(customer)

    told = json.loads(command("--json"))
    assert told["rows"][customer]["server_hours"] > 0.02
    table = list(csv.DictReader(io.StringIO(command("--csv", "--by", "group"))))
    assert "staff" in {row["group"] for row in table}
    assert command("--month", "2001-01").splitlines()[1:] == []


@pytest.mark.req("V52")
def test_a_used_up_budget_refuses_the_next_start_only(clocked: HubProcess, customer: str) -> None:
    """What runs goes on; the next start hears the figure and the day; another person is not concerned."""
    clocked.api("POST", "groups/thrifty")
    clocked.api("POST", "groups/thrifty/users", json={"users": [customer]})
    clocked.run(customer, "one", image=STUB)
    month = Month.of(datetime.now(UTC))
    hours = min(1.0, (datetime.now(UTC) - month.begin).total_seconds() / 3600 - 0.1)
    ran(clocked, customer, hours)

    answer = clocked.launch(customer, "two", image=STUB)

    assert answer.status_code == 403, answer.text
    assert "of 0.05 server-hours" in answer.text
    assert f"{month.end:%Y-%m-%d}" in answer.text
    assert is_up(clocked, customer, "one")
    clocked.halt(customer, "one")
    used = wait_for(
        lambda: (
            (row := ours(clocked, "GET", f"accounting?user={customer}").json()["rows"][customer])
            and row["refusals"]
            and row
        ),
        "the refusal on record",
    )
    assert used["refusals"] == 1
    other = clocked.user(f"c{secrets.token_hex(4)}")
    clocked.run(other, image=STUB)
    clocked.halt(other)
