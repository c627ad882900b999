"""A simulated Azure for Microsoft's own clients: one process for all tests, over TLS with its own authority."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKLS = Path(os.environ.get("SKLS_EXECUTABLE", ROOT / ".build/debug/skls"))
# Long enough for a busy machine; nothing waits for it when all is well.
LIMIT_SECONDS = 120


class Simulator:
    """The running simulator and what its clients need to know of it."""

    def __init__(self, variables: dict[str, str]):
        self.variables = variables
        self.directory = Path(variables["files"])
        self.plain = variables["SKLS_AZURE_ENDPOINT"]
        self.url = variables["https"]
        self.authority_file = variables["REQUESTS_CA_BUNDLE"]
        self.tenant = variables["AZURE_TENANT_ID"]
        self.client = variables["AZURE_CLIENT_ID"]
        self.secret = variables["AZURE_CLIENT_SECRET"]
        self.subscription = variables["AZURE_SUBSCRIPTION_ID"]
        self.group = variables["SKLS_RESOURCE_GROUP"]
        self.location = variables["SKLS_LOCATION"]
        self.plan = variables["SKLS_PLAN"]
        self.workspace = variables["SKLS_LOG_WORKSPACE"]
        self.workspace_name = "skls-logs"
        self.scope = "https://management.azure.com/.default"

    @property
    def plan_id(self) -> str:
        return f"{self.group_id}/providers/Microsoft.Web/serverfarms/{self.plan}"

    @property
    def group_id(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    def requests(self) -> list[dict]:
        """The simulator's own request log so far."""
        lines = (self.directory / "requests.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


def start(*arguments: str) -> tuple[subprocess.Popen, dict[str, str]]:
    """Starts `skls simulator` and reads what it prints when it answers: variables, also those in comments, and notes."""
    process = subprocess.Popen(
        [str(SKLS), "simulator", *arguments], stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
    variables = {}
    for line in process.stdout:
        text = line.removeprefix("# ").rstrip("\n")
        if text.startswith("export "):
            name, value = text.removeprefix("export ").split("=", 1)
            # What is commented out repeats a name for clients that insist on HTTPS.
            variables.setdefault(name, value)
        elif text == "ready":
            return process, variables
        elif ": " in text:
            name, value = text.split(": ", 1)
            variables[name] = value
    raise RuntimeError(f"{SKLS} simulator ended with {process.wait()} before it was ready")


@pytest.fixture(scope="session")
def simulator():
    process, variables = start()
    # azure-core and MSAL find the simulator's authority here.
    os.environ["REQUESTS_CA_BUNDLE"] = variables["REQUESTS_CA_BUNDLE"]
    yield Simulator(variables)
    process.terminate()
    assert process.wait(LIMIT_SECONDS) == 0, "the simulator ends cleanly on SIGTERM"


@pytest.fixture(scope="session")
def credential(simulator):
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(
        simulator.tenant, simulator.client, simulator.secret, authority=simulator.url, disable_instance_discovery=True)


@pytest.fixture(scope="session")
def clients(simulator, credential):
    """The keyword arguments that point any management client at the simulator."""
    return {"credential": credential, "base_url": simulator.url, "credential_scopes": [simulator.scope]}


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"app-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def az(simulator, tmp_path_factory):
    """`az`, logged in at the simulator in a configuration of its own. Returns parsed JSON, or the failed process."""
    folder = tmp_path_factory.mktemp("az")
    environment = {
        **os.environ, "AZURE_CONFIG_DIR": str(folder), "REQUESTS_CA_BUNDLE": simulator.authority_file,
        "AZURE_CORE_COLLECT_TELEMETRY": "false", "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no", "AZURE_CORE_NO_COLOR": "true",
    }
    executable = Path(sys.executable).with_name("az")

    def run(*arguments: str, fails: bool = False, **extra: str):
        done = subprocess.run(
            [str(executable), *arguments, "--output", "json"], env={**environment, **extra}, text=True,
            capture_output=True, timeout=LIMIT_SECONDS)
        if fails:
            assert done.returncode != 0, done.stdout
            return done
        assert done.returncode == 0, f"az {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    run.environment = environment
    run("cloud", "register", "--name", "simulated",
        "--endpoint-resource-manager", simulator.url, "--endpoint-active-directory", simulator.url,
        "--endpoint-active-directory-resource-id", "https://management.azure.com",
        "--endpoint-active-directory-graph-resource-id", "https://graph.microsoft.com/",
        "--endpoint-management", simulator.url)
    run("cloud", "set", "--name", "simulated")
    run("login", "--service-principal", "--username", simulator.client, "--password", simulator.secret,
        "--tenant", simulator.tenant)
    return run
