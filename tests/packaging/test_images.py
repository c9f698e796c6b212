"""The images and the plist, as far as they can be looked at without a builder or a Mac."""

import plistlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "packaging" / "docker" / "Dockerfile"
COMPOSE = ROOT / "packaging" / "docker" / "compose.yaml"
PLIST = ROOT / "packaging" / "launchd" / "org.ffmesh.agent.plist"


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: each with what follows it, continued lines joined."""
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def stages() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for word, rest in instructions():
        if word == "FROM":
            found[rest.rpartition(" AS ")[2]] = []
        else:
            found[list(found)[-1]].append((word, rest))
    return found


def test_what_is_copied_into_an_image_is_there_and_is_sent_to_the_builder() -> None:
    wanted = {name for word, rest in stages()["source"] if word == "COPY" for name in rest.split()[:-1]}
    assert wanted == {name for name in wanted if (ROOT / name).exists()}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert wanted == sent


def test_every_package_of_the_wheel_is_in_an_image() -> None:
    import tomllib

    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {rest.split()[0] for word, rest in stages()["source"] if word == "COPY"}
    assert {package.split("/")[0] for package in wheel["packages"]} <= copied


@pytest.mark.parametrize("stage", ["agent", "coordinator"])
def test_an_image_runs_as_nobody_special_and_says_how_it_is(stage: str) -> None:
    said = dict(stages()[stage])
    assert said["USER"].isdecimal()
    assert said["USER"] != "0"
    assert "HEALTHCHECK" in said
    assert f'"ffmesh-{stage}", "--config", "/var/lib/ffmesh/{stage}.toml"' in said["CMD"]


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not here")
def test_the_dockerfile_has_nothing_that_hadolint_minds() -> None:
    done = subprocess.run(["hadolint", DOCKERFILE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_services_of_compose_are_the_stages_of_the_dockerfile() -> None:
    yaml: Any = pytest.importorskip("yaml", reason="no package that reads YAML is here")
    compose = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    for name, service in compose["services"].items():
        build = service["build"]
        assert build["target"] == name
        assert name in stages()
        assert (COMPOSE.parent / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
        homes = [volume.split(":") for volume in service["volumes"] if volume.endswith(":/var/lib/ffmesh")]
        assert [home[0] for home in homes] == [name]
        assert name in compose["volumes"]


def test_the_plist_starts_the_agent_and_names_its_two_places_alone() -> None:
    plist = plistlib.loads(PLIST.read_bytes())
    assert plist["Label"] == PLIST.stem
    program, *words = plist["ProgramArguments"]
    assert program.endswith("/ffmesh-agent")
    assert words == ["--config", "HOME-FOLDER/ffmesh/agent.toml"]
    assert plist["KeepAlive"] == {"SuccessfulExit": False}
    page = (ROOT / "docs" / "install" / "macos.md").read_text(encoding="utf-8")
    assert "s|HOME-FOLDER|$HOME|" in page, "whoever installs it fills them in"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_file_that_a_page_of_installing_names_is_there() -> None:
    for page in (ROOT / "docs" / "install").glob("*.md"):
        named = re.findall(r"packaging/[\w./-]+\w", page.read_text(encoding="utf-8"))
        assert [name for name in named if not (ROOT / name).exists()] == [], page.name
