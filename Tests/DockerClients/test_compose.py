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
