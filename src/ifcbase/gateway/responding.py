"""Files as answers: kept by a browser, never shown by it."""

from __future__ import annotations

from typing import Any

from fastapi.responses import FileResponse

from ifcbase.gateway.state import Gateway

FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, as an attachment",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def attachment(gateway: Gateway, project: str, sha256: str, name: str) -> FileResponse:
    """Stored bytes under a name. Raises FileMissing if they are gone."""
    return FileResponse(
        gateway.files.fetch(project, sha256),
        # Whatever is in it, a browser keeps it and does not show it.
        media_type="application/octet-stream",
        filename=name,
        content_disposition_type="attachment",
        headers={"ETag": f'"{sha256}"'},
    )
