"""What a user's container may do, looked at from inside a running server: one test per row of the defaults."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.buildsite import BASE
from tests.hub.people import Person
from tests.hubprocess import docker
from versatilehub import firewall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gitserver import GitServer
    from tests.hubprocess import HubProcess

MIB = 1024**2
OWNER = "isolated"

#: Everything an image can say to get its way.
HOSTILE = """\
FROM versatilehub/test-server:latest
USER root
VOLUME /cache /home/jovyan/data
LABEL versatilehub.owner=eve versatilehub.hub=other versatilehub.kind=helper versatilehub.server=x site=theirs
HEALTHCHECK CMD ["/bin/false"]
STOPSIGNAL SIGKILL
EXPOSE 22 80
ENV JUPYTERHUB_USER=eve JUPYTERHUB_API_TOKEN=stolen MEM_LIMIT=1
CMD ["sleep", "600"]
COPY . /srv/repo/
"""

#: Forks until it may not, prints why and how many, and ends its children.
FORKS = """
import os, signal
children = []
try:
    while len(children) < 3000:
        child = os.fork()
        if not child:
            signal.pause()
        children.append(child)
except OSError as error:
    print(error.errno, len(children))
for child in children:
    os.kill(child, signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def server(hub: HubProcess) -> str:
    """The owner of one small running server that every test here looks into."""
    hub.user(OWNER)
    hub.run(OWNER, image=BASE, memory="256M", cpus=0.5)
    return OWNER


@pytest.fixture(scope="module")
def hostile(hub: HubProcess, forge: GitServer) -> str:
    """The owner of a server whose image asks for everything."""
    forge.repo("hostile", {"Dockerfile": HOSTILE, "unique.txt": secrets.token_hex(8)})
    hub.user("trusting")
    hub.run("trusting", source=forge.url("hostile"))
    return "trusting"


def inspect(hub: HubProcess, user: str) -> dict[str, Any]:
    """Return what Docker knows of a person's container."""
    return dict(json.loads(docker("inspect", hub.container(user)))[0])


def process(hub: HubProcess, user: str) -> dict[str, Any]:
    """Return what the server says of its own process."""
    return dict(requests.get(f"{hub.url}/user/{user}/proc", timeout=30).json())


def cgroup(hub: HubProcess, user: str, old: str, new: str) -> str:
    """Read a cgroup file inside, by its name in version 1 (*old*) or 2 (*new*)."""
    return hub.exec(user, f"cat /sys/fs/cgroup/{new} 2>/dev/null || cat /sys/fs/cgroup/{old}")


def connects(hub: HubProcess, user: str, host: str, port: int) -> str:
    """Try a TCP connection from inside; return "yes" or the error."""
    answer = requests.get(
        f"{hub.url}/user/{user}/connect", params={"host": host, "port": str(port)}, timeout=30
    ).json()
    return "yes" if answer["connected"] else str(answer["error"])


@contextmanager
def listener() -> Iterator[int]:
    """Listen on every address of this machine; yield the port."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = int(server.getsockname()[1])
        ending = threading.Event()

        def accept() -> None:
            while True:
                connection, _ = server.accept()
                connection.close()
                if ending.is_set():
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield port
        finally:
            ending.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def gateway(hub: HubProcess, user: str) -> str:
    """Return this machine's address in the server's network."""
    (network,) = inspect(hub, user)["NetworkSettings"]["Networks"].values()
    return str(network["Gateway"])


def own_addresses() -> list[str]:
    """Return this machine's IPv4 addresses but for loopback and the bridges of networks made for servers."""
    rows = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    return [
        str(address["local"])
        for row in json.loads(rows)
        if row["ifname"] == "docker0" or not row["ifname"].startswith(("lo", "vh", "br-"))
        for address in row["addr_info"]
    ]


# -- rights ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("CapEff", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapBnd", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
        ("Uid", "1000\t1000\t1000\t1000"),
    ],
)
@pytest.mark.req("S14")
def test_rights_of_the_process(hub: HubProcess, server: str, field: str, value: str) -> None:
    """The server has no capability, can gain none, is under seccomp, and is not root."""
    assert value == process(hub, server)["status"][field]


@pytest.mark.req("S14")
def test_an_image_that_wants_root_does_not_get_it(hub: HubProcess, hostile: str) -> None:
    """`USER root` in an image changes nothing: uid 1000, no capability."""
    found = process(hub, hostile)

    assert (1000, 100) == (found["uid"], found["gid"])
    assert "0000000000000000" == found["status"]["CapEff"]


@pytest.mark.req("S14")
def test_a_setuid_program_gains_nothing(hub: HubProcess, server: str) -> None:
    """`su` and its like cannot raise rights: no new privileges."""
    assert "1000" == hub.exec(server, "su -c 'id -u' root </dev/null 2>/dev/null || id -u")


# -- resources ---------------------------------------------------------------------------------


@pytest.mark.req("P17", "S14")
def test_memory_is_limited(hub: HubProcess, server: str) -> None:
    """The cgroup has the limit asked for, and swap is within it."""
    host = inspect(hub, server)["HostConfig"]

    assert str(256 * MIB) == cgroup(hub, server, "memory/memory.limit_in_bytes", "memory.max")
    assert (256 * MIB, 256 * MIB) == (host["Memory"], host["MemorySwap"])


@pytest.mark.req("P17")
def test_too_much_memory_ends_the_program_and_nothing_else(hub: HubProcess, server: str) -> None:
    """A program that takes more than the limit is killed; its server and the hub go on."""
    code = hub.exec(server, "python3 -c 'bytearray(b\"x\") * (600 << 20)' 2>/dev/null; echo $?")

    assert "137" == code
    assert requests.get(f"{hub.url}/user/{server}/api", timeout=30).ok
    assert requests.get(f"{hub.url}/hub/health", timeout=30).ok


@pytest.mark.req("P17", "S14")
def test_processor_time_is_limited(hub: HubProcess, server: str) -> None:
    """Half a CPU is a quota of half a period."""
    quota = cgroup(hub, server, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0]

    assert "50000" == quota


@pytest.mark.req("P17")
def test_defaults_are_the_policys(hub: HubProcess, hostile: str) -> None:
    """Who asks for no size gets the default one, whatever the image's environment says: 2 GiB and one CPU."""
    host = inspect(hub, hostile)["HostConfig"]

    assert (2048 * MIB, 2048 * MIB, 100_000) == (host["Memory"], host["MemorySwap"], host["CpuQuota"])
    assert str(2048 * MIB) == requests.get(f"{hub.url}/user/{hostile}/env/MEM_LIMIT", timeout=30).json()


@pytest.mark.req("S14")
def test_processes_are_limited(hub: HubProcess, server: str) -> None:
    """A fork bomb ends with EAGAIN below 512 processes, and the server still answers."""
    command = ["docker", "exec", "-i", hub.container(server), "python3", "-"]
    done = subprocess.run(command, input=FORKS, capture_output=True, text=True, check=True)
    error, count = map(int, done.stdout.split())

    assert 11 == error
    assert 400 < count < 512
    assert requests.get(f"{hub.url}/user/{server}/api", timeout=30).ok


@pytest.mark.parametrize(("limit", "value"), [("Max open files", "8192"), ("Max core file size", "0")])
def test_limits_of_the_process(hub: HubProcess, server: str, limit: str, value: str) -> None:
    """Open files are bounded, core dumps are off; soft and hard limit are the same."""
    (line,) = [row for row in process(hub, server)["limits"].splitlines() if row.startswith(limit)]

    assert [value, value] == line.removeprefix(limit).split()[:2]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("LogConfig", {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}}),
        ("IpcMode", "private"),
        ("PidMode", ""),
        ("UTSMode", ""),
        ("RestartPolicy", {"Name": "no", "MaximumRetryCount": 0}),
        ("ShmSize", 64 * MIB),
        ("OomScoreAdj", 500),
        ("Privileged", False),
        ("Devices", None),
        ("CapAdd", None),
        ("Binds", []),
        ("PublishAllPorts", False),
        ("AutoRemove", False),
    ],
)
@pytest.mark.req("S14")
def test_setting_of_the_container(hub: HubProcess, server: str, key: str, value: object) -> None:
    """Logs are bounded, no namespace or device of the host is shared, nobody but the hub restarts it."""
    assert value == inspect(hub, server)["HostConfig"][key]


def test_init_is_the_first_process(hub: HubProcess, server: str) -> None:
    """Docker's init is process 1, so that a server's dead children go and signals arrive."""
    assert "docker-init" == hub.exec(server, "cat /proc/1/comm")


# -- what an image says of itself ----------------------------------------------------------------


@pytest.mark.parametrize("path", ["/cache", "/home/jovyan/data"])
@pytest.mark.req("S8", "S14")
def test_a_volume_of_the_image_is_bounded_memory(hub: HubProcess, hostile: str, path: str) -> None:
    """A `VOLUME` of an image is a tmpfs with an end, never a volume without one on the host's disk."""
    written = hub.exec(
        hostile, f"head -c 3G /dev/zero > {path}/full 2>/dev/null; stat -c %s {path}/full; rm {path}/full"
    )
    mounts = inspect(hub, hostile)["Mounts"]

    assert int(written) < 2048 * MIB
    assert {path: "tmpfs"}.items() <= {row["Destination"]: row["Type"] for row in mounts}.items()
    assert ["/home/jovyan"] == [row["Destination"] for row in mounts if row["Type"] == "volume"]


@pytest.mark.req("S12")
def test_our_labels_win_over_the_images(hub: HubProcess, hostile: str) -> None:
    """Labels baked into an image cannot make its container another's."""
    labels = inspect(hub, hostile)["Config"]["Labels"]

    assert (hub.hub_id, "trusting", "", "server") == tuple(
        labels[f"versatilehub.{key}"] for key in ("hub", "owner", "server", "kind")
    )
    assert "theirs" == labels["site"]


def test_an_image_decides_neither_check_nor_signal_nor_environment(hub: HubProcess, hostile: str) -> None:
    """Health check off, SIGTERM to stop, the hub's own user name and token, our command, whatever the image says."""
    config = inspect(hub, hostile)["Config"]
    environment = dict(row.split("=", 1) for row in config["Env"])

    assert (["NONE"], "SIGTERM", ["jupyterhub-singleuser"]) == (
        config["Healthcheck"]["Test"],
        config["StopSignal"],
        config["Cmd"],
    )
    assert "trusting" == environment["JUPYTERHUB_USER"]
    assert "stolen" != environment["JUPYTERHUB_API_TOKEN"]


# -- network -----------------------------------------------------------------------------------


@pytest.mark.req("S10", "S14")
def test_no_port_is_published(hub: HubProcess, hostile: str) -> None:
    """Servers are reached through the proxy only, also when their image exposes ports."""
    assert "" == docker("port", hub.container(hostile))


def test_the_network_is_the_hubs_own(hub: HubProcess, server: str) -> None:
    """A server is in one network, which belongs to this hub and carries nothing between containers."""
    (name,) = inspect(hub, server)["NetworkSettings"]["Networks"]
    network = json.loads(docker("network", "inspect", name))[0]

    assert hub.hub_id == network["Labels"]["versatilehub.hub"]
    assert "false" == network["Options"]["com.docker.network.bridge.enable_icc"]


@pytest.mark.req("K1")
def test_two_servers_cannot_connect(hub: HubProcess, server: str, hostile: str) -> None:
    """A server reaches no other server of the hub, in neither direction; each does answer the hub."""
    for one, other in ((server, hostile), (hostile, server)):
        (network,) = inspect(hub, other)["NetworkSettings"]["Networks"].values()
        socket.create_connection((network["IPAddress"], 8888), timeout=5).close()

        assert "yes" != connects(hub, one, network["IPAddress"], 8888)


def test_the_hub_api_answers(hub: HubProcess, server: str) -> None:
    """The one port of this machine that a server needs is open to it."""
    assert "yes" == connects(hub, server, gateway(hub, server), hub.port + 81)


@pytest.fixture(scope="module")
def walled() -> None:
    """The firewall is a promise where the hub may set rules, as it may wherever these tests run."""
    missing = firewall.unavailable()
    if missing:
        pytest.fail(
            f"These tests need a machine where firewall rules can be set, as root with iptables: {missing}."
        )


@pytest.mark.usefixtures("walled")
@pytest.mark.req("S14")
def test_no_other_port_of_this_machine_answers(hub: HubProcess, server: str) -> None:
    """On the gateway, Docker's own bridge and every other address of this machine, other ports are refused."""
    with listener() as port:
        addresses = [gateway(hub, server), *own_addresses()]
        for address in addresses:
            socket.create_connection((address, port), timeout=5).close()
        found = {address: connects(hub, server, address, port) for address in addresses}

    assert len(found) > 1
    assert {} == {address: answer for address, answer in found.items() if "refused" not in answer}


@pytest.mark.usefixtures("walled")
@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200", "10.0.0.1", "192.168.255.1"])
@pytest.mark.req("S14")
def test_metadata_and_private_networks_are_refused(hub: HubProcess, server: str, host: str) -> None:
    """Cloud metadata services and private networks are refused at once, not left to time out."""
    assert "refused" in connects(hub, server, host, 80)


@pytest.mark.usefixtures("walled")
def test_the_proxys_own_api_is_out_of_reach(hub: HubProcess, server: str) -> None:
    """Who could talk to the proxy's API could take over anybody's route."""
    for address in (gateway(hub, server), "127.0.0.1", *own_addresses()):
        assert "yes" != connects(hub, server, address, hub.port + 1)


# -- tokens ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(hub: HubProcess) -> str:
    """The owner of a server that runs the real JupyterLab, the default image."""
    hub.user("careful")
    hub.run("careful")
    return "careful"


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("", {302}),
        ("lab", {302}),
        ("api/contents", {302, 403}),
        ("api/kernels", {302, 403}),
        ("files/x", {302, 403}),
    ],
)
@pytest.mark.req("S11")
def test_a_server_asks_who_is_there(hub: HubProcess, real: str, path: str, statuses: set[int]) -> None:
    """Without a token or login nothing of a server is shown; pages lead to the hub's login."""
    url = f"{hub.url}/user/{real}/{path}"

    assert requests.get(url, allow_redirects=False, timeout=30).status_code in statuses
    assert requests.get(
        url, headers={"Authorization": "token 0123"}, allow_redirects=False, timeout=30
    ).status_code in {302, 403}
    assert requests.get(f"{url}?token=0123", allow_redirects=False, timeout=30).status_code in {302, 403}


@pytest.mark.req("S11", "K1")
def test_another_person_gets_neither_in_nor_the_token(hub: HubProcess, real: str) -> None:
    """Bob, logged in, is shown neither the server, nor its record, nor its token."""
    token = hub.exec(real, "echo $JUPYTERHUB_API_TOKEN")
    bob = Person(hub, "bob", "bob-password-1")
    answers = [
        bob.get(path)
        for path in (f"api/users/{real}", f"api/users/{real}/server", "home", "token", f"spawn/{real}")
    ]
    opened = bob.session.get(f"{hub.url}/user/{real}/api/contents", timeout=30)
    bob.session.close()

    assert {404} == {answer.status_code for answer in (answers[0], answers[1], answers[4])}
    assert opened.status_code in {403, 404}
    assert len(token) >= 32
    assert not [answer.url for answer in [*answers, opened] if token in answer.text]


@pytest.mark.req("S11")
def test_a_token_is_on_no_record_others_read(hub: HubProcess, real: str) -> None:
    """A server's token is in neither the hub's log, nor its API, nor a label or command of the container."""
    token = hub.exec(real, "echo $JUPYTERHUB_API_TOKEN")
    container = inspect(hub, real)

    assert token not in hub.log.read_text(errors="replace")
    assert token not in hub.api("GET", f"users/{real}").text
    assert token not in json.dumps(
        [container["Config"]["Labels"], container["Config"]["Cmd"], container["Args"]]
    )


@pytest.mark.req("S11")
def test_a_servers_token_is_for_its_own_server(hub: HubProcess, real: str) -> None:
    """What a program in a server can do with its token ends at its owner's own server."""
    token = hub.exec(real, "echo $JUPYTERHUB_API_TOKEN")
    headers = {"Authorization": f"token {token}"}

    def ask(method: str, path: str) -> int:
        return requests.request(method, f"{hub.url}/hub/api/{path}", headers=headers, timeout=30).status_code

    assert 200 == ask("GET", "user")
    assert {403, 404} >= {ask("GET", "users"), ask("GET", "users/bob"), ask("POST", "users/bob/server")}
    assert {403, 404} >= {ask("POST", f"users/{real}/servers/more"), ask("POST", f"users/{real}/tokens")}
