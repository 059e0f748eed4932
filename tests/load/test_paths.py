"""Files, folders, links and includes: what is read, what is refused, and that nothing vanishes in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.load import load, load_all
from tests.load.fleet import host, workload, write_fleet

POLICY = "---\napiVersion: reconciler/v1alpha1\nkind: MigrationPolicy\nmetadata: {name: keep}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder that looks like a git work tree, with one host and a policy in `specs`."""
    (tmp_path / ".git").mkdir()
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "hosts.yaml").write_text(host(0) + host(1) + POLICY)
    return tmp_path


def codes(*paths: Path, allow_empty: bool = False) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(paths, allow_empty=allow_empty)
    return [d.code for d in caught.value.diagnostics]


def test_folders_are_read_recursively_sorted_and_without_hidden_ones(repository: Path) -> None:
    specs = repository / "specs"
    for name in ("b/two.yml", "a/one.yaml", ".hidden/bad.yaml", "a/.swap.yaml", "notes.txt"):
        (specs / name).parent.mkdir(exist_ok=True)
        (specs / name).write_text("}")
    (specs / "a/one.yaml").write_text(workload(0))
    (specs / "b/two.yml").write_text(workload(1))
    loaded = load_all([specs])
    assert list(loaded.spec.workloads) == ["w0", "w1"]
    assert [Path(f).name for f in loaded.files] == ["one.yaml", "two.yml", "hosts.yaml"]


def test_a_file_given_twice_is_read_once(repository: Path) -> None:
    (repository / "specs/w.yaml").write_text(workload(0))
    assert len(load([repository / "specs", repository / "specs/w.yaml"]).workloads) == 1


def test_includes(repository: Path) -> None:
    (repository / "more").mkdir()
    (repository / "more/w1.yaml").write_text(workload(1))
    (repository / "w0.yaml").write_text(workload(0))
    (repository / "specs/all.yaml").write_text("include: [../w0.yaml, ../more]\n")
    assert set(load([repository / "specs"]).workloads) == {"w0", "w1"}


def test_include_cycle_names_the_way(repository: Path) -> None:
    (repository / "specs/a.yaml").write_text("include: [b.yaml]\n")
    (repository / "specs/b.yaml").write_text("include: [a.yaml]\n")
    with pytest.raises(InputError) as caught:
        load([repository / "specs"])
    (found,) = caught.value.diagnostics
    assert found.code == "E122"
    assert (Path(found.file).name, found.line, found.col) == ("b.yaml", 1, 11)
    assert "a.yaml -> " in found.message


def test_include_must_stay_inside_also_through_links(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "w.yaml"
    outside.write_text(workload(0))
    (repository / "specs/link.txt").symlink_to(outside)
    (repository / "specs/a.yaml").write_text(f"include: [link.txt]\n---\ninclude: [../{'../' * 20}{outside}]\n")
    assert codes(repository / "specs") == ["E121", "E121"]


def test_links_in_folders_must_stay_inside(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "w.yaml").write_text(workload(0))
    (repository / "specs/file.yaml").symlink_to(outside / "w.yaml")
    (repository / "specs/folder").symlink_to(outside)
    assert codes(repository / "specs") == ["E121", "E121"]


def test_links_inside_are_followed_and_circles_end(repository: Path) -> None:
    (repository / "shared").mkdir()
    (repository / "shared/w.yaml").write_text(workload(0))
    (repository / "specs/shared").symlink_to(repository / "shared")
    (repository / "specs/loop").symlink_to(repository / "specs")
    assert set(load([repository / "specs"]).workloads) == {"w0"}


def test_folder_that_vanished(repository: Path) -> None:
    assert codes(repository / "gone") == ["E101"]
    assert load([repository / "gone"], allow_empty=True).workloads == {}


def test_folder_without_files(tmp_path: Path) -> None:
    assert codes(tmp_path) == ["E123"]
    assert load([tmp_path], allow_empty=True).workloads == {}


def test_hosts_without_any_workload(repository: Path) -> None:
    assert codes(repository / "specs") == ["E123"]
    assert set(load([repository / "specs"], allow_empty=True).hosts) == {"h0", "h1"}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n---\n", "\ufeff"])
def test_empty_file(repository: Path, text: str) -> None:
    (repository / "specs/w.yaml").write_text(workload(0))
    (repository / "specs/empty.yaml").write_text(text)
    assert codes(repository / "specs") == ["E124"]
    assert set(load([repository / "specs"], allow_empty=True).workloads) == {"w0"}


def test_what_is_not_a_file_is_refused_without_waiting(repository: Path) -> None:
    os.mkfifo(repository / "specs/pipe.yaml")
    (repository / "specs/dangling.yaml").symlink_to("nowhere.yaml")
    assert codes(repository / "specs") == ["E101", "E101"]


def test_nothing_is_said_to_be_missing_when_a_file_cannot_be_read(repository: Path) -> None:
    (repository / "specs/w.yaml").write_text(workload(50))  # on a host of the file that is broken
    (repository / "specs/more-hosts.yaml").write_text("a: [\n")
    assert codes(repository / "specs") == ["E102"]


def test_origins(repository: Path) -> None:
    (repository / "specs/w.yaml").write_text("\n" + workload(0))
    spec = load([repository / "specs"])
    origin = spec.origin("Workload", "w0", "spec.placement.host")
    assert origin is not None
    assert (Path(origin.file).name, origin.line, origin.col) == ("w.yaml", 25, 5)
    whole = spec.origin("Workload", "w0")
    assert whole is not None
    assert whole.line == 3
    assert spec.origin("Workload", "w0", "spec.state") == whole


def test_windows_line_ends_and_byte_order_mark(repository: Path) -> None:
    text = "\ufeff" + workload(0).replace("h0", "nope").replace("\n", "\r\n")
    (repository / "specs/w.yaml").write_text(text, newline="")
    with pytest.raises(InputError) as caught:
        load([repository / "specs"])
    (found,) = caught.value.diagnostics
    assert (found.code, found.line, found.source_line) == ("E146", 24, "    host: nope")


def test_a_large_fleet_loads_quickly(tmp_path: Path) -> None:
    """1,000 workloads; `tests.load.fleet.bench_load` measures 10,000."""
    import time

    write_fleet(tmp_path, 1000)
    start = time.process_time()
    assert len(load([tmp_path]).workloads) == 1000
    assert time.process_time() - start < 3.0
