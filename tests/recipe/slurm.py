"""A real Slurm of one node for a test: munge, slurmctld and slurmd with everything of theirs in one directory."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import wait_for

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "squeue")
SECONDS = 60  # until it is up

needs_slurm = pytest.mark.skipif(
    os.geteuid() != 0 or not all(shutil.which(one, path=f"{os.environ['PATH']}:/usr/sbin") for one in PROGRAMS),
    reason="no Slurm, or not root: apt-get install slurmctld slurmd slurm-client munge",
)

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
CredType=cred/munge
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES State=UP
"""


@contextmanager
def slurm(home: Path, cpus: int = 2) -> Iterator[dict[str, str]]:
    """A Slurm that runs; the environment with which its commands find it."""
    key = home / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    for name in ("state", "spool"):
        (home / name).mkdir()
    controller_port, node_port = _free_ports()
    host = socket.gethostname().split(".")[0]
    settings = {"host": host, "controller_port": controller_port, "node_port": node_port}
    (home / "slurm.conf").write_text(SLURM_CONF.format(home=home, cpus=cpus, **settings))
    env = os.environ | {"SLURM_CONF": str(home / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    own = {name: str(home / f"munge.{name}") for name in ("socket", "pid", "log", "seed")}
    munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={own['socket']}"]
    munged += [f"--pid-file={own['pid']}", f"--log-file={own['log']}", f"--seed-file={own['seed']}"]
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in (munged, ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-c"]):
            with (home / f"{command[0]}.out").open("wb") as out:
                daemons.append(subprocess.Popen(command, env=env, stdout=out, stderr=out))
        _wait_until_idle(env, home)
        yield env
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _wait_until_idle(env: dict[str, str], home: Path) -> None:
    """Until the node takes jobs."""
    ask = ["sinfo", "--noheader", "--format=%T"]
    if wait_for(lambda: subprocess.run(ask, env=env, capture_output=True, text=True).stdout.strip() == "idle", SECONDS):
        return
    said = "".join(f"{path.name}: {path.read_text()[-1000:]}\n" for path in sorted(home.glob("*.out")))
    pytest.skip(f"Slurm does not come up on this machine in {SECONDS} s: {said}")  # it needs more than its packages


def _free_ports() -> list[int]:
    """Two ports that nobody has."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
