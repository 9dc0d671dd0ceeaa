"""The page that describes the API: plain HTML made from the OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#f4f4f4;padding:.8rem;overflow:auto}
summary{cursor:pointer;padding:.3rem 0}summary b{display:inline-block;min-width:4.5rem}
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}
h2{margin-top:2rem;border-bottom:1px solid #ccc}"""


def description(document: Mapping[str, Any]) -> str:
    """The page."""
    info = document["info"]
    by_tag: dict[str, list[str]] = {}
    for method, path, operation in operations(document):
        tag = (operation.get("tags") or ["other"])[0]
        by_tag.setdefault(tag, []).append(_operation(document, method, path, operation))
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>",
        *(f"<p>{_words(each)}</p>" for each in info["description"].strip().split("\n\n")),
        "<p>For programs: <a href='/openapi.json'>openapi.json</a>.</p>",
        "<p>Types of problems: <a href='/problems'>problems</a>.</p>",
    ]
    for tag, items in by_tag.items():
        parts += [f"<h2>{escape(tag)}</h2>", *items]
    return "\n".join([*parts, "</body></html>"])


def _words(text: str) -> str:
    """Words of a description, with `code` as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{each}</code>" if n % 2 else each for n, each in enumerate(parts))


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation, in the order of the document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _operation(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]
) -> str:
    told = operation.get("description") or operation.get("summary") or ""
    parts = [
        f"<details><summary><b>{method}</b> <code>{escape(path)}</code></summary>",
        f"<p>{_words(told)}</p>",
    ]
    if parameters := operation.get("parameters"):
        parts.append("<table><tr><th>parameter</th><th>in</th><th></th></tr>")
        for each in parameters:
            needed = "required. " if each.get("required") else ""
            said = each.get("description") or each.get("schema", {}).get("description") or ""
            parts.append(
                f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td>"
                f"<td>{needed}{_words(said)}</td></tr>"
            )
        parts.append("</table>")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        example = content.get("example") or _example(document, content.get("schema", {}))
        parts.append(f"<pre>{escape(json.dumps(example, indent=2, ensure_ascii=False))}</pre>")
    answers = ", ".join(
        f"{status} {escape(answer.get('description', ''))}"
        for status, answer in operation.get("responses", {}).items()
    )
    return "".join([*parts, f"<p>Answers: {answers}</p></details>"])


def _example(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    """Something that fits a schema: its examples, or words that say what belongs there."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _example(document, document["components"]["schemas"].get(name, {}), depth)
    if schema.get("examples"):
        return schema["examples"][0]
    if "properties" in schema and depth < 5:
        return {
            name: _example(document, each, depth + 1) for name, each in schema["properties"].items()
        }
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return _example(document, schema[several][0], depth)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [_example(document, schema.get("items", {}), depth + 1)]
    return schema.get("default", schema.get("type", ""))
