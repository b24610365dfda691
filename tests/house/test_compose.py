"""The Compose file and the image, as far as they can be judged without a container engine: shape, references, secrets,
and the settings themselves, tried on the real Kafka and Alertmanager where those are found.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from models.policy_file import parse_policy
from streams.settings import PREFIX, Settings
from tests.house.tree import PACKAGES, ROOT
from tests.peers.found import missing
from tests.peers.kafka import apache_kafka

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"migrate"}

# What this file uses of the Compose specification; an unknown key is a typo.
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "restart"],
    "properties": {
        "image": {"type": "string", "pattern": r"^[a-z/]+:(?!latest$)[\w.]+$"},
        "build": {"const": "."},
        "restart": {"enum": ["no", "unless-stopped"]},
        "command": {"type": "array", "items": {"type": "string"}},
        "environment": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^(\./)?[\w/]+:/[\w/]+(:ro)?$"}},
        "secrets": {"type": "array", "items": {"type": "string"}},
        "stop_grace_period": {"type": "string", "pattern": r"^\d+s$"},
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "test": {"type": "array", "prefixItems": [{"const": "CMD"}], "items": {"type": "string"}},
                "disable": {"const": True},
                "interval": {"type": "string", "pattern": r"^\d+s$"},
                "timeout": {"type": "string", "pattern": r"^\d+s$"},
                "start_period": {"type": "string", "pattern": r"^\d+s$"},
                "retries": {"type": "integer", "minimum": 1},
            },
        },
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {"condition": {"enum": ["service_healthy", "service_completed_successfully"]}},
            },
        },
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "services", "volumes", "secrets"],
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"const": "tocsin"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
        "secrets": {
            "type": "object",
            "additionalProperties": {"required": ["environment"], "properties": {"environment": {"type": "string"}}},
        },
    },
}


def test_it_has_the_shape_of_a_compose_file() -> None:
    jsonschema.validate(COMPOSE, SCHEMA)
    assert set(SERVICES) == {"kafka", "postgres", "migrate", "web", "worker", "alertmanager", "prometheus"}


def test_what_a_service_waits_for_can_come_true() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            once = wait["condition"] == "service_completed_successfully"
            assert (other in ONE_SHOT) == once, f"{name} waits for {other}"
            assert SERVICES[other].get("healthcheck", {}).get("disable", False) == once, f"{name} waits for {other}"


def test_what_runs_once_waits_for_all_that_it_needs() -> None:
    """It is not started again: a migration that finds no Kafka would leave web and worker waiting for ever."""
    for name in ONE_SHOT:
        assert set(SERVICES[name]["depends_on"]) == {"kafka", "postgres"}


def test_every_volume_and_secret_is_there() -> None:
    for service in SERVICES.values():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (ROOT / source).is_dir() if source.startswith("./") else source in COMPOSE["volumes"]


def test_no_secret_is_written_down_and_every_needed_one_is_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    offered = set(re.findall(r"^(?:# )?(\w+)=", (ROOT / "deploy" / "compose.env.example").read_text(), re.MULTILINE))
    passed_on = {name for name, value in COMPOSE["x-tocsin"]["environment"].items() if value is None}
    assert set(re.findall(r"\$\{(\w+):\?", text)) <= offered
    assert passed_on <= offered
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|SECRET|ROUTING_KEY|DATABASE_URL", name):
                assert value is None or "${" in value, f"{name} is written down"


def test_every_setting_and_routing_key_reaches_the_containers() -> None:
    """But for the two that are the image's own."""
    image = (ROOT / "Dockerfile").read_text()
    own = {name for name in ("TOCSIN_DATA_DIR", "TOCSIN_WEB_BIND") if f"{name}=" in image}
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    keys = {
        key
        for path in (ROOT / "models" / "policies").glob("*.yaml")
        for chain in parse_policy(path.read_text(), path.name).chains.values()
        for key in chain.routing_keys
    }
    assert set(COMPOSE["x-tocsin"]["environment"]) == (settings | keys) - own


def test_the_tests_run_the_kafka_that_is_deployed() -> None:
    pom = ET.parse(ROOT / ".ci" / "pom.xml").getroot()
    name = "{http://maven.apache.org/POM/4.0.0}"
    versions = {
        dependency.findtext(f"{name}artifactId"): dependency.findtext(f"{name}version")
        for dependency in pom.iter(f"{name}dependency")
    }
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{versions['kafka_2.13']}"


def test_a_real_kafka_takes_its_settings(tmp_path: Path) -> None:
    environment = SERVICES["kafka"]["environment"]
    settings = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }
    with apache_kafka(tmp_path, settings, environment["CLUSTER_ID"]) as bootstrap:
        assert bootstrap.startswith("127.0.0.1:")


def test_alertmanager_takes_its_settings() -> None:
    if shutil.which("amtool") is None:
        missing("alertmanager", "apt-get install prometheus-alertmanager")
    config = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
    checked = subprocess.run(["amtool", "check-config", str(config)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_takes_its_rules() -> None:
    if shutil.which("promtool") is None:
        missing("prometheus", "apt-get install prometheus")
    rules = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    checked = subprocess.run(
        ["promtool", "check", "rules", *map(str, rules)], capture_output=True, text=True, timeout=30
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_compose_itself_takes_the_file() -> None:
    command = ["docker", "compose", "--env-file", "deploy/compose.env.example", "config", "--quiet"]
    if shutil.which("docker") is None or subprocess.run([*command[:2], "version"], capture_output=True).returncode:
        missing("compose", "install Docker with its Compose plugin")
    needed = {"POSTGRES_PASSWORD": "x", "ALERTMANAGER_TOKEN": "x", "TOCSIN_API_TOKEN": "x", "PATH": "/usr/bin:/bin"}
    taken = subprocess.run(command, cwd=ROOT, env=needed, capture_output=True, text=True, timeout=60)
    assert taken.returncode == 0, taken.stderr


def test_the_image_is_given_what_it_copies() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {
        source
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
        for source in sources.split()
    }
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(PACKAGES) <= copied
    assert copied == set(let_through)
    assert all((ROOT / source).exists() for source in copied)
