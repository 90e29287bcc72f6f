"""Checks the blocks of src/experiments/tasks/clusters.md by the engines' own clients, as far as these check without a server.

`python3 tests/slurm/templates.py`, with kubernetes-validate 1.35.0, botocore 1.43 and PyYAML installed.
"""

import json
import re
import subprocess
from pathlib import Path

import botocore.session
import kubernetes_validate
import yaml
from botocore.validate import ParamValidator

page = Path(__file__).parents[2] / "src/experiments/tasks/clusters.md"
blocks = re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.M | re.S)
seen = []
for kind, text in blocks:
    if kind == "yaml":
        version = kubernetes_validate.latest_version()
        kubernetes_validate.validate(yaml.safe_load(text), version, strict=True)
        seen.append(f"Kubernetes {version}")
    elif kind == "json":
        service = botocore.session.get_session().get_service_model("batch")
        shape = service.operation_model("SubmitJob").input_shape
        report = ParamValidator().validate(json.loads(text), shape)
        assert not report.has_errors(), report.generate_report()
        seen.append(f"AWS Batch {service.api_version}")
    elif kind == "sh":
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
        seen.append("sh")
assert len(seen) == 6, seen
print("valid:", ", ".join(seen))
