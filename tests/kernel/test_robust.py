"""A kernel leaves nothing behind, whoever is killed, and no message that is not meant for it changes it."""

import os
import pathlib
import signal
import subprocess
import sys
import time

from conftest import KERNEL, SECONDS_TO_RUN

SECONDS_TO_END = 5
BUSY = 'println!("begun"); loop { std::hint::black_box(0); }'
CLIENT = f"""
import time
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name={KERNEL!r})
client.execute({BUSY!r})
while client.get_iopub_msg(timeout=60)["content"].get("text") != "begun\\n":
    pass
print(manager.provisioner.process.pid, flush=True)
time.sleep(600)
"""


def parents():
    """The parent of every process that has not ended, by number."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            found[int(stat.parent.name)] = int(parent)
    return found


def family(root):
    """A process and all that came of it."""
    known, found = parents(), {root}
    while more := {process for process, parent in known.items() if parent in found} - found:
        found |= more
    return found


def assert_ended(processes, roles):
    deadline = time.monotonic() + SECONDS_TO_END
    while left := processes & parents().keys():
        names = [roles[process] for process in left]
        assert time.monotonic() < deadline, f"still there after {SECONDS_TO_END} s: {names}"
        time.sleep(0.05)


def roles(processes):
    """What each process is, to say which one stays."""
    return {process: pathlib.Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode() for process in processes}


def test_a_killed_kernel_leaves_no_process(fresh_kernel):
    request = fresh_kernel.send(BUSY)
    while fresh_kernel.client.get_iopub_msg(timeout=SECONDS_TO_RUN)["content"].get("text") != "begun\n":
        pass
    relay = fresh_kernel.manager.provisioner.process.pid
    processes = family(relay)
    assert len(processes) >= 4, f"expected relay, engine, bridge and the cells' process: {roles(processes)}"
    names = roles(processes)
    os.kill(relay, signal.SIGKILL)
    fresh_kernel.manager.provisioner.process.wait(timeout=5)
    assert_ended(processes, names)


def test_a_kernel_whose_client_is_killed_ends():
    client = subprocess.Popen([sys.executable, "-c", CLIENT], stdout=subprocess.PIPE, text=True)
    relay = int(client.stdout.readline())
    processes = family(relay)
    names = roles(processes)
    client.kill()
    client.wait()
    client.stdout.close()
    assert_ended(processes, names)


def test_a_message_with_another_key_is_ignored(kernel):
    stranger = kernel.manager.blocking_client()
    stranger.session.key = b"another key"
    stranger.start_channels(hb=False)
    try:
        forged = stranger.execute("println!(\"forged\")")
        outcome = kernel.ok("println!(\"real\")")
        assert outcome.text() == "real\n"
        time.sleep(0.5)
        while kernel.client.iopub_channel.msg_ready():
            message = kernel.client.get_iopub_msg(timeout=1)
            assert message["parent_header"].get("msg_id") != forged, "the kernel listens to anybody"
    finally:
        stranger.stop_channels()


def test_nonsense_on_its_sockets_does_not_end_it(kernel):
    other = kernel.connect()
    try:
        for channel in (other.shell_channel, other.control_channel, other.stdin_channel):
            for frames in ([b""], [b"nonsense"], [b"<IDS|MSG>"], [b"<IDS|MSG>", b"no signature", b"{", b"}", b"", b"\xff"]):
                channel.socket.send_multipart(frames)
        for kind in ("execute_request", "complete_request", "inspect_request", "history_request", "no_such_request"):
            other.shell_channel.send(other.session.msg(kind, {}))
            other.shell_channel.send(other.session.msg(kind, {"code": 7, "cursor_pos": "x", "n": -1}))
        assert kernel.ok("println!(\"still here\")").text() == "still here\n"
    finally:
        other.stop_channels()
