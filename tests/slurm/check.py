"""A plan through a real Slurm, from `submit` to collected results, and what goes wrong on the way.

`python3 tests/slurm/check.py BINARY` needs root and Debian's packages slurmctld, slurmd, slurm-client and munge. Without
them, or where they do not start, it says so and ends with status 77.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cluster import Cluster, lacking

TASKS = 21


class Check:
    def __init__(self, binary, folder, cluster):
        self.binary, self.folder, self.cluster = binary, folder, cluster
        self.plan = folder / "trial.jsonl"

    def call(self, *words, fails=False, **environment):
        done = subprocess.run(
            [self.binary, *map(str, words)],
            env={**self.cluster.environment, **environment},
            capture_output=True,
            text=True,
        )
        if (done.returncode != 0) != fails:
            raise SystemExit(f"{words}: status {done.returncode}\n{done.stdout}{done.stderr}\n{self.cluster.words()}")
        return done.stdout + done.stderr

    def submit(self, name, *options, **environment):
        """Submits to a folder of results of that name."""
        return self.call(
            "submit", self.plan, "--engine", "slurm", "--results", self.folder / name,
            "--out", self.folder / f"{name}.out", *options, **environment,
        )  # fmt: skip

    def results(self, name):
        return sorted((self.folder / name).glob("*/*.task"))

    def wait_for_end(self, name, seconds):
        self.cluster.wait(lambda: not self.cluster.queue(), seconds, f"end of {name}")

    def expect_same(self, name):
        """The collected results are those of `--engine local`, byte for byte."""
        own, here = [(self.folder / f"{run}.out/trial.json") for run in [name, "local"]]
        if not own.exists():
            log = "\n".join(file.read_text() for file in (self.folder / name / "log").glob("collect*"))
            raise SystemExit(f"{name}: nothing collected\n{log}")
        assert own.read_bytes() == here.read_bytes(), f"{own} differs from {here}"


def records(files):
    return [json.loads(file.open("rb").readline()) for file in files]


def here(check):
    check.call("tasks", "trial", "--scale", "quick", "--out", check.plan)
    check.call(
        "submit", check.plan, "--engine", "local", "--results", check.folder / "local",
        "--out", check.folder / "local.out", ISOPATH_TRIAL_SECONDS="0",
    )  # fmt: skip


def whole(check):
    begin = time.monotonic()
    text = check.submit("whole", ISOPATH_TRIAL_SECONDS="0.1")
    # Arrays are at most 16 long here.
    for line in ["--array=0-15", "--array=0-3", "--first 16"]:
        assert line in text, text
    twice = check.call(
        "submit", check.plan, "--engine", "slurm", "--results", check.folder / "whole", fails=True
    )
    assert "is in Slurm's queue already" in twice and len(twice.splitlines()) == 1, twice
    check.wait_for_end("whole", 180)
    check.expect_same("whole")
    startups = sorted(record["startup_seconds"] for record in records(check.results("whole")))
    print(
        f"{TASKS} tasks, submitted to collected: {time.monotonic() - begin:.1f} s; from the start of a process to "
        f"its work: median {startups[TASKS // 2]:.2f} s, at most {startups[-1]:.2f} s"
    )


def killed_node(check):
    check.submit("killed", ISOPATH_TRIAL_SECONDS="0.5")
    running = lambda: list((check.folder / "killed").glob("*/*.running.*"))
    check.cluster.wait(lambda: len(check.results("killed")) >= 6 and running(), 180, "a task that runs after six")
    check.cluster.kill_node()
    before = {file: file.stat().st_mtime_ns for file in check.results("killed")}
    status = lambda: check.call("status", check.plan, "--results", check.folder / "killed")
    check.cluster.wait(lambda: "stopped without a word" in status(), 30, "task that is seen to be dead")
    check.cluster.wait(lambda: "DOWN" in check.cluster.answer("scontrol", "-o", "show", "node"), 90, "dead node")
    down = time.monotonic()
    check.cluster.begin_daemon()
    check.cluster.wait(lambda: len(check.results("killed")) > len(before), 180, "requeued task")
    requeued = time.monotonic() - down
    check.wait_for_end("killed", 180)
    check.expect_same("killed")
    assert all(file.stat().st_mtime_ns == time for file, time in before.items()), "a finished task was run again"
    print(
        f"a node killed after {len(before)} of {TASKS} tasks: the others were requeued, the first of them done "
        f"{requeued:.0f} s after the node was back, and none of these was run again"
    )


def out_of_memory(check):
    check.submit("small", ISOPATH_TRIAL_SECONDS="0")
    check.wait_for_end("small", 180)
    for file in check.results("small")[18:]:
        file.unlink()
    (check.folder / "small.out/trial.json").unlink()
    check.submit("small", "--memory", "5", ISOPATH_TRIAL_SECONDS="20")
    check.wait_for_end("small", 180)
    left = check.call("collect", check.plan, "--results", check.folder / "small", fails=True)
    assert "task 18: stopped without a word: killed, out of memory" in left, left
    assert not (check.folder / "small.out/trial.json").exists()
    check.submit("small", ISOPATH_TRIAL_SECONDS="0")
    check.wait_for_end("small", 180)
    check.expect_same("small")
    print("out of memory: named as missing, and run again with more")


def refused(check):
    other = check.folder / "other.jsonl"
    text = check.plan.read_text()
    changes = {
        '"version":"': '"version":"9.',
        '"seed":3,"needs"': '"seed":4,"needs"',
    }
    for old, new in changes.items():
        assert old in text
        other.write_text(text.replace(old, new, 1))
        for words in [["task", other, "0"], ["submit", other, "--engine", "slurm"]]:
            message = check.call(*words, fails=True)
            assert len(message.splitlines()) == 1 and "digest" in message, message
    message = check.call("task", check.plan, "0", "--results", check.folder / "of_another", fails=False)
    third = check.folder / "third.jsonl"
    check.call("tasks", "trial", "--scale", "default", "--out", third)
    message = check.call("task", third, "0", "--results", check.folder / "of_another", fails=True)
    assert "results of another plan" in message and len(message.splitlines()) == 1, message
    print("refused in one line: another version, a changed plan, the results of another plan")


def full_disk(check):
    disk = check.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        print("full disk: not tried, nothing can be mounted here")
        return
    try:
        store = disk / "full"
        check.call("task", check.plan, "0", "--results", store, ISOPATH_TRIAL_SECONDS="0")
        try:
            (disk / "filler").write_bytes(bytes(1 << 20))
        except OSError:
            pass
        message = check.call("task", check.plan, "1", "--results", store, fails=True, ISOPATH_TRIAL_SECONDS="0")
        assert "No space left" in message, message
        assert [file.name for file in store.glob("*/*.task")] == ["000000.task"], "half a result"
    finally:
        subprocess.run(["umount", disk], check=True)
    print("full disk: says so, and leaves no half result")


def main(binary):
    reason = lacking()
    if reason:
        print(f"Slurm was not tried: {reason}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "cluster").mkdir()
        cluster = Cluster(Path(folder) / "cluster", largest=16)
        try:
            try:
                cluster.start()
            except (OSError, SystemExit) as error:
                print(f"Slurm was not tried: its daemons do not start here: {error}")
                return 77
            check = Check(binary, Path(folder), cluster)
            for step in [here, whole, killed_node, out_of_memory, refused, full_disk]:
                begin = time.monotonic()
                step(check)
                print(f"  {step.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
        finally:
            cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
