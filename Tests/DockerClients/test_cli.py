"""The docker CLI against skls, compared with what it prints with a real Docker engine."""

import tempfile

import pytest

import transcript
from conftest import CLIENTS


@pytest.mark.parametrize("path", sorted(transcript.FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_transcript(path, daemon):
    found = []
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as configuration:
        environment = transcript.environment(daemon.host, str(CLIENTS / "bin/docker"), configuration)
        for step in transcript.parse(path):
            answer = transcript.execute(step.command, directory, environment)
            if answer != step.expected:
                found.append("\n".join(
                    [f"{path.name}:{step.line}: $ {step.command}", "expected:", *step.expected, "found:", *answer]))
    assert not found, "\n\n" + "\n\n".join(found)
