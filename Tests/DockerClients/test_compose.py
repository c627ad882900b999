"""docker compose v2, and compose v1 as machines of some years ago have it, against skls."""

import json
import subprocess

from conftest import CLIENTS, LIMIT_SECONDS

COMPOSE = """
services:
  web:
    image: alpine
    network_mode: none
    command: sh -c 'echo web is up; exec sleep 1000'
    labels: {tier: web}
  job:
    image: alpine
    network_mode: none
    environment: {GREETING: hello}
    command: sh -c 'echo $$GREETING from job; exit 3'
"""


def files(daemon, text):
    file = daemon.directory / "compose.yaml"
    file.write_text(text)
    return ["compose", "--ansi", "never", "--progress", "plain", "-p", "shop", "-f", str(file)]


def test_two_services(daemon):
    compose = files(daemon, COMPOSE)
    daemon.docker(*compose, "up", "-d")
    assert daemon.docker("wait", "shop-job-1").strip() == "3"
    services = [json.loads(line) for line in daemon.docker(*compose, "ps", "-a", "--format", "json").splitlines()]
    assert {service["Service"]: service["State"] for service in services} == {"web": "running", "job": "exited"}
    logs = daemon.docker(*compose, "logs", "--no-color")
    assert "web is up" in logs and "hello from job" in logs
    assert daemon.docker(*compose, "exec", "-T", "web", "echo", "inside") == "inside\n"
    assert daemon.docker(*compose, "run", "--rm", "-T", "job", "echo", "once") == "once\n"
    daemon.docker(*compose, "down", "-t", "1")
    assert daemon.docker("ps", "-aq") == ""


def test_wait_until_running(daemon):
    compose = files(daemon, COMPOSE)
    daemon.docker(*compose, "up", "-d", "--wait", "web")
    assert daemon.docker("ps", "--format", "{{.Names}} {{.State}}") == "shop-web-1 running\n"
    daemon.docker(*compose, "down", "-t", "0")


def test_the_job_decides_the_exit_code(daemon):
    compose = files(daemon, COMPOSE)
    output = daemon.docker(*compose, "up", "--exit-code-from", "job", "job", status=3)
    assert "hello from job" in output
    daemon.docker(*compose, "down")


def test_a_network_is_refused_early(daemon):
    compose = files(daemon, "services: {web: {image: alpine, command: 'true'}}")
    daemon.docker(*compose, "up", "-d", status=1)
    assert daemon.docker("ps", "-aq") == "", "nothing is left behind"


VOLUMES = """
services:
  writer:
    image: alpine
    network_mode: none
    command: sh -c 'echo shared > /data/file'
    volumes: [data:/data]
  reader:
    image: alpine
    network_mode: none
    command: sh -c 'until cat /data/file; do sleep 0.1; done'
    depends_on: {writer: {condition: service_completed_successfully}}
    volumes:
      - {type: volume, source: data, target: /data}
volumes:
  data: {labels: {tier: files}}
"""


def test_a_volume_that_two_services_mount(daemon):
    compose = files(daemon, VOLUMES)
    daemon.docker(*compose, "up", "-d")
    assert daemon.docker("wait", "shop-reader-1").strip() == "0"
    assert "shared" in daemon.docker(*compose, "logs", "--no-color", "reader")
    assert daemon.docker("volume", "ls", "-q", "--filter", "label=tier=files") == "shop_data\n"
    daemon.docker(*compose, "down")
    assert daemon.docker("volume", "ls", "-q") == "shop_data\n", "a volume outlives its services"
    assert daemon.docker("run", "--rm", "-v", "shop_data:/d", "alpine", "cat", "/d/file") == "shared\n"
    daemon.docker(*compose, "down", "-v")
    assert daemon.docker("volume", "ls", "-q") == ""


def test_volumes_survive_a_restart_of_the_daemon(daemon):
    daemon.docker("volume", "create", "kept", "--label", "a=b")
    daemon.docker("create", "--name", "mounts", "-v", "kept:/data", "alpine", "true")
    daemon.stop()
    daemon.start()
    assert daemon.docker("volume", "inspect", "kept", "--format", "{{.Labels.a}} {{.Status.Phase}}") == "b Ready\n"
    daemon.docker("volume", "rm", "kept", status=1)


def first_version(daemon, text, *arguments: str, status: int = 0) -> subprocess.CompletedProcess:
    """A command of compose v1, which is a program of its own, that ends with this status."""
    file = daemon.directory / "docker-compose.yml"
    file.write_text(text)
    done = subprocess.run(
        [str(CLIENTS / "compose-v1/bin/docker-compose"), "--no-ansi", "-p", "old", "-f", str(file), *arguments],
        env=daemon.environment(), capture_output=True, text=True, timeout=LIMIT_SECONDS, stdin=subprocess.DEVNULL)
    assert done.returncode == status, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
    return done


def test_two_services_with_the_first_version(daemon):
    first_version(daemon, COMPOSE, "up", "-d")
    assert daemon.docker("wait", "old_job_1").strip() == "3"
    listed = first_version(daemon, COMPOSE, "ps").stdout
    states = {line.split()[0]: line for line in listed.splitlines() if line.startswith("old_")}
    assert " Up " in states["old_web_1"] and " Exit 3 " in states["old_job_1"], listed
    logs = first_version(daemon, COMPOSE, "logs", "--no-color").stdout
    assert "web is up" in logs and "hello from job" in logs
    assert first_version(daemon, COMPOSE, "exec", "-T", "web", "echo", "inside").stdout == "inside\n"
    first_version(daemon, COMPOSE, "exec", "-T", "web", "sh", "-c", "exit 4", status=4)
    assert first_version(daemon, COMPOSE, "run", "--rm", "-T", "job", "echo", "once").stdout.strip() == "once"
    output = first_version(daemon, COMPOSE, "up", "--exit-code-from", "job", "job", status=3).stdout
    assert "hello from job" in output
    first_version(daemon, COMPOSE, "up", "-d")
    first_version(daemon, COMPOSE, "restart", "-t", "0", "web")
    first_version(daemon, COMPOSE, "down", "-t", "1")
    assert daemon.docker("ps", "-aq") == ""


def test_a_network_is_refused_early_with_the_first_version(daemon):
    done = first_version(daemon, "services: {web: {image: alpine, command: 'true'}}", "up", "-d", status=1)
    assert "This backend (azf) does not support networks." in done.stderr
    assert daemon.docker("ps", "-aq") == "", "nothing is left behind"
