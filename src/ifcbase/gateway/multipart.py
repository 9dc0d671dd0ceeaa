"""Reading the one file of a form as it arrives: no part of it waits in memory."""

from __future__ import annotations

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ifcbase.errors import FileTooLarge, RequestInvalid

#: Bytes of everything that is not the file: boundaries, headers, other fields.
MOST_BESIDE = 1 << 20

#: Told the name of the file, gives what takes its bytes.
Begin = Callable[[str], Callable[[bytes], None]]


class FormFile:
    """Feeds the bytes of the field ``file`` to who was asked to take them; other fields are passed
    over. Blocks where the taker blocks: run it in a thread."""

    def __init__(self, content_type: str, begin: Begin) -> None:
        """Raises RequestInvalid if the content type is not that of a form with a boundary."""
        kind, options = parse_options_header(content_type.encode("latin-1", "replace"))
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not 0 < len(boundary) <= 200:
            raise RequestInvalid(
                "body: it is no multipart form", hint="Send the file as the form field `file`."
            )
        self.found = False
        self._begin = begin
        self._take: Callable[[bytes], None] | None = None
        self._field = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._beside = self._fed = self._taken = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body. Raises RequestInvalid, and what the taker raises."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise RequestInvalid("body: the form cannot be read", detail=str(error)) from error
        # Boundaries without end, or what follows the last, would be read for ever.
        self._fed += len(chunk)
        if self._fed - self._taken > MOST_BESIDE + len(chunk):
            raise FileTooLarge("the form holds too much beside the file")

    def finish(self) -> None:
        """All bytes of the body came. Raises RequestInvalid unless there was one whole file."""
        if not self._ended:
            raise RequestInvalid("body: the form is cut off")
        if not self.found:
            raise RequestInvalid("file: Field required", hint="Send the file as the field `file`.")

    def _on_part(self) -> None:
        self._headers = {}
        self._take = None

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]
        self._count(end - start)

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._count(end - start)

    def _on_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if options.get(b"name") != b"file":
            return
        if self.found:
            raise RequestInvalid("file: it is there twice")
        if b"filename" not in options:
            raise RequestInvalid("file: it has no file name")
        self.found = True
        name = options[b"filename"]
        try:
            self._take = self._begin(name.decode("utf-8"))
        except UnicodeDecodeError:
            self._take = self._begin(name.decode("latin-1"))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._take is not None:
            self._taken += end - start
            self._take(data[start:end])
        else:
            self._count(end - start)

    def _on_part_end(self) -> None:
        self._take = None

    def _on_end(self) -> None:
        self._ended = True

    def _count(self, size: int) -> None:
        self._beside += size
        if self._beside > MOST_BESIDE:
            raise FileTooLarge("the form holds too much beside the file")
