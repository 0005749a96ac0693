"""Which packets a user's server or a build may send: rules as text (pure), and the one call that sets them.

Docker's own switches are not enough: `icc=false`, `--internal` and the DOCKER-USER chain all leave every port of the host
open to its containers, so the INPUT chain has rules too. Each hub has its own chains, replaced as a whole in one step.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Cloud metadata services: link-local (AWS, GCP, Azure, OpenStack) and Alibaba's.
METADATA = ("169.254.0.0/16", "100.100.100.200/32")
#: Networks that are not the internet (RFC 1122, 1918, 2544, 6598, 6890, multicast and reserved).
PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
)
ESTABLISHED = "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One address and TCP port that stays reachable; *host* is an IPv4 address."""

    host: str
    port: int

    def rule(self) -> str:
        """Return the matching part of an iptables rule that lets it through."""
        return f"-d {self.host}/32 -p tcp --dport {self.port} -j RETURN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """The rules of one bridge: *name* makes the chains unique, *host* are ports of this machine, *beyond* elsewhere.

    Of a bridge that is not *ours* alone, this machine is left as it is, but for the addresses in *closed*.
    """

    name: str
    bridge: str
    host: Sequence[Opening] = ()
    beyond: Sequence[Opening] = ()
    blocked: Sequence[str] = (*METADATA, *PRIVATE)
    ours: bool = True
    closed: Sequence[str] = ()

    @property
    def chains(self) -> tuple[str, str]:
        """The chain for traffic to this machine and the one for traffic through it."""
        return f"{self.name}-IN", f"{self.name}-FWD"

    def jumps(self) -> Iterable[tuple[str, str]]:
        """Yield (built-in chain, rule) pairs that lead to ours."""
        inner, through = self.chains
        yield "INPUT", f"-i {self.bridge} -j {inner}"
        yield "DOCKER-USER", f"-i {self.bridge} -j {through}"

    def restore(self) -> str:
        """Return both chains as input for ``iptables-restore --noflush``."""
        inner, through = self.chains
        lines = ["*filter", f":{inner} - [0:0]", f":{through} - [0:0]", f"-A {inner} {ESTABLISHED}"]
        lines += [f"-A {inner} {opening.rule()}" for opening in self.host]
        refused = ["-j REJECT"] if self.ours else [f"-d {host}/32 -j REJECT" for host in self.closed]
        lines += [f"-A {inner} {rule}" for rule in refused]
        lines.append(f"-A {through} {ESTABLISHED}")
        # Names are looked up through the site's resolver, which often has a private address.
        lines += [f"-A {through} -p {protocol} --dport 53 -j RETURN" for protocol in ("udp", "tcp")]
        lines += [f"-A {through} {opening.rule()}" for opening in self.beyond]
        lines += [f"-A {through} -d {network} -j REJECT" for network in self.blocked]
        return "\n".join([*lines, "COMMIT", ""])


def unavailable() -> str:
    """Return why this process may not set rules, "" when it may."""
    if os.geteuid() != 0:
        return "the hub does not run as root"
    if not shutil.which("iptables-restore"):
        return "iptables is not installed"
    return ""


def _run(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)


def raise_walls(walls: Sequence[Wall]) -> str:
    """Set the rules of *walls* and return "", or the reason why they could not be set."""
    for wall in walls:
        done = _run(["iptables-restore", "--noflush", "-w", "10"], wall.restore())
        if done.returncode:
            return done.stderr.strip()
        for chain, rule in wall.jumps():
            if _run(["iptables", "-w", "10", "-C", chain, *rule.split()]).returncode == 0:
                continue
            done = _run(["iptables", "-w", "10", "-I", chain, "1", *rule.split()])
            if done.returncode:
                return done.stderr.strip()
    return ""


def remove_walls(walls: Sequence[Wall]) -> None:
    """Take the rules of *walls* out again; what is not there is fine."""
    for wall in walls:
        for chain, rule in wall.jumps():
            _run(["iptables", "-w", "10", "-D", chain, *rule.split()])
        for chain in wall.chains:
            _run(["iptables", "-w", "10", "-F", chain])
            _run(["iptables", "-w", "10", "-X", chain])
