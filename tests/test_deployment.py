"""``Dockerfile``, ``compose.yaml`` and ``deploy`` name existing things, hold no secrets, and agree with the server.

The tests run no container engine, so nothing is built here.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from doit_mcp import __version__
from doit_mcp.settings import Settings
from tests.transports.http.serving import serving

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REPLICAS = ("mcp-1", "mcp-2")
VARIABLES = {declared.name: declared for declared in Settings.variables().values()}
SECRETS = {"MCP_TOKEN_EXCHANGE_SECRET", "DOIT_MCP_REDIS_PASSWORD", "DOIT_API_KEY"}
# Variables that operators set and that are not settings of the server.
OF_THE_FILE = {"DOIT_MCP_SITE", "DOIT_MCP_REDIS_PASSWORD"}
PINNED = re.compile(r"[a-z]+:[0-9.]+-[a-z]+@sha256:[0-9a-f]{64}")
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def of(name: str) -> list[str]:
    return [value for instruction, value in instructions() if instruction == name]


def base_image() -> str:
    """Return the image that both stages start from."""
    name, _, value = of("ARG")[0].partition("=")
    assert name == "PYTHON_IMAGE" and [line.split()[0] for line in of("FROM")] == ["${PYTHON_IMAGE}"] * 2
    return value


def size(text: str) -> int:
    """Return a size such as 512mb, 1g or 900MiB in bytes."""
    match = re.fullmatch(r"(\d+)([kmg])(i?b)?", text.lower())
    assert match, text
    return int(match[1]) * UNITS[match[2]]


def labels() -> dict[str, str]:
    return dict(re.findall(r'org\.opencontainers\.image\.([a-z.]+)="([^"]*)"', of("LABEL")[0]))


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


def test_replicas_are_identical() -> None:
    assert set(SERVICES) == {*REPLICAS, "redis", "proxy"}
    first, second = (SERVICES[name] for name in REPLICAS)
    assert first == second and "ports" not in first


def test_every_variable_is_a_setting() -> None:
    environment = SERVICES["mcp-1"]["environment"]
    variables = set(VARIABLES) | {declared.file_variable for declared in VARIABLES.values() if declared.is_secret}
    assert set(environment) <= variables
    assert {"MCP_RESOURCE_URL", "MCP_TOKEN_EXCHANGE_SECRET", "DOIT_MCP_REDIS_URL"} <= set(environment)
    assert {"MCP_TOKEN_EXCHANGE_SECRET_FILE", "DOIT_MCP_AUDIT_REQUIRED"} <= set(environment)
    assert {name for name in variables if name.startswith("DOIT_MCP_EVENTS")} <= set(environment)
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    assert used <= variables | OF_THE_FILE
    set_in_image = {pair.partition("=")[0] for pair in " ".join(of("ENV")).split()}
    assert {name for name in set_in_image if name.startswith("DOIT")} <= set(VARIABLES)


@pytest.mark.parametrize("name", ["MCP_TOKEN_EXCHANGE_SECRET", "MCP_TOKEN_EXCHANGE_SECRET_FILE"])
def test_replica_settings_are_valid(name: str, tmp_path: Path) -> None:
    """The server accepts the environment that compose creates for a replica."""
    (tmp_path / "secret").write_text("s" * 32)
    secret = str(tmp_path / "secret") if name.endswith("_FILE") else "s" * 32
    variables = {"DOIT_MCP_SITE": "mcp.example.com", name: secret, "DOIT_MCP_REDIS_PASSWORD": "p"}

    def fill(found: re.Match[str]) -> str:
        name, default = found[1], (found[2] or "").removeprefix(":-")
        return variables.get(name, default)

    environment = {
        name: re.sub(r"\$\{(\w+)(:[-?][^}]*)?\}", fill, value)
        for name, value in SERVICES["mcp-1"]["environment"].items()
    }
    settings = Settings.from_environment(environment)
    assert "mcp.example.com" in settings.accepted_hosts and settings.redis_url == "redis://:p@redis:6379/0"
    assert settings.exchange_secret == "s" * 32 and not settings.audit_required
    # Back ends report events to a replica.
    assert {f"{name}:8080" for name in REPLICAS} <= settings.accepted_hosts
    assert settings.events and settings.events_poll_s == Settings().events_poll_s
    assert seconds(SERVICES["mcp-1"]["stop_grace_period"]) > settings.drain_s + 5


def test_no_secret_is_in_the_files() -> None:
    """Every secret comes from the operator's environment."""
    for name in ("compose.yaml", "Dockerfile", "deploy/Caddyfile"):
        for line in (ROOT / name).read_text().splitlines():
            if not line.lstrip().startswith("#") and (match := re.match(r"\s*(\w+)[:=]\s*(\S.*)", line)):
                assert match[1] not in SECRETS or re.fullmatch(rf"\$\{{{match[1]}:(-|\?[^}}]+)\}}", match[2]), line
    assert not [value for value in of("ARG") + of("ENV") if any(name in value for name in SECRETS)]


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_minimal_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and not service.get("privileged")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service.get("cap_add", [])) <= {"NET_BIND_SERVICE"}
    assert ("ports" in service) == (name == "proxy")
    if name == "redis":
        assert service["networks"] == ["inside"] and COMPOSE["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_has_resource_limits(name: str) -> None:
    """Memory and process limits confine a leak or a fork bomb to its container."""
    service = SERVICES[name]
    assert size(service["mem_limit"]) <= 1 << 30 and 0 < service["pids_limit"] <= 256
    if name == "redis":
        # Connection buffers and fragmentation need memory beyond maxmemory.
        (most,) = re.findall(r"--maxmemory (\w+)", service["command"][-1])
        assert size(service["mem_limit"]) >= 2 * size(most)
    if name == "proxy":
        assert size(service["environment"]["GOMEMLIMIT"]) < size(service["mem_limit"])


def test_images_are_pinned_by_their_digests() -> None:
    """Images are pinned, because a tag can be moved to another image at any time."""
    images = [base_image(), *(SERVICES[name]["image"] for name in ("redis", "proxy"))]
    assert all(PINNED.fullmatch(image) for image in images), images
    assert base_image().startswith("python:3.11-slim@") and len(set(images)) == 3


def test_labels_describe_the_image() -> None:
    """The labels follow the Open Container Initiative. A value that was not provided is empty, never wrong."""
    image_labels = labels()
    assert (
        image_labels["version"] == __version__
        and image_labels["licenses"] == "MIT"
        and image_labels["title"]
        and image_labels["description"]
    )
    assert image_labels["base.name"] == "docker.io/library/${PYTHON_IMAGE}"
    assert (image_labels["revision"], image_labels["created"]) == ("${REVISION}", "${CREATED}")
    last_stage = instructions()[[name for name, _ in instructions()].index("FROM", 3) :]
    arguments = [value for name, value in last_stage if name == "ARG"]
    assert arguments == ["PYTHON_IMAGE", 'REVISION=""', 'CREATED=""']


def run_script(copy: Path, fake: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of our scripts in a copy of the files it reads, with the shell code *fake* as ``docker``."""
    (copy / "bin").mkdir(exist_ok=True)
    docker = copy / "bin" / "docker"
    docker.write_text(f"#!/bin/sh\n{fake}\n")
    docker.chmod(0o755)
    (copy / "scripts").mkdir(exist_ok=True)
    for name in (f"scripts/{script}", "scripts/print-help", "Dockerfile", "compose.yaml"):
        if not (copy / name).exists():
            shutil.copy(ROOT / name, copy / name)
    path = f"{copy / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [str(copy / "scripts" / script), *arguments],
        env={**os.environ, "PATH": path, "GIT_CEILING_DIRECTORIES": str(copy.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pinned_digests_are_updated(tmp_path: Path) -> None:
    """scripts/pin-images updates each image to the digest that the registry reports, and changes nothing else."""
    names = 'case "$2$6" in version) ;; *redis:*) echo sha256:%064d;; *python:*) echo sha256:%064d;; *) exit 9;; esac'
    names %= (1, 2)
    without = run_script(tmp_path, "exit 1", "pin-images")
    assert without.returncode == 1 and "buildx" in without.stderr
    failed = run_script(tmp_path, names, "pin-images")
    assert failed.returncode == 9, "a registry that does not respond is an error"
    names = names.replace("*) exit 9", f"*caddy:2.11-alpine) echo {SERVICES['proxy']['image'].partition('@')[2]}")
    shutil.copy(ROOT / "Dockerfile", tmp_path)
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    assert run_script(tmp_path, names, "pin-images", "--check").returncode == 1
    assert (tmp_path / "Dockerfile").read_text() == (ROOT / "Dockerfile").read_text()
    done = run_script(tmp_path, names, "pin-images")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done
    for name, image in (("Dockerfile", base_image()), ("compose.yaml", SERVICES["redis"]["image"])):
        renewed = f"{image.partition('@')[0]}@sha256:{1 + (name == 'Dockerfile'):064d}"
        assert (tmp_path / name).read_text() == (ROOT / name).read_text().replace(image, renewed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Dockerfile", "bin", "compose.yaml", "scripts"]
    assert run_script(tmp_path, names, "pin-images", "--check").returncode == 0
    assert run_script(tmp_path, "echo no digest", "pin-images").returncode == 1
    assert run_script(tmp_path, names, "pin-images", "--chekc").returncode == 2


def test_images_have_a_bill_of_materials(tmp_path: Path) -> None:
    """scripts/image attaches an SBOM and provenance, and the labels name the commit."""
    shows = 'printf "%s\\n" "$@"'
    usage = run_script(tmp_path, shows, "image")
    assert usage.returncode == 2 and usage.stderr.startswith("Build the image") and "containerd" in usage.stderr
    assert usage.stderr.rstrip().endswith("docker buildx create --use)."), (
        "comments in the script are not part of the usage"
    )
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "gc.auto=0"]
    when = {**os.environ, "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+02:00"}
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All of it"]):
        subprocess.run([*git, *command], check=True, env=when)
    revision = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    result = run_script(tmp_path, shows, "image", "--tag", "r/doit-mcp", "--push").stdout.splitlines()
    assert result[:2] == ["buildx", "build"] and {"--sbom=true", "--provenance=mode=max"} <= set(result)
    assert f"REVISION={revision}" in result and "CREATED=2026-01-02T01:04:05Z" in result
    assert result[-4:] == ["--tag", "r/doit-mcp", "--push", "."]
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert f"REVISION={revision}-modified" in run_script(tmp_path, shows, "image", "--push").stdout.splitlines()


def test_image_is_small_and_not_root() -> None:
    assert re.match(r"python:3\.\d+-slim\b", base_image())
    assert instructions()[-1] == ("CMD", '["serve"]')
    uid, _, gid = of("USER")[-1].partition(":")
    assert uid.isdigit() and gid.isdigit() and int(uid) > 0
    last_stage = instructions()[[name for name, _ in instructions()].index("FROM", 2) :]
    assert [value.split()[0] for name, value in last_stage if name == "COPY"] == ["--from=build"]


def test_only_installed_files_are_in_the_image() -> None:
    patterns = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = {word for value in of("COPY") if "--from" not in value for word in value.split()[:-1]}
    assert copied == set(patterns) and all((ROOT / name).exists() for name in patterns)
    assert not [
        name
        for name in ("tests", ".git", ".venv", "docs", "examples")
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
    ]


def test_image_excludes_the_sandbox_and_runs_without_it(tmp_path: Path) -> None:
    """The package is copied as .dockerignore filters it."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] not in "#!*"]
    assert ignored == ["doit_mcp/sandbox"]
    shutil.copytree(ROOT / "doit_mcp", tmp_path / "doit_mcp", ignore=shutil.ignore_patterns("sandbox", "__pycache__"))

    # Without `site`, which would find the checkout that is installed in editable mode.
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{sysconfig.get_path('purelib')}", "PATH": "/usr/bin:/bin"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-m", "doit_mcp", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("serve", "--help").returncode == 0
    refused = run("serve")
    assert refused.returncode == 2 and "MCP_TOKEN_EXCHANGE_SECRET" in refused.stderr
    refused = run("sandbox")
    assert refused.returncode == 2 and "sandbox is not part of this installation" in refused.stderr
    imported = "import doit_mcp.transports.http.app, sys; assert doit_mcp.__file__.startswith(sys.argv[1])"
    subprocess.run([sys.executable, "-S", "-c", imported, str(tmp_path)], env=environment, cwd=tmp_path, check=True)


def test_image_command_exists() -> None:
    (program,), (command,) = (json.loads(of(name)[0]) for name in ("ENTRYPOINT", "CMD"))
    setup = (ROOT / "setup.cfg").read_text()
    assert f"{program} = doit_mcp.cli:main" in setup and "redis >=" in setup
    done = subprocess.run(
        [sys.executable, "-m", "doit_mcp", command, "--help"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0 and "in production" in done.stdout


async def test_health_check_works() -> None:
    """The health check works inside the container, where the server is addressed by IP."""
    (check,) = of("HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert command[0] == "python"
    async with serving() as site:
        for port, expected in ((site.base.rpartition(":")[2], 0), ("1", 1)):
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command[1:], env={"DOIT_MCP_PORT": port}, stderr=asyncio.subprocess.DEVNULL
            )
            assert await process.wait() == expected


@pytest.mark.requirement("G3")
def test_proxy_routes_to_both_replicas_and_hides_operator_endpoints() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text()
    for name in REPLICAS:
        assert f"{name}:8080" in text and SERVICES["proxy"]["depends_on"][name]["condition"] == "service_healthy"
    assert "path /metrics /readyz /events/ingest\n" in text and "health_uri /readyz" in text
    (seconds,) = re.findall(r"keepalive (\d+)s", text)
    assert int(seconds) < Settings().keep_alive_timeout_s
    (most,) = re.findall(r"max_size (\d+)MiB", text)
    assert int(most) << 20 == Settings().max_body
    assert "./deploy/Caddyfile:/etc/caddy/Caddyfile:ro" in SERVICES["proxy"]["volumes"]
    # Docker kills a container after ten seconds. Without flush_interval, the proxy notices clients that disconnect.
    (grace,) = re.findall(r"grace_period (\d+)s", text)
    assert int(grace) < 10 and not re.search(r"^\s*flush_interval", text, re.M)
    # Earlier versions do not resend a request body.
    (version,) = re.findall(r"caddy:(\d+)\.(\d+)-alpine@", SERVICES["proxy"]["image"])
    assert tuple(map(int, version)) >= (2, 11)


def test_every_image_package_is_pinned_by_hash() -> None:
    """The pins satisfy the requirements in setup.cfg, for the server and the extras in the image."""
    text = (ROOT / "deploy" / "requirements.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pins = {}
    for line in lines:
        requirement, *hashes = line.split("--hash=")
        name, _, version = requirement.strip().partition("==")
        pins[name] = version.partition(";")[0].strip()
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64} *", digest) for digest in hashes), name
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = (config["options.extras_require"][extra] for extra in ("redis", "otel"))
    requirements = [config["options"]["install_requires"], *extras]
    for line in "\n".join(requirements).splitlines():
        if line.strip() and not line.startswith("#"):
            installed = Requirement(line)
            assert pins[installed.name.lower()] in installed.specifier, line
