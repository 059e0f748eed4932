"""The starter repository's CI: read as data, and its shell steps played with programs that note what they get."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from reconciler.cli.init import make_repository
from tests.load.test_git import git

GITHUB = ".github/workflows/reconcile.yaml"
GITLAB = ".gitlab-ci.yml"
FORGEJO = ".forgejo/workflows/reconcile.yaml"
PROGRAMS = {
    "ssh-agent": '[ "$1" != -k ] || echo "ssh-agent -k" >> "$NOTED"',
    "ssh-add": 'echo "ssh-add $(cat "${2:--}")" >> "$NOTED"',
    "gh": 'echo "gh $*" >> "$NOTED"; case "$*" in *--jq*) echo "$COMMENTS" ;; esac',
    "reconcile": 'echo "reconcile $*" >> "$NOTED"; echo "# what it says"; exit "$STATUS"',
    "apt-get": "exit 0",
    "python": f'exec {sys.executable} "$@"',
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    make_repository(tmp_path / "fleet")
    return tmp_path / "fleet"


@pytest.fixture
def github(repository: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((repository / GITHUB).read_text()))


@pytest.fixture
def gitlab(repository: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((repository / GITLAB).read_text()))


@pytest.fixture
def forgejo(repository: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((repository / FORGEJO).read_text()))


def step_of(job: dict[str, Any], name: str) -> str:
    (found,) = (step["run"] for step in job["steps"] if step.get("name") == name)
    return str(found)


def lines_of(job: dict[str, Any]) -> str:
    return "\n".join(line for part in job["script"] for line in (part if isinstance(part, list) else [part]))


class Played:
    """A script that was run with stand-ins for all programs it calls; `status` is what `reconcile` ends with."""

    def __init__(self, script: str, folder: Path, status: int = 0, **environment: str) -> None:
        bin_folder, self._noted = folder / "bin", folder / "noted"
        bin_folder.mkdir(exist_ok=True)
        for name, text in PROGRAMS.items():
            (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (bin_folder / name).chmod(0o755)
        self._noted.write_text("")
        given = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "NOTED": str(self._noted),
            "STATUS": str(status),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "GITHUB_OUTPUT": str(folder / "output"),
        }
        for name in ("summary", "output"):
            (folder / name).write_text("")
        ended = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], cwd=folder, env=given | environment, timeout=30, check=False
        )
        self.status = ended.returncode
        self.noted = self._noted.read_text().splitlines()
        self.summary, self.output = (folder / "summary").read_text(), (folder / "output").read_text()


def test_only_the_job_that_applies_has_the_key_that_applies(
    github: dict[str, Any], gitlab: dict[str, Any]
) -> None:
    jobs = github["jobs"]
    assert [name for name, job in jobs.items() if "RECONCILE_SSH_KEY" in str(job)] == ["apply"]
    assert [name for name, job in jobs.items() if "RECONCILE_PLAN_KEY" in str(job)] == ["review", "plan"]
    assert [name for name, job in gitlab.items() if "RECONCILE_SSH_KEY" in str(job)] == ["apply"]
    assert jobs["apply"]["environment"] == gitlab["apply"]["environment"] == "production"


def test_one_apply_at_a_time_and_never_cut_short(github: dict[str, Any], gitlab: dict[str, Any]) -> None:
    assert github["jobs"]["apply"]["concurrency"] == {"group": "reconcile-apply", "cancel-in-progress": False}
    assert gitlab["apply"]["resource_group"] == "reconcile-apply" and gitlab["apply"]["interruptible"] is False


def test_rights_are_least_and_others_code_is_pinned(github: dict[str, Any]) -> None:
    assert github["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in github["jobs"].items() if "permissions" in job}
    assert more == {"review": {"contents": "read", "pull-requests": "write"}}
    steps = [step for job in github["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", name) for name in used)
    scripts = [step["run"] for step in steps if "run" in step]
    assert not [script for script in scripts if "${{" in script], "what a pull request says would be run"


@pytest.mark.parametrize(("status", "ends"), [(0, 0), (2, 0), (1, 1), (7, 7)])
def test_a_review_says_the_plan_in_one_comment(
    github: dict[str, Any], tmp_path: Path, status: int, ends: int
) -> None:
    step = github["jobs"]["review"]["steps"][-1]["run"]
    given = {"SSH_KEY": "the plan's key", "PULL_REQUEST": "3", "GITHUB_REPOSITORY": "owner/fleet"}
    comments = "repos/owner/fleet/issues/3/comments"
    for there, renewed in (("", comments), ("7\n8", "--method PATCH repos/owner/fleet/issues/comments/8")):
        played = Played(step, tmp_path, status, COMMENTS=there, **given)
        assert played.status == ends
        assert played.noted[:2] == [
            "ssh-add the plan's key",
            "reconcile --no-color plan specs/ --format markdown --detailed-exitcode",
        ]
        assert played.noted[2].startswith(f"gh api {comments}?per_page=100 --paginate --jq ")
        assert played.noted[3] == f"gh api {renewed} --silent -F body=@comment.md"
        assert (tmp_path / "comment.md").read_text() == "<!-- reconcile plan -->\n# what it says\n"
        assert played.summary == "# what it says\n"
        assert played.noted[-1] == "ssh-agent -k"


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_a_review_on_github_renews_no_comment_of_others(github: dict[str, Any], tmp_path: Path) -> None:
    played = Played(github["jobs"]["review"]["steps"][-1]["run"], tmp_path, PULL_REQUEST="3", SSH_KEY="k")
    asked = played.noted[2].partition(" --jq ")[2]
    mark, bot = "<!-- reconcile plan -->", "github-actions[bot]"
    there = [
        {"id": 1, "user": {"login": "eve"}, "body": f"{mark}\nall is well"},
        {"id": 2, "user": {"login": bot}, "body": f"{mark}\nof ours"},
        {"id": 3, "user": {"login": bot}, "body": "of another workflow"},
    ]
    told = subprocess.run(["jq", asked], input=json.dumps(there), text=True, check=True, capture_output=True)
    assert told.stdout == "2\n"


@pytest.mark.parametrize(
    ("status", "ends", "output"), [(0, 0, "changes=no\n"), (2, 0, "changes=yes\n"), (1, 1, ""), (4, 4, "")]
)
def test_what_is_planned_on_main_is_what_is_applied(
    github: dict[str, Any], tmp_path: Path, status: int, ends: int, output: str
) -> None:
    jobs = github["jobs"]
    (step,) = (step for step in jobs["plan"]["steps"] if step.get("id") == "plan")
    planned = Played(step["run"], tmp_path, status, SSH_KEY="k")
    assert (planned.status, planned.output) == (ends, output)
    assert "--out plan.json" in planned.noted[1]
    kept = next(step for step in jobs["plan"]["steps"] if "upload-artifact" in step.get("uses", ""))
    got = next(step for step in jobs["apply"]["steps"] if "download-artifact" in step.get("uses", ""))
    assert kept["with"]["name"] == got["with"]["name"] and kept["with"]["path"] == "plan.json"
    applied = Played(jobs["apply"]["steps"][-1]["run"], tmp_path, status, SSH_KEY="k")
    assert applied.status == status
    assert applied.noted[1] == "reconcile --no-color apply plan.json --specs specs/ --yes --require-commit"


@pytest.mark.parametrize(("status", "ends"), [(0, 0), (2, 0), (1, 1)])
def test_gitlab_plans_and_applies_the_same_file(
    gitlab: dict[str, Any], tmp_path: Path, status: int, ends: int
) -> None:
    keys = {name: str(tmp_path / name) for name in ("RECONCILE_PLAN_KEY", "RECONCILE_SSH_KEY")}
    for name, path in keys.items():
        Path(path).write_text(name)
    planned = Played(lines_of(gitlab["plan"]), tmp_path, status, **keys)
    assert planned.status == ends and "ssh-add RECONCILE_PLAN_KEY" in planned.noted
    assert "plan.json" in gitlab["plan"]["artifacts"]["paths"] and gitlab["apply"]["needs"] == ["plan"]
    applied = Played(lines_of(gitlab["apply"]), tmp_path, 0, **keys)
    assert applied.noted == [
        "ssh-add RECONCILE_SSH_KEY",
        "reconcile --no-color apply plan.json --specs specs/ --yes --require-commit",
    ]


def test_forgejo_applies_what_it_has_saved_and_only_there_with_the_key_that_applies(
    forgejo: dict[str, Any], tmp_path: Path
) -> None:
    jobs = forgejo["jobs"]
    assert [name for name, job in jobs.items() if "RECONCILE_SSH_KEY" in str(job)] == ["apply"]
    assert jobs["apply"]["concurrency"] == {"group": "reconcile-apply", "cancel-in-progress": False}
    assert not [step for job in jobs.values() for step in job["steps"] if "uses" in step], "no code of others"
    for status, ends, last in ((0, 0, "plan"), (2, 2, "apply"), (4, 4, "plan")):
        played = Played(step_of(jobs["apply"], "Apply"), tmp_path, status, SSH_KEY="k")
        assert played.status == ends and played.noted[0] == "ssh-add k" and played.noted[-1] == "ssh-agent -k"
        assert played.noted[-2].startswith(f"reconcile --no-color {last}")
    assert played.noted[1] == "reconcile --no-color plan specs/ --out plan.json --detailed-exitcode"


@pytest.mark.parametrize(("status", "ends"), [(0, 0), (2, 0), (1, 1)])
def test_forgejo_plans_for_pull_requests_with_the_key_that_plans(
    forgejo: dict[str, Any], tmp_path: Path, status: int, ends: int
) -> None:
    played = Played(step_of(forgejo["jobs"]["review"], "Plan"), tmp_path, status, SSH_KEY="k")
    assert played.status == ends and (tmp_path / "plan.md").read_text() == "# what it says\n"
    assert "RECONCILE_PLAN_KEY" in str(forgejo["jobs"]["review"])


def test_forgejo_gets_the_very_commit(forgejo: dict[str, Any], tmp_path: Path) -> None:
    """Real: git, from a repository in a folder."""
    origin, job = tmp_path / "owner" / "fleet", tmp_path / "job"
    origin.mkdir(parents=True)
    job.mkdir()
    git(origin, "init", "-q", "-b", "main")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    for text in ("one", "two"):
        (origin / "specs").write_text(text)
        git(origin, "add", "specs")
        git(origin, "commit", "-q", "-m", text)
    first = git(origin, "rev-parse", "HEAD~1")
    given = {"GITHUB_SERVER_URL": f"file://{tmp_path}", "GITHUB_REPOSITORY": "owner/fleet", "GITHUB_SHA": first}
    played = Played(step_of(forgejo["jobs"]["apply"], "Checkout"), job, TOKEN="t", **given)
    assert played.status == 0 and (job / "specs").read_text() == "one" and git(job, "rev-parse", "HEAD") == first


ME, ACTIONS = 5, -2
"""Whose GitLab's token is; Forgejo's own user for workflows."""


@dataclass
class Forge:
    """A server that keeps comments. Real: HTTP. Made here: what it answers."""

    port: int
    said: list[dict[str, Any]] = field(default_factory=lambda: [{"id": 7, "body": "a person's"}])
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def changes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.asked if method != "GET"]


@contextmanager
def forge(header: str) -> Iterator[Forge]:
    """`header`: where it looks for a token."""

    class Answers(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "{}")
            there.asked.append((self.command, self.path.partition("?")[0]))
            there.tokens.add(self.headers[header])
            if self.command == "POST":
                there.said.append({"id": 8, "author": {"id": ME}, "user": {"id": ACTIONS}, **body})
            elif self.command != "GET":
                next(one for one in there.said if one["id"] == int(self.path.rpartition("/")[2])).update(body)
            self.send_response(200)
            self.end_headers()
            told = {"id": ME} if self.path.endswith("/user") else there.said
            self.wfile.write(json.dumps(told if self.command == "GET" else body).encode())

        do_GET = do_POST = do_PATCH = do_PUT = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        there = Forge(server.server_port)
        Thread(target=server.serve_forever, daemon=True).start()
        yield there
        server.shutdown()


def test_forgejo_keeps_one_comment_of_a_pull_request(forgejo: dict[str, Any], tmp_path: Path) -> None:
    comment = step_of(forgejo["jobs"]["review"], "Comment")
    issues = "/api/v1/repos/owner/fleet/issues"
    with forge("Authorization") as there:
        theirs = {"body": "<!-- reconcile plan -->\nall is well"}  # theirs to edit
        there.said = [{"id": 5, "user": None, **theirs}, {"id": 6, "user": {"id": 1}, **theirs}]
        there.said.append({"id": 7, "user": {"id": 1}, "body": "a person's"})
        given = {
            "GITHUB_SERVER_URL": f"http://127.0.0.1:{there.port}",
            "GITHUB_REPOSITORY": "owner/fleet",
            "PULL_REQUEST": "3",
            "TOKEN": "t",
        }
        assert Played(comment, tmp_path, **given).status == 0 and there.asked == [], "no plan, nothing to say"
        for text in ("first", "second"):
            (tmp_path / "plan.md").write_text(text)
            assert Played(comment, tmp_path, **given).status == 0
    bodies = {one["id"]: one["body"] for one in there.said}
    well = "<!-- reconcile plan -->\nall is well"
    assert bodies == {5: well, 6: well, 7: "a person's", 8: "<!-- reconcile plan -->\nsecond"}
    assert there.changes() == [("POST", f"{issues}/3/comments"), ("PATCH", f"{issues}/comments/8")]
    assert there.tokens == {"token t"}


def test_gitlab_keeps_one_note_of_a_merge_request(gitlab: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    notes = "/api/v4/projects/5/merge_requests/3/notes"
    with forge("PRIVATE-TOKEN") as there:
        there.said[0] |= {"author": {"id": 1}, "body": "<!-- reconcile plan -->\nall is well"}  # theirs to edit
        given = {
            "CI_API_V4_URL": f"http://127.0.0.1:{there.port}/api/v4",
            "CI_PROJECT_ID": "5",
            "RECONCILE_PLAN_KEY": str(tmp_path / "key"),
        }
        merge_request, token = {"CI_MERGE_REQUEST_IID": "3"}, {"RECONCILE_COMMENT_TOKEN": "t"}
        for more in ({}, merge_request, token):
            assert Played(lines_of(gitlab["plan"]), tmp_path, 2, **given, **more).status == 0 and there.asked == []
        for status, ends in ((2, 0), (1, 1)):  # also what is refused is said
            played = Played(lines_of(gitlab["plan"]), tmp_path, status, **given, **merge_request, **token)
            assert played.status == ends
    assert [one["body"] for one in there.said] == [
        "<!-- reconcile plan -->\nall is well",
        "<!-- reconcile plan -->\n# what it says\n",
    ]
    assert there.changes() == [("POST", notes), ("PUT", f"{notes}/8")] and there.tokens == {"t"}
