"""Every failure a user can meet: one root, each with a code, a title and a hint.

The message says what happened in this case; the title is the same for every case; the hint says
what to do. ``detail`` is for logs and the job's record, never for the sentence a user reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class ExitFacts:
    """How the child process of a check ended: what an attempt's record keeps beside the error."""

    exit_code: int | None
    #: Name of the signal that ended it ("SIGSEGV"), if one did.
    signal: str | None
    #: The last lines it printed, with the stacks of a crash.
    stderr_tail: str
    #: Highest resident memory seen, of the child and every process it started, in mebibytes.
    peak_memory_mb: float
    #: From handing over the job (or starting the child, if it never took one) to its end.
    seconds: float
    cpu_seconds: float
    #: What the child could take away from itself on this machine, by name of the limit.
    limits: dict[str, str] = field(default_factory=dict)


class IfcbaseError(Exception):
    """The root. Subclasses set the class attributes; instances carry the message."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong inside ifcbase"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 2
    #: Whether trying the same job again may end differently.
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = "Look at the log for details and report the problem with it."
    #: Set when the error came out of a child process.
    facts: ExitFacts | None = None
    #: Set when a job was accepted before this happened: it goes on, and can be asked about.
    job_id: str | None = None

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, detail: str | None = None
    ) -> None:
        self.message = message or self.title
        self.hint = hint or self.default_hint
        self.detail = detail
        super().__init__(self.message)

    def to_dict(self) -> dict[str, Any]:
        """The error as the job's record and ``--json`` show it."""
        document: dict[str, Any] = {
            "code": self.code,
            "title": self.title,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.job_id:
            document["job_id"] = self.job_id
        return document


def from_dict(document: dict[str, Any]) -> IfcbaseError:
    """Rebuild an error that crossed a process or database border; unknown codes become the root."""
    cls = error_classes().get(str(document.get("code")), IfcbaseError)
    return cls(
        str(document.get("message") or cls.title),
        hint=document.get("hint"),
        detail=document.get("detail"),
    )


def error_classes() -> dict[str, type[IfcbaseError]]:
    """All error classes by code (the error catalogue in the docs is made from this)."""
    found: dict[str, type[IfcbaseError]] = {}
    waiting = [IfcbaseError]
    while waiting:
        cls = waiting.pop()
        found[cls.code] = cls
        waiting.extend(cls.__subclasses__())
    return found


# --- what people give us -------------------------------------------------------------------------


class InputError(IfcbaseError):
    code = "input"
    title = "The input cannot be used"
    http_status = 422
    default_hint = "Correct the input and try again."


class FileMissing(InputError):
    code = "file-missing"
    title = "The file does not exist"
    http_status = 404
    default_hint = "Check the path; on the command line it is relative to where you are."


class FileUnreadable(InputError):
    code = "file-unreadable"
    title = "The file cannot be read"
    default_hint = "Check that it is a file, not a folder, and that you may read it."


class FileUnwritable(InputError):
    code = "file-unwritable"
    title = "The file cannot be written"
    default_hint = "Name a file in a folder that exists and in which you may write."


class FileEmpty(InputError):
    code = "file-empty"
    title = "The file is empty"
    default_hint = "Export or upload it again."


class NotIfc(InputError):
    code = "not-ifc"
    title = "The file is not an IFC model"
    default_hint = "Give an IFC file in STEP form, whose first line is `ISO-10303-21;`."


class IfcTruncated(InputError):
    code = "ifc-truncated"
    title = "The IFC file is cut off"
    default_hint = "Its closing line END-ISO-10303-21; is missing: export or upload it again."


class IfcUnparsable(InputError):
    code = "ifc-unparsable"
    title = "The IFC file cannot be parsed"
    default_hint = "Check the file with the buildingSMART Validation Service."


class SchemaUnsupported(InputError):
    code = "schema-unsupported"
    title = "The IFC schema is not supported"
    default_hint = "Supported are IFC2X3, IFC4 and IFC4X3."


class NotIds(InputError):
    code = "not-ids"
    title = "The file is not an IDS"
    default_hint = "Give an IDS 1.0 file: XML whose outermost element is <ids>."


class IdsUnsafe(InputError):
    code = "ids-unsafe"
    title = "The IDS holds what no IDS needs and what can do harm"
    default_hint = "Remove document types, entities, and nesting without end; write it anew."


class IdsTooLarge(InputError):
    code = "ids-too-large"
    title = "The IDS is larger than an IDS may be"
    http_status = 413
    default_hint = "Split it into several files; several can be given at once."


class IdsInvalid(InputError):
    code = "ids-invalid"
    title = "The IDS is not valid"
    default_hint = "Correct what is named, by code and place, and try again."


class SelectorInvalid(InputError):
    code = "selector-invalid"
    title = "The selector cannot be understood"
    default_hint = "Selectors look like `IfcWall, IfcSlab` or `IfcWall, Name=/W.*/`."


class RequestInvalid(InputError):
    code = "request-invalid"
    title = "The request is not valid"
    default_hint = "The message names the field; correct it and send the request again."


class OutputUnsupported(InputError):
    code = "output-unsupported"
    title = "This output cannot be written"
    default_hint = "Formats are .glb, .obj, .dae, .svg, .xlsx and .csv, in the output folder."


# --- computing -----------------------------------------------------------------------------------


class ComputeError(IfcbaseError):
    code = "compute"
    title = "The check could not be computed"
    http_status = 500


class NativeCrash(ComputeError):
    code = "native-crash"
    title = "The native geometry library crashed"
    retryable = True
    default_hint = (
        "The job's record holds the signal and the last lines it printed. "
        "If it happens at every try, leave out models one by one to find the one that causes it."
    )


class OutOfMemoryBudget(ComputeError):
    code = "memory-budget"
    title = "The check needed more memory than it may use"
    default_hint = "Raise IFCBASE_JOB_MEMORY_MB, or check fewer or smaller models at a time."


class OutOfTimeBudget(ComputeError):
    code = "time-budget"
    title = "The check took longer than it may"
    default_hint = "Raise IFCBASE_JOB_TIMEOUT_S, or check fewer or smaller models at a time."


class ReportInvalid(ComputeError):
    code = "report-invalid"
    title = "The check handed over a report that does not hold together"
    retryable = True


class KernelsUnusable(ComputeError):
    code = "kernels"
    title = "The compiled part of clash detection cannot be used"
    default_hint = (
        "Run `python -m ifcbase.clash.narrow.kernels` once; if that fails too, its output says why."
    )


class JobCancelled(ComputeError):
    code = "cancelled"
    title = "The job was cancelled"
    http_status = 409
    default_hint = "Submit it again if it was cancelled by mistake."


class AttemptsLost(ComputeError):
    """Raised by the database (core.reap), when a worker no longer renews its lease."""

    code = "attempts-lost"
    title = "The workers that ran this job died or fell silent"
    retryable = True
    default_hint = "Look at the attempts of the job and at the workers' logs."


# --- the ledger ----------------------------------------------------------------------------------


class LedgerError(IfcbaseError):
    code = "ledger"
    title = "The ledger refused or failed"


class LedgerUnavailable(LedgerError):
    code = "ledger-unavailable"
    title = "The database cannot be reached"
    http_status = 503
    retryable = True
    default_hint = (
        "Check DATABASE_URL and that the server is up; `make up` starts the embedded one."
    )


class LedgerFull(LedgerUnavailable):
    code = "ledger-full"
    title = "The database's disk is full"
    http_status = 507
    default_hint = (
        "Make room on the disk of the database server. Workers keep what they computed, as long as "
        "their leases hold, and store it as soon as there is room."
    )


class LedgerBusy(LedgerUnavailable):
    code = "ledger-busy"
    title = "The database gave way to somebody else's write"
    default_hint = "Nothing to do if a worker says it: it tries again. Else try again yourself."


class LeaseLost(LedgerError):
    code = "lease-lost"
    title = "The lease of this attempt has ended"
    http_status = 409
    default_hint = "Nothing to do: the job was or will be taken over by another attempt."


class SchemaOutdated(LedgerError):
    code = "schema-outdated"
    title = "The database does not have the tables this version needs"
    http_status = 503
    default_hint = "Run `ifcbase db migrate`."


class ProgramOutdated(LedgerError):
    code = "program-outdated"
    title = "The database is newer than this program"
    http_status = 503
    default_hint = "Install the ifcbase release that last migrated this database, or a later one."


class NotFound(LedgerError):
    code = "not-found"
    title = "There is no such thing"
    http_status = 404
    default_hint = "Look it up with the matching list command."


class Conflict(LedgerError):
    code = "conflict"
    title = "The state of things does not allow this"
    http_status = 409
    default_hint = "Look at the present state and decide again."


# --- the HTTP door -------------------------------------------------------------------------------


class GatewayError(IfcbaseError):
    code = "gateway"
    title = "The gateway refused the request"
    http_status = 400
    default_hint = "Compare the request with the description at /docs."


class Unauthenticated(GatewayError):
    code = "unauthenticated"
    title = "Nobody is known by these credentials"
    http_status = 401
    default_hint = (
        "Send an API key as X-API-Key, or an API key or Supabase token as Authorization: Bearer."
    )


class TooManyFailures(GatewayError):
    code = "too-many-failures"
    title = "Too many wrong credentials came from this address"
    http_status = 429
    retryable = True
    default_hint = "Wait as long as Retry-After says, then send the right key."
    #: How long to wait, in seconds.
    retry_after_s: int = 60


class MethodNotAllowed(GatewayError):
    code = "method-not-allowed"
    title = "This address has no such method"
    http_status = 405
    default_hint = "The header Allow names the methods there are."


class PreconditionFailed(GatewayError):
    code = "precondition-failed"
    title = "The thing changed since it was read"
    http_status = 412
    default_hint = "Read it again, look at what is new, and send If-Match with its present ETag."


class TooLarge(GatewayError):
    code = "too-large"
    title = "The request is larger than it may be"
    http_status = 413
    default_hint = "Upload models by themselves; requests name them."


class Forbidden(LedgerError):
    code = "forbidden"
    title = "The caller may not do this"
    http_status = 403
    default_hint = "Use a key with the verb that is named, or ask an admin of the project for it."


# --- running it ----------------------------------------------------------------------------------


class ConfigError(IfcbaseError):
    code = "config"
    title = "The configuration is not usable"
    default_hint = "`ifcbase config show` prints every setting and where it comes from."


class SystemRefused(IfcbaseError):
    code = "system"
    title = "The operating system refused"
    default_hint = "Check that there is space left and that you may use what the message names."


class StackError(IfcbaseError):
    code = "stack"
    title = "The embedded stack could not be started"
    default_hint = "The message says what is missing; the server's log is in IFCBASE_HOME."
