import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local import checks
from local.settings import ROOT, CannotRun, Settings
from local.terraform import (
    OLDEST,
    PROVIDER,
    Account,
    _platform,
    find,
    find_mirror,
    mirror_config,
    modules,
    prepared,
)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Path]:
    """A file system of its own; each place named gets the provider."""

    def make(*places: str, packed: bool = False) -> Path:
        for place in places:
            provider = tmp_path / place / PROVIDER
            if packed:
                provider.mkdir(parents=True)
                (provider / f"terraform-provider-aws_5.100.0_{_platform()}.zip").touch()
            else:
                (provider / "5.100.0" / _platform()).mkdir(parents=True)
        return tmp_path

    return make


def environment(root: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(root / "home"), **more}


@pytest.mark.parametrize("place", ["opt/plugins", "usr/share/mirror", "usr/local/share/anything"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_mirror_is_found_below_the_system_directories(
    machine: Callable[..., Path], place: str, packed: bool
) -> None:
    root = machine(place, packed=packed)
    assert find_mirror(environment(root), root) == root / place


def test_a_provider_for_another_kind_of_machine_is_no_mirror(tmp_path: Path) -> None:
    (tmp_path / "opt/plugins" / PROVIDER / "5.100.0" / "plan9_mips").mkdir(parents=True)
    assert find_mirror(environment(tmp_path), tmp_path) is None


def test_the_environment_variable_comes_first_and_must_be_right(machine: Callable[..., Path]) -> None:
    root = machine("opt/plugins", "elsewhere")
    asked = environment(root, POSTBUS_TERRAFORM_MIRROR=str(root / "elsewhere"))
    assert find_mirror(asked, root) == root / "elsewhere"
    with pytest.raises(CannotRun, match="POSTBUS_TERRAFORM_MIRROR"):
        find_mirror(environment(root, POSTBUS_TERRAFORM_MIRROR=str(root / "opt")), root)


def test_where_terraform_looks_unasked_nothing_needs_to_be_said(machine: Callable[..., Path]) -> None:
    root = machine("opt/plugins", "home/.terraform.d/plugins")
    assert find_mirror(environment(root), root) is None
    root = machine("usr/share/terraform/plugins")
    assert find_mirror(environment(root), root) is None


def test_the_users_own_configuration_is_left_alone(machine: Callable[..., Path]) -> None:
    root = machine("opt/plugins")
    (root / "home").mkdir()
    (root / "home/.terraformrc").touch()
    assert find_mirror(environment(root), root) is None


def test_a_configuration_file_that_is_named_and_exists_is_respected(tmp_path: Path) -> None:
    config = tmp_path / "mine.rc"
    config.touch()
    named = environment(tmp_path, TF_CLI_CONFIG_FILE=str(config))
    assert prepared(named, tmp_path / "stack")["TF_CLI_CONFIG_FILE"] == str(config)


def test_a_configuration_file_that_does_not_exist_is_ignored(tmp_path: Path) -> None:
    named = environment(tmp_path, TF_CLI_CONFIG_FILE=str(tmp_path / "absent.rc"))
    assert prepared(named, tmp_path / "stack").get("TF_CLI_CONFIG_FILE") != str(tmp_path / "absent.rc")


def test_a_mirror_serves_one_provider_and_the_registry_the_rest() -> None:
    config = mirror_config(Path("/somewhere/with space"))
    assert 'path    = "/somewhere/with space"' in config
    assert config.count(PROVIDER.as_posix()) == 2


def program(folder: Path, version: str) -> dict[str, str]:
    script = folder / "terraform"
    script.write_text(f"#!/bin/sh\necho '{json.dumps({'terraform_version': version})}'\n")
    script.chmod(0o755)
    return {"PATH": str(folder)}


def test_a_terraform_that_is_missing_or_old_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        CannotRun, match=r"1\.7\.1 or newer is needed and none was found.*\n.*developer\.hashicorp"
    ):
        find({"PATH": str(tmp_path)})
    for old in ("1.6.6", "1.7.0"):
        with pytest.raises(CannotRun, match=rf"1\.7\.1 or newer is needed; .*terraform is {re.escape(old)}"):
            find(program(tmp_path, old))
    assert find(program(tmp_path, "1.7.1")) == str(tmp_path / "terraform")
    assert find(program(tmp_path, "1.11.4")) == str(tmp_path / "terraform")
    assert find(program(tmp_path, "2.0.0")) == str(tmp_path / "terraform")


def test_the_oldest_terraform_is_the_same_wherever_it_is_named() -> None:
    oldest = ".".join(map(str, OLDEST))
    asked = {module / "versions.tf" for module in modules()}
    assert len(asked) > 20
    for file in asked:
        assert f'required_version = ">= {oldest}"' in file.read_text(), file
    for name in ("README.md", "Makefile"):
        assert f"Terraform {oldest} or newer" in (ROOT / name).read_text(), name


def test_no_real_account_is_in_reach_of_a_local_run() -> None:
    inherited = {"AWS_PROFILE": "payroll", "AWS_SESSION_TOKEN": "secret", "HOME": "/home/me"}
    seen = Settings(port=4600).client_environment(inherited)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & seen.keys()
    assert seen["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4600"
    assert seen["HOME"] == "/home/me"


@pytest.mark.parametrize("port", ["80", "99999", "many", "-1", "４５６６"])
def test_a_port_that_is_none_is_refused_by_name(port: str) -> None:
    with pytest.raises(CannotRun, match="POSTBUS_PORT"):
        Settings.from_environment({"POSTBUS_PORT": port})


def test_the_account_counts_what_is_planned_begun_and_done() -> None:
    account = Account()
    notes: list[str] = []

    def say(kind: str, **more: object) -> None:
        account.take(json.dumps({"type": kind, **more}), notes.append)

    def hook(action: str, address: str) -> dict[str, object]:
        return {"action": action, "resource": {"addr": address}}

    assert account.line() == "reading what there is"
    say("planned_change", change={"action": "create", "resource": {"addr": "a"}})
    say("planned_change", change={"action": "replace", "resource": {"addr": "b"}})
    say("planned_change", change={"action": "read", "resource": {"addr": "c"}})
    say("apply_start", hook=hook("create", "a"))
    say("apply_start", hook=hook("delete", "b"))
    assert account.line() == "0/3 b and 1 more"
    say("provision_progress", hook={"output": "package core: built"})
    say("provision_progress", hook={"output": "Executing: ..."})
    say("apply_complete", hook=hook("create", "a"))
    assert account.line() == "1/3 b"
    say("change_summary", changes={"operation": "apply", "add": 2, "change": 0, "remove": 1})
    say("diagnostic", diagnostic={"severity": "error", "summary": "no such queue", "address": "b"})
    assert account.summary == "2 added, 1 removed"
    assert account.errors == ["no such queue (b)"]
    assert notes == ["package core: built"]


def test_a_part_of_the_checks_that_there_is_not_is_named_and_nothing_is_run() -> None:
    with pytest.raises(CannotRun, match="one of terraform-root, terraform-modules, checkov, not rot"):
        checks.terraform("terraform-root", "rot")
