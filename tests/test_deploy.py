"""Deployment files: what can be checked of them without an engine to run them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from ecg_llm.cli.app import app

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
FOLDERS = ("ecg_llm", "encoders", "data_builders", "training", "serving", "app", "eval")


def instructions() -> list[tuple[str, str]]:
    """Give the Dockerfile's instructions, each on one line."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, _, rest in (x.partition(" ") for x in lines)]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Group them by target."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for word, rest in instructions():
        if word == "FROM":
            name = rest.split(" AS ")[1]
            found[name] = []
        found[name].append((word, rest))
    return found


def test_every_image_is_pinned_and_every_stage_named() -> None:
    names = set()
    for word, rest in instructions():
        if word == "FROM":
            image, name = rest.split(" AS ")
            assert image in names or re.fullmatch(r"[\w./-]+:\d[\w.-]+", image), image
            names.add(name)
    assert {"cpu", "cuda"} <= names


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_a_target_runs_as_nobody_and_ends_in_order(target: str) -> None:
    stage = dict(stages()[target])
    assert stage["USER"] == "10001:10001"
    words = [word for word, _ in stages()[target]]
    assert words.index("USER") > max(k for k, word in enumerate(words) if word == "RUN")
    for word in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(stage[word]), list)
    assert "HEALTHCHECK" in stage
    check_arguments(json.loads(stage["CMD"]))


def test_layers_keep_nothing_that_is_not_needed() -> None:
    for word, rest in instructions():
        assert word != "ADD"
        if word == "RUN" and "pip" in rest:
            assert "--no-cache-dir" in rest
        if word == "RUN" and "apt-get" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists" in rest
        if word == "ENV":
            assert not re.search(r"(KEY|SECRET|PASSWORD|TOKEN)", rest)


def test_the_build_sees_the_packages_and_nothing_else() -> None:
    copied = {rest.split()[0] for word, rest in instructions() if word == "COPY"}
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    for folder in FOLDERS:
        assert folder in copied
        assert f"!{folder}" in ignored


def test_hadolint_finds_nothing() -> None:
    own = Path(sys.executable).parent  # the environment may be used without being activated
    hadolint = shutil.which("hadolint", path=own) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def check_arguments(words: list[str]) -> None:
    """See that a command line of ours knows its options."""
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    context = command.make_context(words[0], [str(word) for word in words[1:]])
    assert not context.args


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def test_compose_is_closed_and_its_commands_are_known() -> None:
    (compose,) = documents("compose.yaml")
    services = compose["services"]
    assert set(services) == {"server", "app", "database"}
    assert compose["networks"]["inside"]["internal"] is True
    assert services["server"]["networks"] == ["inside"]
    assert "ports" not in services["server"] and "ports" not in services["database"]
    assert services["app"]["ports"] == ["127.0.0.1:7860:7860"]
    for name in ("server", "app"):
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["deploy"]["resources"]["limits"]["memory"]
    for service in services.values():
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert "no-new-privileges:true" in service["security_opt"]
        assert not re.search(r"latest", service["image"])
    check_arguments(services["server"]["command"])
    check_arguments(services["app"]["command"])
    assert services["server"]["build"]["target"] in stages()
    secrets = {one["file"] for one in compose["secrets"].values()}
    assert all(path.startswith("./secrets/") for path in secrets)
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text()


def test_kubernetes_is_restricted_and_drains() -> None:
    kinds = {one["kind"]: one for one in documents("kubernetes.yaml")}
    assert kinds["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == (
        "restricted"
    )
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    (server,) = pod["containers"]
    rights = server["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert server["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert server["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert server["resources"]["limits"]["memory"]
    from ecg_llm.serving.settings import Settings

    assert pod["terminationGracePeriodSeconds"] > Settings().drain_s + 5
    mounted = {mount["name"] for mount in server["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    check_arguments(server["args"])
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
        spec = kinds[kind]["spec"]
        selector = spec["selector"] if kind != "NetworkPolicy" else spec["podSelector"]
        assert selector.get("matchLabels", selector) == labels
    assert set(kinds["NetworkPolicy"]["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_the_gpu_patch_fits_the_deployment() -> None:
    (patch,) = documents("kubernetes-gpu.yaml")
    base = next(one for one in documents("kubernetes.yaml") if one["kind"] == "Deployment")
    (server,) = patch["spec"]["template"]["spec"]["containers"]
    assert server["name"] == base["spec"]["template"]["spec"]["containers"][0]["name"]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == 1
    check_arguments(server["args"])
