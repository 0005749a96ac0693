"""`make run`: set up what is missing, then become the hub.

This process turns into JupyterHub, so that Ctrl-C and signals reach the hub itself; users' servers outlive it.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  # this is what tells a person with an older one
    raise SystemExit("versatilehub needs Python 3.11 or newer; set PYTHON to one: make PYTHON=python3.11 …")

from typing import NoReturn

from steps import sequence
from steps.contract import ROOT, VENV, Contract
from steps.report import StepFailed
from steps.state import ADMIN, Accounts

READY_SECONDS = 120.0


def main() -> NoReturn:
    """Set up, say where the hub will be, and become it."""
    ready = sequence.carry_out(_prepare)
    contract, accounts = ready.contract, ready.accounts
    assert accounts is not None  # noqa: S101  # prepare_run makes them; this tells the type checker
    folders = [str(VENV / "bin"), *([str(ready.proxy)] if ready.proxy else []), os.environ.get("PATH", "")]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(folders),
        "VERSATILEHUB_PORT": str(contract.port),
        "VERSATILEHUB_STATE": str(contract.state),
        "VERSATILEHUB_USERS": str(accounts.file),
    }
    _announce_when_ready(contract, accounts)
    sys.stdout.flush()
    os.chdir(ROOT)
    hub = VENV / "bin" / "python"
    os.execve(hub, (str(hub), "-m", "jupyterhub", "-f", str(ROOT / "jupyterhub_config.py")), environment)  # noqa: S606  # no shell is the point


def _prepare(contract: Contract) -> sequence.Ready:
    ready = sequence.prepare_run(contract)
    ports = [contract.hub_port]
    # A proxy outlives a hub that was killed; its pid file lets the next hub replace it.
    if not (contract.state / "proxy.pid").exists():
        ports += [contract.port, contract.api_port]
    for port in ports:
        if _listens(port):
            raise StepFailed(
                f"Port {port} is in use: is a hub running already?",
                hint="Stop it, or set VERSATILEHUB_PORT to another port (that port + 1 and + 81 are used too).",
            )
    return ready


def _announce_when_ready(contract: Contract, accounts: Accounts) -> None:
    """Leave a process behind that prints the address and the login once the hub answers."""
    hub = os.getpid()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    # A grandchild, so that the hub gets no child of its own that it knows nothing of. Whatever happens in
    # it ends it: an error that travelled on would make a second hub of it.
    try:
        if os.fork() == 0:
            _wait_and_print(hub, contract, accounts)
    finally:
        os._exit(0)


def _wait_and_print(hub: int, contract: Contract, accounts: Accounts) -> None:
    address = f"http://127.0.0.1:{contract.port}"
    begun = time.monotonic()
    # A proxy asked before the hub is there fills the log with errors, so the hub's port is looked at first.
    while not (_listens(contract.hub_port) and _answers(address)):
        if not _runs(hub):
            return
        if time.monotonic() - begun > READY_SECONDS:
            print(f"hub … no answer at {address} after {READY_SECONDS:.0f} s; its log is above", flush=True)
            return
        time.sleep(0.1)
    made = f"log in as {ADMIN} with password {accounts.password} (kept in {accounts.file})"
    login = made if accounts.password else f"accounts are in {accounts.file}"
    print(f"hub … {time.monotonic() - begun:.1f} s\n\nversatilehub runs at {address}\n{login}\n", flush=True)


def _listens(port: int) -> bool:
    """Tell whether a process of this machine listens at *port*, on whichever of its addresses."""
    wanted = f":{port:04X}"
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text("ascii").splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == "0A":  # 0A is the kernel's number for "listening"
                return True
    return False


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/hub/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
