"""A daemon and a simulator as processes of their own, so that memory and latency are the daemon's; for the scripts that drive them."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def request(connection, method, path, body=None, expect=(200, 201, 202, 204)):
    connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    data = reply.read()
    if reply.status not in expect:
        sys.exit(f"error: {method} {path}: {reply.status} {data.decode()}")
    return data


def resident_megabytes(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Installation:
    """Binaries of the release build, unless BINARIES says where others are."""

    def __init__(self):
        self.binaries = os.environ.get("BINARIES") or subprocess.check_output(
            ["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT, text=True).strip()
        self.docker = shutil.which("docker") or os.path.join(ROOT, ".build/tools/docker")
        self.folder = tempfile.mkdtemp(prefix="skls-bench.")
        self.socket = f"{self.folder}/skls.sock"
        # By which the daemon, and other clients of Azure, find the simulator.
        self.environment = dict(os.environ)
        self.children = []

    def start_simulator(self, *options):
        self.simulator = subprocess.Popen(
            [f"{self.binaries}/skls", "simulator", "--log-level", "error", *options], stdout=subprocess.PIPE, text=True)
        self.children.append(self.simulator)
        for line in self.simulator.stdout:
            if line.startswith("export "):
                name, value = line[7:].rstrip("\n").split("=", 1)
                self.environment[name] = value
            if line == "# ready\n":
                break

    def start_daemon(self, *options):
        self.daemon = subprocess.Popen(
            [f"{self.binaries}/skls", "serve", "--state", f"{self.folder}/state", "--host", f"unix://{self.socket}",
             "--log-level", "error", *options], env=self.environment)
        self.children.append(self.daemon)
        while not os.path.exists(self.socket):
            if self.daemon.poll() is not None:
                sys.exit("error: the daemon did not start")
            time.sleep(0.01)

    def stop(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            child.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def installation():
    here = Installation()
    try:
        yield here
    finally:
        here.stop()
