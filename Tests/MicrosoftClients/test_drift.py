"""What somebody changes with `az` behind the daemon's back is seen by the daemon."""

import json
import os
import subprocess
import time

import pytest
from conftest import LIMIT_SECONDS, SKLS

EDITS = ["setting", "mount", "image", "identity"]


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
    """Four records whose sites were edited with `az` while the daemon was down, each in one way."""
    daemon = Daemon(simulator, tmp_path_factory.mktemp("daemon"))
    manifest = "\n---\n".join(
        f"apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {{name: {name}}}\nspec: {{image: alpine, command: ['true']}}\n"
        for name in [*EDITS, "untouched"])
    daemon.start()
    end = time.monotonic() + LIMIT_SECONDS
    while (applied := daemon.run("apply", "-f", "-", input=manifest)).returncode != 0:
        assert time.monotonic() < end, applied.stderr
        time.sleep(0.05)
    sites = {}
    for name in [*EDITS, "untouched"]:
        record = daemon.wait_for(name, lambda record: condition(record, "Ready")[0] == "True")
        sites[name] = record["status"]["site"]["name"]
    daemon.stop()

    def scope(name):
        return ["--resource-group", simulator.group, "--name", sites[name]]

    az("functionapp", "config", "appsettings", "set", *scope("setting"), "--settings", "EDITED=by-hand")
    az("webapp", "config", "storage-account", "add", *scope("mount"), "--custom-id", "data", "--storage-type",
       "AzureFiles", "--account-name", "account", "--share-name", "share", "--access-key", "key",
       "--mount-path", "/data")
    az("functionapp", "config", "container", "set", *scope("image"), "--image", "busybox")
    az("functionapp", "identity", "assign", *scope("identity"))
    daemon.start()
    yield daemon
    daemon.run("delete", *EDITS, "untouched")
    daemon.stop()


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_with_az_is_seen_as_a_change_from_outside(drifted, edit):
    record = drifted.wait_for(edit, lambda record: condition(record, "Drifted")[1] == "ModifiedOutside")
    assert condition(record, "Drifted")[0] == "Unknown"


def test_a_site_that_nobody_edited_is_not_drifted(drifted):
    for edit in EDITS:
        drifted.wait_for(edit, lambda record: condition(record, "Drifted")[1] == "ModifiedOutside")
    assert condition(drifted.record("untouched"), "Drifted")[1] != "ModifiedOutside"
