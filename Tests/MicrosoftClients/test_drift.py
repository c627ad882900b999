"""What somebody changes with `az` behind the daemon's back is repaired, told or left alone by the daemon."""

import json
import os
import subprocess
import time

import pytest
from conftest import LIMIT_SECONDS, SKLS

# What is ours and repaired, what is not ours and kept, and what a record wants to be told only.
OWNED = ["image", "port", "stopped"]
FOREIGN = ["setting", "mount", "identity"]
REPORTED = ["reported"]
EDITS = [*OWNED, *FOREIGN, *REPORTED]


class Daemon:
    """`skls serve` beside the simulator, and the commands of its users."""

    def __init__(self, simulator, folder):
        self.environment = {
            **os.environ, **{name: value for name, value in simulator.variables.items() if name.isupper()},
            "AZURE_AUTHORITY_HOST": simulator.plain, "SKLS_HOST": f"unix://{folder}/skls.sock"}
        # What is printed for Microsoft's clients is not for the daemon, which speaks plain HTTP here.
        for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "SSL_CERT_FILE"):
            self.environment.pop(name, None)
        self.folder = folder
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [str(SKLS), "serve", "--state", str(self.folder / "state"), "--host", self.environment["SKLS_HOST"]],
            env=self.environment)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(LIMIT_SECONDS) == 0

    def run(self, *arguments, **options):
        return subprocess.run(
            [str(SKLS), *arguments], env=self.environment, text=True, capture_output=True, timeout=LIMIT_SECONDS,
            **options)

    def record(self, name):
        done = self.run("get", name, "-o", "json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait_for(self, name, condition):
        """The record as soon as `condition` holds for it; fails when that takes too long."""
        end = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < end:
            record = self.record(name)
            if record and condition(record):
                return record
            time.sleep(0.05)
        raise AssertionError(f"{name}: {json.dumps(record and record.get('status'), indent=1)}")


def condition(record, kind):
    found = [item for item in record.get("status", {}).get("conditions", []) if item["type"] == kind]
    return (found[0]["status"], found[0].get("reason")) if found else (None, None)


@pytest.fixture(scope="module")
def drifted(simulator, az, tmp_path_factory):
    """Records whose sites were edited with `az` while the daemon was down, each in one way."""
    daemon = Daemon(simulator, tmp_path_factory.mktemp("daemon"))
    manifest = "\n---\n".join(
        f"apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {{name: {name}}}\n"
        "spec: {image: alpine, command: ['true'], drift: " + ("Report" if name in REPORTED else "Repair") + "}\n"
        for name in [*EDITS, "untouched"])
    daemon.start()
    end = time.monotonic() + LIMIT_SECONDS
    while (applied := daemon.run("apply", "-f", "-", input=manifest)).returncode != 0:
        assert time.monotonic() < end, applied.stderr
        time.sleep(0.05)
    sites = {}
    for name in [*EDITS, "untouched"]:
        record = daemon.wait_for(name, lambda record: condition(record, "Succeeded")[0] == "True")
        sites[name] = record["status"]["site"]["name"]
    daemon.stop()
    daemon.before = len(simulator.requests())

    def scope(name):
        return ["--resource-group", simulator.group, "--name", sites[name]]

    az("functionapp", "config", "container", "set", *scope("image"), "--image", "busybox")
    az("functionapp", "config", "appsettings", "set", *scope("port"), "--settings", "WEBSITES_PORT=8080", "EDITED=by-hand")
    az("functionapp", "stop", *scope("stopped"))
    az("functionapp", "config", "appsettings", "set", *scope("setting"), "--settings", "EDITED=by-hand")
    az("webapp", "config", "storage-account", "add", *scope("mount"), "--custom-id", "data", "--storage-type",
       "AzureFiles", "--account-name", "account", "--share-name", "share", "--access-key", "key",
       "--mount-path", "/data")
    az("functionapp", "identity", "assign", *scope("identity"))
    az("functionapp", "config", "container", "set", *scope("reported"), "--image", "busybox")
    daemon.start()
    daemon.scope = scope
    yield daemon
    daemon.run("delete", *EDITS, "untouched")
    daemon.stop()


def settled(daemon, name):
    """The record once its edit was looked at in full and dealt with."""
    return daemon.wait_for(
        name, lambda record: condition(record, "Drifted")[1] in ("AsDeclared", "FieldsDiffer")
        and "being repaired" not in json.dumps(record["status"]["conditions"])
        and (name not in OWNED or record["status"].get("driftHistory") and condition(record, "Drifted")[0] == "False"))


def settings(daemon, az, name):
    return {item["name"]: item["value"] for item in az("functionapp", "config", "appsettings", "list", *daemon.scope(name))}


@pytest.mark.parametrize(("name", "field"), [
    ("image", "siteConfig.linuxFxVersion"), ("port", "appSettings.WEBSITES_PORT"), ("stopped", "state")])
def test_an_edit_of_what_is_ours_is_repaired_once(drifted, name, field):
    history = settled(drifted, name)["status"]["driftHistory"]
    assert [finding["answer"] for finding in history] == ["Repaired"]
    assert field in history[0]["fields"]


def test_what_was_repaired_is_in_azure_as_declared(drifted, az):
    for name in OWNED:
        settled(drifted, name)
    site = az("functionapp", "show", *drifted.scope("stopped"))
    assert site["state"] == "Running"
    shown = az("functionapp", "config", "show", *drifted.scope("image"))
    assert "alpine" in shown["linuxFxVersion"]
    after = settings(drifted, az, "port")
    assert after["WEBSITES_PORT"] == "80"
    assert after["EDITED"] == "by-hand", "a setting that is not ours is carried over"


@pytest.mark.parametrize("name", FOREIGN)
def test_an_edit_of_what_is_not_ours_is_looked_at_and_kept(drifted, simulator, az, name):
    record = settled(drifted, name)
    assert condition(record, "Drifted") == ("False", "AsDeclared")
    assert not record["status"].get("driftHistory")
    if name == "setting":
        assert settings(drifted, az, name)["EDITED"] == "by-hand"
    if name == "identity":
        assert "SystemAssigned" in az("functionapp", "identity", "show", *drifted.scope(name))["type"]


def test_with_report_an_edit_is_only_told(drifted, az):
    record = settled(drifted, "reported")
    assert condition(record, "Drifted") == ("True", "FieldsDiffer")
    (finding,) = record["status"]["driftHistory"]
    assert finding["answer"] == "Reported" and "siteConfig.linuxFxVersion" in finding["fields"]
    assert "busybox" in az("functionapp", "config", "show", *drifted.scope("reported"))["linuxFxVersion"]


def test_a_site_that_nobody_edited_is_neither_suspected_nor_read_in_full(drifted, simulator):
    for name in EDITS:
        settled(drifted, name)
    record = drifted.record("untouched")
    assert condition(record, "Drifted") == ("False", "AsDeclared")
    site = record["status"]["site"]["name"]
    asked = [request for request in simulator.requests()[drifted.before:] if site in json.dumps(request)]
    assert not [request for request in asked if "/config/" in json.dumps(request)]


def test_who_edits_again_and_again_is_named(drifted, simulator, az):
    settled(drifted, "port")
    known = len(drifted.record("port")["status"]["driftHistory"])
    for _ in range(3):
        # Each life of the daemon lists the sites at its start.
        drifted.stop()
        az("functionapp", "config", "appsettings", "set", *drifted.scope("port"), "--settings", "WEBSITES_PORT=8080")
        drifted.start()
        known += 1
        record = drifted.wait_for(
            "port", lambda record, known=known: len(record["status"]["driftHistory"]) == known
            and (condition(record, "Drifted")[0] == "False" or condition(record, "Stalled")[0] == "True"))
    assert condition(record, "Stalled") == ("True", "DriftFight")
    assert [finding["answer"] for finding in record["status"]["driftHistory"]] == ["Repaired"] * 3 + ["Suspended"]
    assert record["status"]["driftHistory"][-1]["writer"]
    assert settings(drifted, az, "port")["WEBSITES_PORT"] == "8080"
