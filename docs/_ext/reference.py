"""Pages of the reference that are written from the code: commands, settings, metrics, Python and references."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from bibtex import bibtex_pages
from markup import anchor, cell, columns, first_paragraph, markdown, toctree
from metrics import metrics_pages
from python_calls import FUNCTIONS, call_of, call_of_example, minimal_yaml
from python_reference import python_pages
from settings_reference import settings_pages, title

import flatforce
from flatforce.cli import app as cli
from flatforce.cli.command_lines import COMMAND_LINES
from flatforce.cli.settings import SETTINGS, config_class

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = "reference/generated"


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for sources.

    Parameters
    ----------
    app
        The application.

    Returns
    -------
    What Sphinx wants to know of an extension.
    """
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Sphinx) -> None:
    """Write all generated pages, each only if its content is new."""
    folder = Path(app.srcdir) / FOLDER
    pages = command_pages() | settings_pages() | python_pages() | bibtex_pages() | metrics_pages()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.rglob("*.md"):
        if str(path.relative_to(folder).with_suffix("")) not in pages:
            path.unlink()


def commands() -> dict[str, Any]:
    """List the commands.

    Returns
    -------
    Name as it is typed → click command, in the order of `flatforce --help`.
    """
    found: dict[str, Any] = {}
    root = typer.main.get_command(cli)
    context = typer.Context(root, info_name="flatforce")
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        members = getattr(command, "commands", None)
        if members is None:
            found[name] = command
        else:
            found |= {f"{name} {member}": one for member, one in members.items()}
    return found


def command_pages() -> dict[str, str]:
    """Write one page for each group of commands.

    Returns
    -------
    Name of the page → text in MyST Markdown.
    """
    groups: dict[str, list[str]] = {}
    for name, command in commands().items():
        group = name.split()[0] if " " in name else name
        groups.setdefault(group, []).append(_command_text(name, command))
    pages = {
        f"commands/{group}": f"# flatforce {group}\n\n" + "\n".join(texts) for group, texts in groups.items()
    }
    rows = [
        f"| [`flatforce {name}`](commands/{name.split()[0]}.md#{anchor(name)}) | {first_paragraph(command.help)} |"
        for name, command in commands().items()
    ]
    contents = toctree(f"commands/{group}" for group in groups)
    pages["commands"] = "\n".join(["# Commands", "", "| command | does |", "|---|---|", *rows, "", contents])
    return pages


def _command_text(name: str, command: Any) -> str:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    usage = " ".join([f"flatforce {name}", *(_usage(argument) for argument in arguments), "[OPTIONS]"])
    lines = [
        f"({anchor(name)})=",
        f"## flatforce {name}",
        "",
        markdown(command.help),
        "",
        "```text",
        usage,
        "```",
        "",
        *_examples(name),
    ]
    if arguments:
        lines += ["| argument | meaning |", "|---|---|"]
        lines += [f"| `{argument.name}` | {cell(argument.help)} |" for argument in arguments] + [""]
    lines += ["| option | meaning | default |", "|---|---|---|"]
    lines += [
        f"| {_opts(option)} | {cell(option.help)} | {_default(option)} |"
        for option in options
        if option.name != "help"
    ]
    return "\n".join([*lines, ""])


def _examples(name: str) -> list[str]:
    """Command lines and the smallest YAML file, with the same in Python beside them where a function does the same."""
    lines = ["```sh", *(f"flatforce {example}" for example in COMMAND_LINES[name]), "```"]
    same = f"the same in Python, with {_function_link(name)}" if name in FUNCTIONS else ""
    if name in SETTINGS:
        kind = config_class(name)
        keys = f"Keys of the YAML file: [{title(kind)}](../settings/{kind.__name__}.md). The smallest one"
        yaml = ["```yaml", minimal_yaml(name), "```"]
        calls = ["```python", call_of_example(name), "```"] if same else []
        return [*lines, "", f"{keys}{', and ' if same else ''}{same}:", "", *columns(yaml, calls)]
    if same:
        calls = ["```python", *(call_of(name, example) for example in COMMAND_LINES[name]), "```"]
        return [f"On the command line, and {same}:", "", *columns(lines, calls)]
    return [*lines, ""]


def _function_link(command: str) -> str:
    """Link to the function that does the same as a command, and say where it writes no file."""
    function = FUNCTIONS[command]
    in_memory = "folder" not in signature(getattr(flatforce, function)).parameters
    return f"[`ff.{function}`](../python/{function}.md){', which writes no file' if in_memory else ''}"


def _usage(argument: Any) -> str:
    shown = str(argument.name).upper() + ("…" if argument.nargs == -1 else "")
    return shown if argument.required else f"[{shown}]"


def _opts(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return names if getattr(option, "is_flag", False) else f"{names} {option.metavar or ''}".rstrip()


def _default(option: Any) -> str:
    if option.required:
        return "required"
    value = option.default
    if value is None or callable(value) or value is False or value == ():
        return ""
    return f"`{value}`"
