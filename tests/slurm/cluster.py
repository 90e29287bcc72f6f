"""A Slurm cluster of one controller and one daemon on this machine, on loopback, without cgroups."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol"]


def lacking():
    """Why a cluster cannot be set up here; None if it can."""
    if os.getuid() != 0:
        return "only root can start the daemons"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Daemons whose files lie in `folder`; arrays are at most `largest` long."""

    def __init__(self, folder, largest):
        self.folder = Path(folder)
        self.host = socket.gethostname().split(".")[0]
        self.cores = os.cpu_count()
        self.processes = {}
        for name in ["state", "spool", "munge"]:
            (self.folder / name).mkdir(mode=0o755)
        controller, daemon = free_ports(2)
        self.config = self.folder / "slurm.conf"
        self.config.write_text(
            f"""ClusterName=isopath
SlurmctldHost={self.host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={self.folder}/munge/socket,cred_expire=5
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SlurmdTimeout=5
KillWait=1
ReturnToService=2
MaxArraySize={largest}
SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0
NodeName={self.host} NodeAddr=127.0.0.1 CPUs={self.cores} RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
        )
        self.environment = {**os.environ, "SLURM_CONF": str(self.config)}

    def start(self):
        munge = self.folder / "munge"
        key = munge / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        options = [f"--{name}={munge}/{name.split('-')[0]}" for name in ["socket", "key-file", "pid-file", "log-file", "seed-file"]]
        self.begin("munged", "--foreground", "--force", *options)
        self.wait(lambda: (munge / "socket").exists(), 10, "munge's socket")
        self.begin("slurmctld", "-D", "-i")
        self.begin_daemon()
        self.wait(self.idle, 30, "an idle node")

    def begin(self, name, *options):
        log = open(self.folder / f"{name}.out", "ab")
        self.processes[name] = subprocess.Popen(
            [name, *options], env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def begin_daemon(self):
        self.begin("slurmd", "-D", "-N", self.host)

    def idle(self):
        return "IDLE" in self.answer("scontrol", "-o", "show", "node")

    def answer(self, *command):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True).stdout

    def queue(self):
        return self.answer("squeue", "--noheader", "--array", "--format=%i %T %r").splitlines()

    def wait(self, true, seconds, what):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise SystemExit(f"no {what} after {seconds} s\n{self.words()}")
            time.sleep(0.1)

    def words(self):
        logs = sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("*.out"))
        tails = [f"{log.name}: " + "\n".join(log.read_text(errors="replace").splitlines()[-15:]) for log in logs]
        return "\n".join([*self.queue(), self.answer("scontrol", "-o", "show", "node"), *tails])

    def kill_node(self):
        """As if the node lost its power: the daemon, its step managers and all their tasks."""
        daemon = self.processes.pop("slurmd")
        victims = [daemon.pid, *self.steps()]
        victims += [child for step in victims[1:] for child in children(step)]
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass
        daemon.wait()

    def steps(self):
        """The step managers of this cluster's own daemon: they have its configuration in their environment."""
        own = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    name = (entry / "comm").read_text().strip()
                    if name == "slurmstepd" and str(self.folder).encode() in (entry / "environ").read_bytes():
                        own.append(int(entry.name))
                except OSError:
                    pass
        return own

    def stop(self):
        if "slurmd" in self.processes:
            self.kill_node()
        for process in reversed(list(self.processes.values())):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def children(process):
    """All processes below one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
            except OSError:
                pass
    found, open_ones = [], [process]
    while open_ones:
        below = parents.get(open_ones.pop(), [])
        found += below
        open_ones += below
    return found
