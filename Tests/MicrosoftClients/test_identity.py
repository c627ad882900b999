"""azure-identity: every way in which the simulator hands out tokens."""

import base64
import json

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential


def claims(token: str) -> dict:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_a_client_secret_gets_a_token_for_its_audience(simulator, credential):
    token = credential.get_token(simulator.scope)
    assert claims(token.token)["aud"].rstrip("/") == "https://management.azure.com"
    assert claims(token.token)["tid"] == simulator.tenant


def test_a_wrong_client_secret_is_refused_with_the_code_of_entra(simulator):
    credential = ClientSecretCredential(
        simulator.tenant, simulator.client, "wrong", authority=simulator.url, disable_instance_discovery=True)
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        credential.get_token(simulator.scope)


def test_an_unknown_tenant_is_refused_with_the_code_of_entra(simulator):
    credential = ClientSecretCredential(
        "00000000-0000-0000-0000-000000000000", simulator.client, simulator.secret, authority=simulator.url,
        disable_instance_discovery=True)
    with pytest.raises(ClientAuthenticationError):
        credential.get_token(simulator.scope)


def test_a_managed_identity_gets_a_token_from_the_instance_metadata_service(simulator, monkeypatch):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", simulator.plain)
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET"):
        monkeypatch.delenv(name, raising=False)
    token = ManagedIdentityCredential().get_token(simulator.scope)
    assert claims(token.token)["aud"].rstrip("/") == "https://management.azure.com"


def test_a_managed_identity_gets_a_token_from_the_app_service_endpoint(simulator, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", simulator.variables["IDENTITY_ENDPOINT"])
    monkeypatch.setenv("IDENTITY_HEADER", simulator.variables["IDENTITY_HEADER"])
    token = ManagedIdentityCredential().get_token(simulator.scope)
    assert claims(token.token)["aud"].rstrip("/") == "https://management.azure.com"


def test_a_token_of_another_audience_is_refused_by_resource_manager(simulator, credential):
    from azure.mgmt.resource import ResourceManagementClient

    client = ResourceManagementClient(
        credential, simulator.subscription, base_url=simulator.url,
        credential_scopes=["https://api.loganalytics.io/.default"])
    with pytest.raises(ClientAuthenticationError, match="(?i)audience"):
        client.resource_groups.get(simulator.group)
