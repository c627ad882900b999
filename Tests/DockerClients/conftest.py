"""A daemon with a simulated Azure beside it, for Docker's own clients."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKLS = Path(os.environ.get("SKLS_EXECUTABLE", ROOT / ".build/debug/skls"))
CLIENTS = Path(os.environ["DOCKER_CLIENTS"])
# Long enough for a busy machine; nothing waits for it when all is well.
LIMIT_SECONDS = 120


class Daemon:
    """`skls serve --simulator` in a directory of its own, and on a port of this machine if one is given."""

    def __init__(self, *images: str, port: int | None = None):
        self.variables = {"SKLS_TCP_ADDRESS": f"127.0.0.1:{port}"} if port else {}
        # Not pytest's directory: the path of a unix socket has at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="skls-"))
        self.host = f"unix://{self.directory}/skls.sock"
        self.log = self.directory / "daemon.log"
        self.process = None
        self.start()
        for image in images:
            self.docker("pull", "--quiet", image)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(SKLS), "serve", "--simulator", "--state", str(self.directory / "state"), "--host", self.host],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | self.variables)
        end = time.monotonic() + LIMIT_SECONDS
        while subprocess.run(
                [str(CLIENTS / "bin/docker"), "version"], env=self.environment(), capture_output=True).returncode:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no daemon: {self.log.read_text()}")
            time.sleep(0.05)  # There is nothing to wait for but the socket.

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{CLIENTS}/bin:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.directory),
            "DOCKER_CONFIG": str(CLIENTS / "config"), "DOCKER_HOST": self.host, "LC_ALL": "C",
        }

    def docker(self, *arguments: str, status: int = 0, **options) -> str:
        """Output of a docker command that ends with this status."""
        done = subprocess.run(
            [str(CLIENTS / "bin/docker"), *arguments], env=self.environment(), capture_output=True, text=True,
            timeout=LIMIT_SECONDS, **options)
        assert done.returncode == status, f"docker {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(LIMIT_SECONDS) == 0, "the daemon ends cleanly on SIGTERM"

    def close(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
def daemon(request):
    daemon = Daemon("alpine")
    yield daemon
    if request.session.testsfailed:
        sys.stderr.write(daemon.log.read_text()[-4000:])
    daemon.close()
