"""Schemathesis against docs/openapi.yaml and the debug build with a simulated Azure.

Arguments go to `schemathesis run`. Without any the run is the one of the gate: a fixed seed, and about a minute.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SKLS = Path(os.environ.get("SKLS_EXECUTABLE", ROOT / ".build/debug/skls"))
# Long enough for a busy machine; nothing waits for it when all is well.
LIMIT_SECONDS = 120
# What the requests of hooks.py are about.
RUNNING, ENDED, RECORD = "running", "ended", "declared"


class Daemon:
    """`skls serve --simulator` on a port of loopback: Schemathesis knows no unix sockets."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="skls-"))
        self.log = self.directory / "daemon.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(SKLS), "serve", "--simulator", "--state", str(self.directory / "state"),
                 "--host", f"unix://{self.directory}/skls.sock", "--tcp", "tcp://127.0.0.1:0"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port()}"

    def port(self) -> int:
        end = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(r"socket=127\.0\.0\.1:(\d+)", self.log.read_text()):
                return int(found[1])
            time.sleep(0.05)  # There is nothing to wait for but the log.
        self.process.kill()
        raise RuntimeError(f"no daemon: {self.log.read_text()}")

    def request(self, method: str, path: str, body=None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as reply:
            return reply.read()

    def prepare(self) -> None:
        """Something of each kind that a request can be about."""
        for name, command in [(RUNNING, ["sleep", "100000"]), (ENDED, ["echo", "done"])]:
            self.request("POST", f"/internal/v1/containers?name={name}", {"Image": "alpine", "Cmd": command})
            self.request("POST", f"/internal/v1/containers/{name}/start")
        self.request("POST", f"/internal/v1/containers/{ENDED}/wait")
        self.request("PUT", f"/apis/skls.dev/v1/functionapps/{RECORD}", {
            "apiVersion": "skls.dev/v1", "kind": "FunctionApp", "metadata": {"name": RECORD},
            "spec": {"image": "alpine", "command": ["true"]}})

    def close(self, failed: bool) -> None:
        self.process.terminate()
        status = self.process.wait(LIMIT_SECONDS)
        if failed or status:
            sys.stderr.write(self.log.read_text()[-4000:])
        shutil.rmtree(self.directory, ignore_errors=True)
        assert status == 0, "the daemon ends cleanly on SIGTERM"


def main() -> int:
    daemon = Daemon()
    status = 1
    try:
        daemon.prepare()
        status = subprocess.run(
            [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"),
             "run", str(ROOT / "docs/openapi.yaml"), "--url", daemon.url, *sys.argv[1:]],
            cwd=daemon.directory, env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE),
                                       "PYTHONDONTWRITEBYTECODE": "1"},
        ).returncode
    finally:
        daemon.close(failed=status != 0)
    return status


if __name__ == "__main__":
    sys.exit(main())
