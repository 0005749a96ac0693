"""`make docs`: writes docs/reference/ from the code, then checks that every relative link of every page leads somewhere.

Runs in .venv, because the traits and errors it lists are imported.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # comes with jupyter_events, without stubs

import versatilehub
from versatilehub import errors
from versatilehub.eventlog import SCHEMAS
from versatilehub.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"


def main() -> None:
    """Write the pages; the exit code is 1 when a link leads nowhere."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    made = {"settings.md": settings_page(), "errors.md": errors_page(), "metrics.md": metrics_page()}
    for name, text in made.items():
        (REFERENCE / name).write_text(text, "utf-8")
        print(f"docs/reference/{name}")
    dead = [line for page in pages() for line in dead_links(page)]
    print("\n".join(dead) or f"every link of {len(pages())} pages leads somewhere")
    sys.exit(bool(dead))


def pages() -> list[Path]:
    """Every text a reader may open."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "services").rglob("*.md")])


def settings_page() -> str:
    """List every trait of ours with its type, default and help."""
    lines = [
        "# Settings",
        "",
        "Generated from the code by `make docs`. Set one as `c.<class>.<name> = …`.",
        "",
    ]
    for cls in configurables():
        own = {name: trait for name, trait in sorted(cls.class_traits(config=True).items()) if is_ours(trait)}
        if not own:
            continue
        lines += [f"## {cls.__name__}", "", inspect.getdoc(cls) or "", ""]
        for name, trait in own.items():
            lines += [
                f"### {cls.__name__}.{name}",
                "",
                f"{trait.info()}",
                "",
                inspect.cleandoc(trait.help),
                "",
            ]
    return "\n".join(lines).rstrip() + "\n"


def errors_page() -> str:
    """List every error class with its stable code and HTTP status."""
    lines = [
        "# Errors",
        "",
        "Generated from the code by `make docs`. Scripts match the code; texts may change.",
        "",
    ]
    lines += ["| code | status | class | meaning |", "|---|---|---|---|"]
    for name, cls in sorted(vars(errors).items(), key=lambda item: str(getattr(item[1], "code", ""))):
        if inspect.isclass(cls) and issubclass(cls, errors.VersatileHubError):
            meaning = " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split()).replace("|", "\\|")
            lines.append(f"| `{cls.code}` | {cls.status} | `{name}` | {meaning} |")
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """List every metric and every event schema."""
    lines = [
        "# Metrics and events",
        "",
        "Generated from the code by `make docs`. The metrics are among JupyterHub's own at `/hub/metrics`; labels are bounded: never a",
        "repository, a user or a server. The events go where JupyterHub's event log goes (`c.EventLogger.handlers`).",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.meaning} |"
        for one in METRICS
    ]
    for path in SCHEMAS:
        schema = yaml.safe_load(path.read_text("utf-8"))
        lines += [
            "",
            f"## {schema['title']}",
            "",
            f"`{schema['$id']}`, version {schema['version']}. {schema['description']}",
            "",
        ]
        lines += ["| field | meaning |", "|---|---|"]
        lines += [
            f"| `{name}` | {' '.join(field['description'].split())} |"
            for name, field in schema["properties"].items()
        ]
    return "\n".join(lines) + "\n"


def configurables() -> list[Any]:
    """Every class of ours with traits, by name."""
    found: dict[str, Any] = {}
    for module in pkgutil.walk_packages(versatilehub.__path__, "versatilehub."):
        if module.name.startswith("versatilehub.store.migrations."):  # only Alembic can run these
            continue
        for cls in vars(importlib.import_module(module.name)).values():
            if (
                inspect.isclass(cls)
                and cls.__module__.startswith("versatilehub.")
                and hasattr(cls, "class_traits")
            ):
                found[cls.__qualname__] = cls
    return [found[name] for name in sorted(found)]


def is_ours(trait: Any) -> bool:
    """Tell whether *trait* was declared by us and not by JupyterHub or DockerSpawner."""
    return str(getattr(trait.this_class, "__module__", "")).startswith("versatilehub.")


def dead_links(page: Path) -> list[str]:
    """Return a line for each relative link of *page* whose target is no file."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    paths = {target.partition("#")[0] for target in targets} - {""}
    return [
        f"{page.relative_to(ROOT)}: no {path}" for path in sorted(paths) if not (page.parent / path).exists()
    ]


if __name__ == "__main__":
    main()
