"""Makes requests be about something that is there, and end.

What was generated against the document stays as it is: such a request is to be refused.
"""

from zlib import crc32

import schemathesis
from schemathesis.core.parameters import ParameterLocation

RUNNING, ENDED, RECORD = "running", "ended", "declared"

# Requests that change who the others are about.
REMOVING = {"removeContainer", "renameContainer", "deleteRecord", "updateContainer"}
# Those that would go on for as long as the container runs.
LASTING = {"containerLogs", "streamContainerLogs", "waitForContainer", "waitForContainerBySocket"}


def absent(given: str) -> str:
    """Digits could be the beginning of an id, which is drawn anew in each run."""
    return f"none-{given}" if all(digit in "0123456789abcdef" for digit in given) else given


def target(operation: str, given: str) -> str:
    """One request in four is about a thing that is not there."""
    choice = crc32(given.encode(errors="replace")) % 4
    if operation in REMOVING or choice == 0:
        return absent(given)
    return ENDED if operation in LASTING or choice == 1 else RUNNING


@schemathesis.hook
def before_call(context, case, kwargs):
    meta = case.meta
    operation = case.operation.definition.raw.get("operationId", "")
    path = case.operation.path

    def is_valid(location: ParameterLocation) -> bool:
        return meta is None or not meta.is_negative_at(location)

    parameters = case.path_parameters or {}
    if is_valid(ParameterLocation.PATH):
        # Figures go on for as long as the container is there, if what is wrong leaves them to.
        is_endless = operation == "containerStats" and not is_valid(ParameterLocation.QUERY)
        if path.startswith("/internal/v1/containers/{id}"):
            given = str(parameters["id"])
            parameters["id"] = absent(given) if is_endless else target(operation, given)
        elif path.startswith("/apis/skls.dev/v1/functionapps/{name}") and operation not in REMOVING:
            parameters["name"] = RECORD
        elif path.startswith("/internal/v1/images/{name}") and operation != "removeImage":
            parameters["name"] = "alpine"

    query = case.query
    # Streams end, whatever else is wrong.
    if operation == "events":
        query["until"] = "1"
    if operation == "listRecords":
        query.pop("watch", None)
    if not is_valid(ParameterLocation.QUERY):
        return
    if operation in ("waitForContainer", "waitForContainerBySocket"):
        query["condition"] = "not-running"
    if operation == "containerStats":
        query["stream"] = "0"
    if operation in ("stopContainer", "restartContainer"):
        query.update(t="0", signal="KILL")
    if operation == "killContainer":
        query["signal"] = "WINCH"
    if operation == "createContainer":
        # Each has a Function App that boots: a few are enough.
        query["name"] = f"made-{crc32(str(query.get('name')).encode(errors='replace')) % 4}"
    if operation == "pruneContainers":
        query["filters"] = '{"label":["of-none"]}'

    if isinstance(case.body, dict) and is_valid(ParameterLocation.BODY):
        if operation == "createContainer":
            case.body.update(Image="alpine", Cmd=["true"], HostConfig={"AutoRemove": True})
        if operation == "pullImage":
            case.body.update(Reference="alpine")
        if operation == "applyRecord":
            case.body["metadata"]["name"] = RECORD
            case.body["spec"] = {"image": "alpine", "command": ["true"]}
