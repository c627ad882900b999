"""azure-monitor-query and the older azure-loganalytics: what a workspace knows."""

import json
import ssl
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.applicationinsights import ApplicationInsightsManagementClient
from azure.monitor.query import LogsBatchQuery, LogsQueryClient, LogsQueryStatus


@pytest.fixture(scope="module")
def logs(simulator, credential):
    # The client takes the part behind /v1 from its endpoint.
    return LogsQueryClient(credential, endpoint=f"{simulator.url}/v1")


@pytest.fixture(scope="module")
def trace(simulator, clients):
    """A line of telemetry as the Application Insights SDKs send it; returns its text."""
    text = f"hello {uuid.uuid4().hex}"
    workspace = f"{simulator.group_id}/providers/Microsoft.OperationalInsights/workspaces/{simulator.workspace_name}"
    component = ApplicationInsightsManagementClient(
        subscription_id=simulator.subscription, **clients).components.create_or_update(
        simulator.group, "telemetry", {
            "location": simulator.location, "kind": "web", "application_type": "web",
            "workspace_resource_id": workspace, "ingestion_mode": "LogAnalytics"})
    connection = dict(part.split("=", 1) for part in component.connection_string.split(";") if part)
    item = {
        "name": "Microsoft.ApplicationInsights.Message", "time": datetime.now(timezone.utc).isoformat(),
        "iKey": connection["InstrumentationKey"], "tags": {"ai.cloud.role": "my-app"},
        "data": {"baseType": "MessageData", "baseData": {
            "ver": 2, "message": text, "severityLevel": 1, "properties": {"stream": "stdout"}}},
    }
    request = urllib.request.Request(
        connection["IngestionEndpoint"].rstrip("/") + "/v2.1/track", json.dumps(item).encode(),
        {"Content-Type": "application/x-json-stream"})
    context = ssl.create_default_context(cafile=simulator.authority_file)
    with urllib.request.urlopen(request, context=context) as answer:
        assert json.load(answer)["itemsAccepted"] == 1
    return text


def test_a_line_of_telemetry_is_found_by_a_query(simulator, logs, trace):
    answer = logs.query_workspace(
        simulator.workspace, f"AppTraces | where Message == '{trace}' | project TimeGenerated, Message, AppRoleName",
        timespan=timedelta(hours=1))
    assert answer.status == LogsQueryStatus.SUCCESS
    table = answer.tables[0]
    assert list(table.columns) == ["TimeGenerated", "Message", "AppRoleName"]
    assert [(row["Message"], row["AppRoleName"]) for row in table.rows] == [(trace, "my-app")]
    assert isinstance(table.rows[0]["TimeGenerated"], datetime)


def test_queries_are_answered_in_a_batch(simulator, logs, trace):
    answers = logs.query_batch([
        LogsBatchQuery(simulator.workspace, "AppTraces | count", timespan=timedelta(hours=1)),
        LogsBatchQuery(simulator.workspace, "AppTraces | where", timespan=timedelta(hours=1)),
    ])
    assert answers[0].status == LogsQueryStatus.SUCCESS and answers[0].tables[0].rows[0][0] >= 1
    assert answers[1].status == LogsQueryStatus.FAILURE


def test_a_query_with_a_fault_is_refused_with_its_place(simulator, logs, trace):
    with pytest.raises(HttpResponseError, match="BadArgumentError"):
        logs.query_workspace(simulator.workspace, "AppTraces | where where", timespan=None)


def test_the_older_client_reads_the_same_rows(simulator, credential, trace):
    from azure.loganalytics import LogAnalyticsDataClient
    from azure.loganalytics.models import QueryBody
    from msrest.authentication import BasicTokenAuthentication

    token = credential.get_token("https://api.loganalytics.io/.default").token
    client = LogAnalyticsDataClient(BasicTokenAuthentication({"access_token": token}), base_url=f"{simulator.url}/v1")
    answer = client.query(simulator.workspace, QueryBody(query=f"AppTraces | where Message == '{trace}' | count"))
    assert answer.tables[0].rows[0][0] == 1
