"""docker-py's own integration tests, as its authors ship them, against skls."""

import re
import socket
import subprocess
import sys
from pathlib import Path

from conftest import CLIENTS, Daemon

# Categories that exist: networks, volumes, swarm (services, secrets, configs), plugins and build files of their own are left out.
FILES = [
    "api_client", "api_container", "api_exec", "api_healthcheck", "api_image", "client", "context_api", "errors",
    "models_containers", "models_images", "models_resources", "regression",
]
DIFFERENCES = Path(__file__).with_name("docker-py-differences.txt")
AT_LEAST = 110


# It dials an address of a real network.
NOT_HERE = "not ConnectionTimeoutTest"
# docker-py dials WebSockets over TCP only.
OVER_TCP = "test_run_container_reading_socket_ws"


def run(daemon: Daemon, selection: str, files: list[str], **variables: str) -> tuple[dict[str, set[str]], str]:
    """Names of tests by outcome, and what pytest said."""
    environment = daemon.environment() | variables
    # The tests of contexts write into the user's own configuration.
    del environment["DOCKER_CONFIG"]
    configuration = Path(environment["HOME"]) / ".docker"
    configuration.mkdir()
    (configuration / "config.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--timeout", "120", "-k", selection,
         *(f"tests/integration/{name}_test.py" for name in files)],
        cwd=CLIENTS / "docker-py", env=environment, capture_output=True, text=True)
    found = {"PASSED": set(), "FAILED": set(), "ERROR": set()}
    for outcome, name in re.findall(r"^(PASSED|FAILED|ERROR) tests/integration/(\S+)", done.stdout, re.MULTILINE):
        found[outcome].add(name)
    return found, done.stdout


def test_docker_py():
    lines = DIFFERENCES.read_text().splitlines()
    differences = {line for line in lines if line and not line.startswith("#")}
    daemon = Daemon("alpine", "alpine:3.10", "busybox")
    try:
        found, output = run(daemon, f"{NOT_HERE} and not {OVER_TCP}", FILES)
    finally:
        daemon.close()
    failed = found["FAILED"] | found["ERROR"]
    assert failed - differences == set(), output[-8000:]
    assert differences - failed == set(), "these pass, and must leave the list"
    assert len(found["PASSED"]) >= AT_LEAST


def test_attach_over_a_websocket():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    daemon = Daemon("alpine", "alpine:3.10", "busybox", port=port)
    try:
        found, output = run(daemon, OVER_TCP, ["api_container"], DOCKER_HOST=f"tcp://127.0.0.1:{port}")
    finally:
        daemon.close()
    assert len(found["PASSED"]) == 1, output[-8000:]
