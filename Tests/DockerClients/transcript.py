"""Transcripts of the docker CLI: commands, and what they print with a real Docker engine.

A transcript is a text file. A line `$ COMMAND` is executed by bash in an empty directory; below it stands what was recorded:
`> ` a line of standard output, `! ` a line of standard error, `[N]` an exit code that is not zero. Where skls answers otherwise,
and means to, `= REASON` follows with what is expected of skls in the same form, each line behind `= `. Comments begin with `#`.
"""

import argparse
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

# Long enough for a busy machine; nothing waits for it when all is well.
LIMIT_SECONDS = 60
FOLDER = Path(__file__).with_name("transcripts")


@dataclass
class Step:
    command: str
    line: int
    comments: list[str] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    reason: str = ""
    ours: list[str] = field(default_factory=list)

    @property
    def expected(self) -> list[str]:
        return self.ours if self.reason else self.recorded

    def text(self) -> str:
        lines = [*self.comments, f"$ {self.command}", *self.recorded]
        if self.reason:
            lines += [f"= {self.reason}", *(f"= {line}" for line in self.ours)]
        return "\n".join(lines)


def parse(path: Path) -> list[Step]:
    steps: list[Step] = []
    comments: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("#"):
            comments.append(line)
        elif line.startswith("$ "):
            steps.append(Step(line[2:], number, comments))
            comments = []
        elif line.startswith("= "):
            if steps[-1].reason:
                steps[-1].ours.append(line[2:])
            else:
                steps[-1].reason = line[2:]
        elif line:
            steps[-1].recorded.append(line)
    return steps


# What differs from run to run and says nothing.
NORMAL = [
    (re.compile(r"\b[0-9a-f]{64}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "SHORT-ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "TIME"),
    (re.compile(r"\b(Less than a second|About an? \w+|\d+ (second|minute|hour)s?)\b"), "DURATION"),
    (re.compile(r"\[?0?;?\r"), ""),
]


def normal(text: str) -> str:
    text = text.replace("0001-01-01T00:00:00Z", "NEVER")
    for pattern, replacement in NORMAL:
        text = pattern.sub(replacement, text)
    return text


def execute(command: str, directory: str, environment: dict[str, str]) -> list[str]:
    """What a command prints and returns, as a transcript has it."""
    done = subprocess.run(
        ["timeout", "-k", "5", str(LIMIT_SECONDS), "bash", "-c", command], cwd=directory, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True)
    lines = []
    for mark, output in ((">", done.stdout), ("!", done.stderr)):
        text = normal(output.decode(errors="replace")).replace(directory, "DIRECTORY")
        lines += [f"{mark} {line}".rstrip() for line in text.splitlines()]
    if done.returncode:
        lines.append(f"[{done.returncode}]")
    return lines


def environment(host: str, docker: str, configuration: str) -> dict[str, str]:
    """For a docker CLI that knows nothing of its user."""
    folder = str(Path(docker).parent)
    return {
        "PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin", "HOME": configuration, "DOCKER_CONFIG": configuration,
        "DOCKER_HOST": host, "LC_ALL": "C", "TERM": "dumb", "DOCKER_CLI_HINTS": "false",
    }


def record(path: Path, host: str, docker: str) -> None:
    """Executes a transcript with a real engine and keeps what it prints."""
    steps = parse(path)
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as configuration:
        for step in steps:
            step.recorded = execute(step.command, directory, environment(host, docker, configuration))
    path.write_text("\n".join(step.text() for step in steps) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Record transcripts with a Docker engine that has an image alpine and no containers.")
    parser.add_argument("--host", required=True, help="the engine, as DOCKER_HOST")
    parser.add_argument("--docker", default="docker", help="the CLI")
    parser.add_argument("names", nargs="*", help="transcripts without .txt; all unless given")
    arguments = parser.parse_args()
    paths = [FOLDER / f"{name}.txt" for name in arguments.names] or sorted(FOLDER.glob("*.txt"))
    docker = arguments.docker
    if "/" not in docker:
        docker = subprocess.run(["which", docker], capture_output=True, text=True, check=True).stdout.strip()
    for path in paths:
        record(path, arguments.host, os.path.abspath(docker))
        print(path.name)


if __name__ == "__main__":
    main()
