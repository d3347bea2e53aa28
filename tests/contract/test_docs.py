"""The documents name files and functions; each must be there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FOLDERS = "accounts|bench|broker|catalog|deploy|docs|notifications|ott|static|templates|tests"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./-]*)`((?: \((?:`[\w.]+`(?:, )?)+\))?)")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def _names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_and_function_that_a_document_names_exists(document: Path) -> None:
    missing = []
    for name, functions in PATH.findall(document.read_text()):
        path = ROOT / name
        if not path.exists():
            missing.append(name)
        elif path.suffix == ".py":
            wanted = set(re.findall(r"`(\w+)`", functions))
            missing += [f"{name}: {function}" for function in wanted - _names_in(path)]
    assert not missing, f"{document.name} names what is not there: {missing}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    broken = [link for link in LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert not broken, f"{document.name} links to what is not there: {broken}"


def test_the_flow_names_functions_where_they_are() -> None:
    rows = re.findall(r"^\| \d+ \| .* \| (.+?) \| (`.+`) \|$", (ROOT / "docs/flow.md").read_text(), re.MULTILINE)
    assert len(rows) == 14
    for functions, files in rows:
        paths = [ROOT / name for name in re.findall(r"`([\w./]+)`", files)]
        source = "\n".join(path.read_text() for path in paths)
        for function in re.findall(r"`(?:\w+\.)?(\w+)`", functions):
            assert re.search(rf"(def|function) {function}\b", source), f"{function} is not in {files}"


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.parametrize("name", ["guarantees.md", "ordering-and-duplicates.md"])
def test_every_test_that_a_document_promises_exists(name: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / name).read_text()))
    defined = {name for path in (ROOT / "tests").rglob("test_*.py") for name in _names_in(path)}
    assert named
    assert named <= defined, f"not to be found: {sorted(named - defined)}"


SECTIONS = ("2", "3", "4", "5", "6", "7", "8")


def test_the_concepts_cover_every_section_and_question_and_each_row_can_be_seen() -> None:
    text = (ROOT / "docs/concepts.md").read_text()
    for section in SECTIONS:
        assert f"(section {section})\n" in text, f"no heading for section {section}"
    asked = {
        int(number) for numbers in re.findall(r"[Qq]uestions? (\d)(?: to (\d))?", text) for number in numbers if number
    }
    assert asked >= set(range(1, 9))
    for row in re.findall(r"^\| .* \|$", text, re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert all(cells), f"an empty cell: {row}"
        if cells[-1] not in ("see it", "where it would go"):
            assert PATH.search(row) or "ott/settings.py" in row or "/metrics" in row or "DATABASE_URL" in row, row


def test_every_command_that_the_concepts_name_exists() -> None:
    text = (ROOT / "docs/concepts.md").read_text()
    commands = {path.stem for path in ROOT.glob("*/management/commands/*.py")}
    assert set(re.findall(r"manage\.py (\w+)", text)) <= commands
    for path in re.findall(r"`pytest ([\w./]+)`", text):
        assert (ROOT / path).exists(), path
