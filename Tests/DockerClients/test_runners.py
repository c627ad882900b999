"""What continuous-integration runners do with an engine, step by step."""

import io
import subprocess
import tarfile

import docker
import pytest

from conftest import CLIENTS


@pytest.fixture
def client(daemon):
    client = docker.DockerClient(base_url=daemon.host, version="auto", timeout=120)
    yield client
    client.close()


def test_like_gitlab_runner(daemon, client):
    """A script goes in over an attach that was made before the start, and another one at the next start of the same container."""
    api = client.api
    container = api.create_container("alpine", ["sh"], stdin_open=True, labels={"job": "7"})["Id"]
    try:
        for number in (1, 2):
            socket = api.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            api.start(container)
            raw = socket._sock
            raw.sendall(f"echo step {number}; exit {number}\n".encode())
            raw.shutdown(1)  # a half-close: the output still comes
            output = b""
            while part := raw.recv(4096):
                output += part
            assert f"step {number}\n".encode() in output
            assert api.wait(container)["StatusCode"] == number
            raw.close()
        assert api.logs(container) == b"step 1\nstep 2\n"
    finally:
        api.remove_container(container, force=True, v=True)


def test_like_github_runner(daemon, client):
    """A container that does nothing, in which the steps are executed one after the other."""
    name = daemon.docker(
        "create", "--name", "job", "--label", "runner", "--workdir", "/tmp", "--entrypoint", "tail", "alpine", "-f",
        "/dev/null").strip()
    daemon.docker("start", name)
    assert daemon.docker("ps", "--filter", "id=" + name, "--filter", "status=running", "--format", "{{.ID}}").strip()
    for step in range(10):
        script = f"echo step {step} >>steps; wc -l <steps; exit {step}"
        done = subprocess.run(
            [str(CLIENTS / "bin/docker"), "exec", "-i", name, "sh"], input=script, text=True, capture_output=True,
            env=daemon.environment(), timeout=120)
        assert (done.returncode, done.stdout.strip()) == (step, str(step + 1)), done.stderr
    stream, _ = client.containers.get(name).get_archive("/tmp/steps")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        assert archive.extractfile("steps").read().count(b"\n") == 10
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("given")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"given"))
    assert client.containers.get(name).put_archive("/tmp", archive.getvalue())
    assert daemon.docker("exec", name, "cat", "/tmp/given") == "given"
    daemon.docker("rm", "--force", name)


def test_a_restart_in_the_middle(daemon):
    """The daemon is stopped and started again: what it told its clients stays true."""
    daemon.docker("create", "--name", "kept", "--label", "a=b", "alpine", "sh", "-c", "echo out; exit 5")
    assert daemon.docker("start", "-a", "kept", status=5) == "out\n"
    daemon.stop()
    daemon.start()
    assert daemon.docker("ps", "-a", "--filter", "label=a=b", "--format", "{{.Names}} {{.State}}") == "kept exited\n"
    assert daemon.docker("inspect", "kept", "--format", "{{.State.ExitCode}}") == "5\n"
    assert daemon.docker("logs", "kept") == "out\n"
    assert daemon.docker("wait", "kept") == "5\n"
