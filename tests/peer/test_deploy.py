"""The files in deploy/ against what the programs say that are to take them: the published
schemas of Kubernetes, the models of the AWS APIs, CloudFormation's schemas, the actions and
conditions of IAM, Compose, systemd. A program that is not there fails its test.
tests/it/deploy.rs compares the files with cw-publisher itself."""

import copy
import json
import pathlib
import shutil
import subprocess

import botocore.session
import botocore.validate
import cfnlint.api
import kubernetes_validate
import parliament
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

# Version 1, Debian's, is a program of its own; version 2 is a part of docker.
COMPOSE = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]

# The first with sidecars that are on by default, and the newest that the package has.
KUBERNETES = ["1.29", kubernetes_validate.latest_version()]


def manifests():
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield pytest.param(document, id=f"{path.stem}-{document['kind']}")


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("manifest", list(manifests()))
def test_kubernetes_takes_the_manifest(manifest, version):
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_refuses_a_misspelt_field(version):
    (manifest,) = [one.values[0] for one in manifests() if one.values[0]["kind"] == "Deployment"]
    misspelt = copy.deepcopy(manifest)
    misspelt["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(misspelt, version, strict=True)


@pytest.mark.parametrize(
    "service, operation, file",
    [
        ("ecs", "RegisterTaskDefinition", "sidecar.json"),
        ("ecs", "RegisterTaskDefinition", "scheduled-once.json"),
        ("scheduler", "CreateSchedule", "schedule.json"),
    ],
)
def test_aws_takes_the_request(service, operation, file):
    model = botocore.session.get_session().get_service_model(service)
    request = json.loads((DEPLOY / "ecs" / file).read_text())
    report = botocore.validate.ParamValidator().validate(request, model.operation_model(operation).input_shape)
    assert not report.has_errors(), report.generate_report()


def test_cloudformation_takes_the_template():
    assert cfnlint.api.lint_file(DEPLOY / "cloudformation.yaml") == []


def test_iam_knows_the_action_and_the_condition_of_the_policy():
    """That of the template is the same, says tests/it/deploy/cloudformation.rs."""
    policy = (ROOT / "iam-policy.json").read_text()
    assert parliament.analyze_policy_string(policy).findings == []
    misspelt = parliament.analyze_policy_string(policy.replace("cloudwatch:namespace", "cloudwatch:name"))
    assert [finding.issue for finding in misspelt.findings] == ["UNKNOWN_CONDITION_FOR_ACTION"]


def test_compose_takes_the_file(tmp_path):
    text = (DEPLOY / "docker-compose.yaml").read_text()
    misspelt = tmp_path / "docker-compose.yaml"
    misspelt.write_text(text.replace("stop_grace_period", "stop_grace"))
    for path, accepted in [(DEPLOY / "docker-compose.yaml", True), (misspelt, False)]:
        words = [*COMPOSE, "--file", str(path), "config", "--quiet"]
        done = subprocess.run(words, capture_output=True, text=True)
        assert (done.returncode == 0) == accepted, done.stderr


def test_systemd_takes_the_unit(tmp_path):
    """With a program that is there, for systemd looks whether it is."""
    unit = (DEPLOY / "systemd/cw-publisher.service").read_text()
    program = "/usr/local/bin/cw-publisher"
    assert f"ExecStart={program}\n" in unit
    path = tmp_path / "cw-publisher.service"
    path.write_text(unit.replace(f"ExecStart={program}\n", "ExecStart=/bin/true\n"))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True)
    # What it does not know it ignores, with a line on standard error.
    assert (done.returncode, done.stderr) == (0, "")
