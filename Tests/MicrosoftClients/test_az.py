"""`az`, unmodified, in a cloud that is registered for the simulator."""

import json

import pytest


@pytest.fixture(scope="module")
def app(simulator, az):
    """A Function App with a container, made as a person makes one."""
    name = "az-made-app"
    az("storage", "account", "create", "--resource-group", simulator.group, "--name", "azmadestorage",
       "--location", simulator.location, "--sku", "Standard_LRS")
    az("functionapp", "create", "--resource-group", simulator.group, "--name", name, "--plan", simulator.plan,
       "--storage-account", "azmadestorage", "--functions-version", "4", "--runtime", "custom",
       "--image", "alpine:3")
    az("functionapp", "config", "appsettings", "set", "--resource-group", simulator.group, "--name", name,
       "--settings", "GREETING=hello")
    return name


def test_az_knows_the_account(simulator, az):
    account = az("account", "show")
    assert account["id"] == simulator.subscription and account["tenantId"] == simulator.tenant


def test_az_functionapp_list_shows_the_app(simulator, az, app):
    assert app in [item["name"] for item in az("functionapp", "list")]
    assert app in [item["name"] for item in az("functionapp", "list", "--resource-group", simulator.group)]


def test_az_functionapp_show_reads_the_app(simulator, az, app):
    shown = az("functionapp", "show", "--resource-group", simulator.group, "--name", app)
    assert shown["name"] == app and shown["state"] == "Running"
    assert shown["siteConfig"]["linuxFxVersion"] == "DOCKER|alpine:3"


def test_az_functionapp_config_appsettings_list_and_set(simulator, az, app):
    scope = ["--resource-group", simulator.group, "--name", app]
    az("functionapp", "config", "appsettings", "set", *scope, "--settings", "ADDED=by-az")
    listed = {item["name"]: item["value"] for item in az("functionapp", "config", "appsettings", "list", *scope)}
    assert listed["ADDED"] == "by-az" and listed["GREETING"] == "hello"


def test_az_functionapp_config_container_set_changes_the_image(simulator, az, app):
    scope = ["--resource-group", simulator.group, "--name", app]
    az("functionapp", "config", "container", "set", *scope, "--image", "busybox:1")
    shown = az("functionapp", "show", *scope)
    assert shown["siteConfig"]["linuxFxVersion"] == "DOCKER|busybox:1"


def test_az_functionapp_stop_start_and_restart(simulator, az, app):
    scope = ["--resource-group", simulator.group, "--name", app]
    az("functionapp", "stop", *scope)
    assert az("functionapp", "show", *scope)["state"] == "Stopped"
    az("functionapp", "start", *scope)
    az("functionapp", "restart", *scope)
    assert az("functionapp", "show", *scope)["state"] == "Running"


def test_az_functionapp_show_of_an_absent_app_says_so(simulator, az):
    failed = az("functionapp", "show", "--resource-group", simulator.group, "--name", "no-such-app", fails=True)
    assert "was not found" in failed.stderr


def test_az_functionapp_delete_removes_the_app_and_keeps_the_plan(simulator, az, app):
    scope = ["--resource-group", simulator.group, "--name", app]
    az("functionapp", "delete", *scope, "--keep-empty-plan")
    assert app not in [item["name"] for item in az("functionapp", "list")]
    assert az("functionapp", "plan", "show", "--resource-group", simulator.group, "--name", simulator.plan)["name"]


def test_az_takes_the_cloud_from_the_metadata_url(simulator, az, tmp_path):
    # This one request is made by urllib, which finds the simulator's authority here.
    environment = {"AZURE_CONFIG_DIR": str(tmp_path), "SSL_CERT_FILE": simulator.authority_file,
                   "ARM_CLOUD_METADATA_URL": simulator.variables["ARM_CLOUD_METADATA_URL"]}
    clouds = az("cloud", "list", **environment)
    assert simulator.url in [cloud["endpoints"]["resourceManager"].rstrip("/") for cloud in clouds]


def test_az_rest_queries_log_analytics(simulator, az):
    answer = az(
        "rest", "--method", "post", "--url", f"{simulator.url}/v1/workspaces/{simulator.workspace}/query",
        "--resource", "https://api.loganalytics.io", "--headers", "Content-Type=application/json",
        "--body", json.dumps({"query": "print answer = 42"}))
    assert answer["tables"][0]["rows"] == [[42]]


def test_az_monitor_log_analytics_query_is_skipped_where_its_extension_cannot_be_installed(simulator, az):
    """The command lives in an extension that `az` downloads from Microsoft's storage, and that no package registry has.
    Where it is installed already, it has to work."""
    installed = az("extension", "list")
    if "log-analytics" not in [item["name"] for item in installed]:
        pytest.skip("the extension log-analytics is not installed")
    answer = az("monitor", "log-analytics", "query", "--workspace", simulator.workspace,
                "--analytics-query", "print answer = 42")
    assert answer[0]["answer"] in ("42", 42)
