"""docker-py's own integration tests, as its authors ship them, against skls."""

import re
import subprocess
import sys
from pathlib import Path

from conftest import CLIENTS, Daemon

# Categories that exist: networks, swarm (services, secrets, configs), plugins and build files of their own are left out.
FILES = [
    "api_client", "api_container", "api_exec", "api_healthcheck", "api_image", "api_volume", "client", "context_api",
    "errors", "models_containers", "models_images", "models_resources", "models_volumes", "regression",
]
DIFFERENCES = Path(__file__).with_name("docker-py-differences.txt")
AT_LEAST = 110


def test_docker_py():
    lines = DIFFERENCES.read_text().splitlines()
    differences = {line for line in lines if line and not line.startswith("#")}
    daemon = Daemon("alpine", "alpine:3.10", "busybox")
    environment = daemon.environment()
    # The tests of contexts write into the user's own configuration.
    del environment["DOCKER_CONFIG"]
    configuration = Path(environment["HOME"]) / ".docker"
    configuration.mkdir()
    (configuration / "config.json").write_text("{}")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--timeout", "120",
             # It dials an address of a real network.
             "-k", "not ConnectionTimeoutTest", *(f"tests/integration/{name}_test.py" for name in FILES)],
            cwd=CLIENTS / "docker-py", env=environment, capture_output=True, text=True)
    finally:
        daemon.close()
    found = {"PASSED": set(), "FAILED": set(), "ERROR": set()}
    for outcome, name in re.findall(r"^(PASSED|FAILED|ERROR) tests/integration/(\S+)", done.stdout, re.MULTILINE):
        found[outcome].add(name)
    failed = found["FAILED"] | found["ERROR"]
    assert failed - differences == set(), done.stdout[-8000:]
    assert differences - failed == set(), "these pass, and must leave the list"
    assert len(found["PASSED"]) >= AT_LEAST
