"""docker compose v2 against skls."""

import json

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
