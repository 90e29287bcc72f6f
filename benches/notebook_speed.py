"""Is code in a notebook's cell as fast as in a release binary?

    .venv/bin/python benches/notebook_speed.py        (a first `cargo bench` compiles the dependencies anew: 10 minutes)

Runs `benches/training_step.rs` as a release binary and, the same source, as a cell, in turn, and prints the ratio of the
medians. At most 1.1 is wanted. Both are bound by the same kernels, so the ratio is 1 but for the machine's noise.
"""

import json
import os
import pathlib
import statistics
import subprocess

from jupyter_client.manager import KernelManager

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "benches/training_step.rs"
ROUNDS = 5


def milliseconds(text):
    return json.loads(next(line for line in text.splitlines() if line.startswith("{")))["ms"]


def release():
    command = ["cargo", "bench", "--quiet", "--bench", "training_step"]
    # As `isopath kernel` sets it: without it candle reads /proc/cpuinfo for every product.
    environment = {"RAYON_NUM_THREADS": str(os.cpu_count()), **os.environ}
    result = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return milliseconds(result.stdout)


class Cell:
    """A kernel that has defined the benchmark's `main`."""

    def __init__(self):
        self.manager = KernelManager(kernel_name="isopath")
        self.manager.start_kernel(cwd=str(ROOT / "notebooks"))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=300)
        self.run(':dep isopath = { path = ".." }')
        code = "\n".join(line for line in SOURCE.read_text().splitlines() if not line.startswith("//!"))
        self.run(code)

    def run(self, code):
        """What a cell prints; raises with what it complains of."""
        request, printed = self.client.execute(code), ""
        while True:
            message = self.client.get_iopub_msg(timeout=600)
            kind, content = message["msg_type"], message["content"]
            if kind == "stream" and content["name"] == "stdout":
                printed += content["text"]
            elif kind in ("stream", "error"):
                raise SystemExit(content.get("text") or content.get("evalue"))
            ours = message["parent_header"].get("msg_id") == request
            if ours and kind == "status" and content["execution_state"] == "idle":
                return printed

    def milliseconds(self):
        return milliseconds(self.run("main()?;"))


def main():
    release()
    cell = Cell()
    pairs = [(release(), cell.milliseconds()) for _ in range(ROUNDS)]
    cell.manager.shutdown_kernel(now=True)
    binary, notebook = (statistics.median(column) for column in zip(*pairs))
    print(json.dumps({"release_ms": binary, "notebook_ms": notebook, "ratio": round(notebook / binary, 3)}))


if __name__ == "__main__":
    main()
