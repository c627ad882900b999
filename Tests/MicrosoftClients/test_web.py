"""azure-mgmt-web: the life of a Function App with a container."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.web import WebSiteManagementClient


@pytest.fixture(scope="module")
def web(simulator, clients):
    return WebSiteManagementClient(subscription_id=simulator.subscription, **clients)


def body(simulator, **settings):
    return {
        "location": simulator.location, "kind": "functionapp,linux,container", "tags": {"purpose": "test"},
        "properties": {
            "serverFarmId": simulator.plan_id, "reserved": True, "httpsOnly": True,
            "siteConfig": {
                "linuxFxVersion": "DOCKER|alpine:3", "webSocketsEnabled": True, "functionAppScaleLimit": 1,
                "appSettings": [{"name": name, "value": value} for name, value in settings.items()],
            },
        },
    }


@pytest.fixture
def app(simulator, web, name):
    site = web.web_apps.begin_create_or_update(simulator.group, name, body(simulator, GREETING="hello")).result()
    yield site
    web.web_apps.delete(simulator.group, name, delete_empty_server_farm=False)


def test_a_created_function_app_is_read_with_its_image_and_host_name(simulator, web, app):
    read = web.web_apps.get(simulator.group, app.name)
    assert read.id.lower() == f"{simulator.group_id}/providers/Microsoft.Web/sites/{app.name}".lower()
    assert {"functionapp", "linux"} <= set(read.kind.split(","))
    assert read.state == "Running"
    assert read.default_host_name.startswith(app.name)
    assert read.site_config.linux_fx_version == "DOCKER|alpine:3"
    assert read.site_config.app_settings is None
    assert read.tags == {"purpose": "test"}


def test_a_function_app_is_listed_in_its_group_and_subscription(simulator, web, app):
    assert app.name in [site.name for site in web.web_apps.list_by_resource_group(simulator.group)]
    assert app.name in [site.name for site in web.web_apps.list()]


def test_settings_are_listed_and_replaced_as_a_whole(simulator, web, app):
    listed = web.web_apps.list_application_settings(simulator.group, app.name).properties
    assert listed["GREETING"] == "hello"
    web.web_apps.update_application_settings(simulator.group, app.name, {"properties": {"OTHER": "1"}})
    listed = web.web_apps.list_application_settings(simulator.group, app.name).properties
    assert listed.get("OTHER") == "1" and "GREETING" not in listed


def test_an_update_merges_the_configuration_and_replaces_the_tags(simulator, web, app):
    web.web_apps.update(simulator.group, app.name, {"tags": {"other": "2"}, "properties": {"httpsOnly": False}})
    read = web.web_apps.get(simulator.group, app.name)
    assert read.tags == {"other": "2"} and read.https_only is False
    assert read.site_config.linux_fx_version == "DOCKER|alpine:3"


def test_the_configuration_is_read_and_changed_by_itself(simulator, web, app):
    config = web.web_apps.get_configuration(simulator.group, app.name)
    assert config.linux_fx_version == "DOCKER|alpine:3" and config.web_sockets_enabled is True
    web.web_apps.update_configuration(
        simulator.group, app.name, {"properties": {"linuxFxVersion": "DOCKER|busybox"}})
    assert web.web_apps.get_configuration(simulator.group, app.name).linux_fx_version == "DOCKER|busybox"


def test_mounts_are_set_and_listed(simulator, web, app):
    mount = {"type": "AzureFiles", "accountName": "account", "shareName": "share", "mountPath": "/data",
             "accessKey": "key"}
    web.web_apps.update_azure_storage_accounts(simulator.group, app.name, {"properties": {"data": mount}})
    listed = web.web_apps.list_azure_storage_accounts(simulator.group, app.name).properties
    assert listed["data"].mount_path == "/data" and listed["data"].share_name == "share"


def test_a_function_app_stops_starts_and_restarts(simulator, web, app):
    web.web_apps.stop(simulator.group, app.name)
    assert web.web_apps.get(simulator.group, app.name).state == "Stopped"
    web.web_apps.start(simulator.group, app.name)
    assert web.web_apps.get(simulator.group, app.name).state == "Running"
    web.web_apps.restart(simulator.group, app.name)


def test_a_deleted_function_app_is_gone_and_its_plan_is_not(simulator, web, name):
    web.web_apps.begin_create_or_update(simulator.group, name, body(simulator)).result()
    web.web_apps.delete(simulator.group, name, delete_empty_server_farm=False)
    with pytest.raises(ResourceNotFoundError):
        web.web_apps.get(simulator.group, name)
    assert web.app_service_plans.get(simulator.group, simulator.plan).sku.name == "EP1"
    web.web_apps.delete(simulator.group, name, delete_empty_server_farm=False)  # 204


def test_a_plan_is_created_listed_and_deleted(simulator, web, name):
    plan = web.app_service_plans.begin_create_or_update(simulator.group, name, {
        "location": simulator.location, "kind": "linux", "sku": {"name": "B1", "tier": "Basic"},
        "properties": {"reserved": True}}).result()
    assert plan.sku.name == "B1" and plan.reserved is True
    assert name in [plan.name for plan in web.app_service_plans.list_by_resource_group(simulator.group)]
    web.app_service_plans.delete(simulator.group, name)
    with pytest.raises(ResourceNotFoundError):
        web.app_service_plans.get(simulator.group, name)


def test_a_name_that_is_taken_is_told(simulator, web, app):
    answer = web.check_name_availability({"name": app.name, "type": "Microsoft.Web/sites"})
    assert answer.name_available is False and answer.reason == "AlreadyExists"
    assert web.check_name_availability({"name": app.name + "-x", "type": "Microsoft.Web/sites"}).name_available


def test_a_plan_that_is_not_there_is_an_error_of_app_service(simulator, web, name):
    wrong = body(simulator)
    wrong["properties"]["serverFarmId"] = simulator.plan_id + "-missing"
    with pytest.raises(HttpResponseError):
        web.web_apps.begin_create_or_update(simulator.group, name, wrong).result()


def test_the_log_of_a_container_is_read(simulator, web, app):
    text = b"".join(web.web_apps.get_web_site_container_logs(simulator.group, app.name) or [])
    assert b"alpine" in text
