"""azure-mgmt-resource, -resourcegraph, -storage and -msi: what stands around Function Apps."""

import uuid

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.msi import ManagedServiceIdentityClient
from azure.mgmt.resource import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions
from azure.mgmt.storage import StorageManagementClient
from azure.mgmt.web import WebSiteManagementClient


@pytest.fixture(scope="module")
def resources(simulator, clients):
    return ResourceManagementClient(subscription_id=simulator.subscription, **clients)


def test_the_subscription_is_listed(simulator, clients):
    listed = [item.subscription_id for item in SubscriptionClient(**clients).subscriptions.list()]
    assert simulator.subscription in listed


def test_a_resource_group_is_created_listed_and_deleted(simulator, resources, name):
    created = resources.resource_groups.create_or_update(name, {"location": simulator.location, "tags": {"a": "b"}})
    assert created.properties.provisioning_state == "Succeeded"
    assert resources.resource_groups.check_existence(name) is True
    assert name in [group.name for group in resources.resource_groups.list()]
    found = resources.resource_groups.list(filter="tagName eq 'a' and tagValue eq 'b'")
    assert name in [group.name for group in found]
    resources.resource_groups.begin_delete(name).result()
    assert resources.resource_groups.check_existence(name) is False
    with pytest.raises(ResourceNotFoundError):
        resources.resource_groups.get(name)


def test_a_provider_is_registered(resources):
    assert resources.providers.get("Microsoft.Web").registration_state == "Registered"
    assert resources.providers.register("Microsoft.Web").registration_state in ("Registered", "Registering")


@pytest.fixture(scope="module")
def site(simulator, clients):
    web = WebSiteManagementClient(subscription_id=simulator.subscription, **clients)
    name = f"graph-{uuid.uuid4().hex[:12]}"
    web.web_apps.begin_create_or_update(simulator.group, name, {
        "location": simulator.location, "kind": "functionapp,linux,container", "tags": {"owner": name},
        "properties": {
            "serverFarmId": simulator.plan_id, "reserved": True,
            "siteConfig": {"linuxFxVersion": "DOCKER|alpine", "appSettings": []}},
    }).result()
    yield name
    web.web_apps.delete(simulator.group, name, delete_empty_server_farm=False)


def test_a_site_is_found_among_the_resources_by_its_tag(resources, site):
    found = list(resources.resources.list(filter=f"tagName eq 'owner' and tagValue eq '{site}'"))
    assert [item.name for item in found] == [site]


def test_tags_are_merged_without_the_site(simulator, resources, site):
    scope = f"{simulator.group_id}/providers/Microsoft.Web/sites/{site}"
    poller = resources.tags.begin_update_at_scope(
        scope, {"operation": "Merge", "properties": {"tags": {"merged": "yes"}}})
    poller.result()
    tags = resources.tags.get_at_scope(scope).properties.tags
    assert tags["merged"] == "yes" and tags["owner"] == site


def test_a_graph_query_finds_a_site_by_type_and_tag(simulator, clients, site):
    graph = ResourceGraphClient(**clients)
    query = (f"Resources | where type =~ 'Microsoft.Web/sites' and tags['owner'] =~ '{site}' "
             "| project id, name, type, tags, state = properties.state")
    answer = graph.resources(QueryRequest(
        subscriptions=[simulator.subscription], query=query, options=QueryRequestOptions(result_format="objectArray")))
    assert answer.total_records == 1 and answer.data[0]["name"] == site
    assert answer.data[0]["type"] == "microsoft.web/sites" and answer.data[0]["state"] == "Running"


def test_a_storage_account_is_created_with_keys_and_a_share(simulator, clients):
    storage = StorageManagementClient(subscription_id=simulator.subscription, **clients)
    name = f"s{uuid.uuid4().hex[:16]}"
    assert storage.storage_accounts.check_name_availability({"name": name}).name_available
    account = storage.storage_accounts.begin_create(simulator.group, name, {
        "location": simulator.location, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}).result()
    assert account.provisioning_state == "Succeeded"
    assert len(storage.storage_accounts.list_keys(simulator.group, name).keys_property
               if hasattr(storage.storage_accounts.list_keys(simulator.group, name), "keys_property")
               else storage.storage_accounts.list_keys(simulator.group, name).keys) == 2
    assert not storage.storage_accounts.check_name_availability({"name": name}).name_available
    storage.file_shares.create(simulator.group, name, "share", {"properties": {"shareQuota": 5}})
    assert [share.name for share in storage.file_shares.list(simulator.group, name)] == ["share"]
    storage.file_shares.delete(simulator.group, name, "share")
    storage.storage_accounts.delete(simulator.group, name)
    with pytest.raises(ResourceNotFoundError):
        storage.storage_accounts.get_properties(simulator.group, name)


def test_an_identity_is_created_listed_and_deleted(simulator, clients, name):
    identities = ManagedServiceIdentityClient(subscription_id=simulator.subscription, **clients)
    created = identities.user_assigned_identities.create_or_update(
        simulator.group, name, {"location": simulator.location})
    assert created.client_id and created.principal_id and created.tenant_id == simulator.tenant
    listed = identities.user_assigned_identities.list_by_resource_group(simulator.group)
    assert name in [identity.name for identity in listed]
    identities.user_assigned_identities.delete(simulator.group, name)
    with pytest.raises(ResourceNotFoundError):
        identities.user_assigned_identities.get(simulator.group, name)
