"""Hosts for `ray up`: namespaces of this kernel with an address, a home and an sshd each.

A test can cut them off and switch them off. They reach each other and this machine, and nothing
else. Only root can make them, on Linux.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

TOOLS = ("ip", "unshare", "ssh", "ssh-keygen", "sshd", "rsync")
NETWORK = "198.18.77"  # RFC 2544: of tests, on no real network
BRIDGE = "sctest"
SSHD = """
HostKey {folder}/hostkey
AuthorizedKeysFile {folder}/authorized_keys
ListenAddress {address}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
MaxStartups 100
"""
# A host has its own processes, home, /tmp/ray and /etc/hosts. A Python in our home stays in its.
BOOT = """
set -e
mount --make-rprivate /
mkdir -p /tmp/ray /run/sshd
mount --bind {folder}/ray /tmp/ray
mount --bind {hosts} /etc/hosts
for kept in {kept}; do
  mkdir -p "{folder}/home/$kept"
  mount --bind "{home}/$kept" "{folder}/home/$kept"
done
mount --rbind {folder}/home {home}
hostname {name}
exec {sshd} -D -e -f {folder}/sshd_config
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host; this machine sees its files, and its home among them, in `folder`."""

    name: str
    address: str
    folder: Path
    process: subprocess.Popen[bytes]

    def copied(self, name: str) -> Path:
        """Return where this machine sees what `ray up` copied there under that name."""
        return self.folder / "home" / "scaling-study" / name

    def cut_off(self) -> None:
        """Pull out its cable; its processes go on."""
        run("ip", "link", "set", f"v{self.name}", "down")

    def switch_off(self) -> None:
        """Kill all its processes."""
        self.process.kill()
        self.process.wait()


def run(*words: object) -> None:
    """Run a command that must succeed."""
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@contextmanager
def hosts(count: int, folder: Path, key: Path) -> Iterator[list[Host]]:
    """Make hosts whose sshd accepts the key, and yield them; skip the test where that fails."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if not sys.platform.startswith("linux") or os.geteuid() or missing:
        pytest.skip(f"hosts want Linux, root and {', '.join(missing or TOOLS)}")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    names = [f"{BRIDGE}{i}" for i in range(1, count + 1)]
    addresses = [f"{NETWORK}.{10 + i}" for i in range(count)]
    prefixes = {Path(each) for each in (sys.prefix, sys.base_prefix)}
    at_home = [each for each in prefixes if each.is_relative_to(Path.home())]
    kept = " ".join(str(each.relative_to(Path.home())) for each in at_home)
    table = folder / "hosts"
    lines = [f"{address} {name}\n" for address, name in zip(addresses, names, strict=True)]
    table.write_text("127.0.0.1 localhost\n" + "".join(lines))
    with ExitStack() as stack:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        stack.callback(run, "ip", "link", "delete", BRIDGE)
        run("ip", "address", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        made = []
        for name, address in zip(names, addresses, strict=True):
            home = folder / name
            for part in ("home", "ray"):
                (home / part).mkdir(parents=True)
            shutil.copy(key.with_suffix(".pub"), home / "authorized_keys")
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "hostkey")
            (home / "sshd_config").write_text(SSHD.format(folder=home, address=address))
            run("ip", "netns", "add", name)
            stack.callback(run, "ip", "netns", "delete", name)
            run("ip", "link", "add", f"v{name}", "type", "veth", "peer", "eth0", "netns", name)
            # Its namespace, and this link with it, may outlive it: open connections hold it.
            stack.callback(run, "ip", "link", "delete", f"v{name}")
            run("ip", "link", "set", f"v{name}", "master", BRIDGE, "up")
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                run("ip", "-n", name, "link", "set", device, "up")
            sshd = shutil.which("sshd")  # sshd demands to be called by its full path
            boot = BOOT.format(
                folder=home, hosts=table, name=name, sshd=sshd, home=Path.home(), kept=kept
            )
            apart = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
            log = stack.enter_context((home / "sshd.log").open("wb"))
            process = subprocess.Popen(
                ["ip", "netns", "exec", name, *apart, "--mount-proc", "bash", "-c", boot],
                stdout=log,
                stderr=log,
            )
            made.append(Host(name=name, address=address, folder=home, process=process))
            stack.callback(made[-1].switch_off)
        yield made
