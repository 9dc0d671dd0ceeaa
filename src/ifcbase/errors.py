"""Every failure a user can meet: one root, each with a code, a title and a hint.

The message says what happened in this case; the title is the same for every case; the hint says
what to do. ``detail`` is for logs and the job's record, never for the sentence a user reads.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any, ClassVar

#: What the operating system says when a disk, or one's share of it, is full.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


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


class IdempotencyKeyReused(InputError):
    code = "idempotency-key-reused"
    title = "The idempotency key was used for another request"
    default_hint = "Use a new key for a new request."


class OutputUnsupported(InputError):
    code = "output-unsupported"
    title = "This output cannot be written"
    default_hint = "Formats are .glb, .obj, .dae, .svg, .xlsx and .csv, in the output folder."


class FileTooLarge(InputError):
    code = "file-too-large"
    title = "The file is larger than what is accepted"
    http_status = 413
    default_hint = "Split the model, or let the operator raise IFCBASE_UPLOAD_MAX_MB."


class NotBcf(InputError):
    code = "not-bcf"
    title = "The file is not a BCF archive"
    default_hint = "Give a .bcf or .bcfzip file: a ZIP archive that holds bcf.version."


class NotCsv(InputError):
    code = "not-csv"
    title = "The file is not a table in text form"
    default_hint = "Give comma- or semicolon-separated text, in UTF-8 where it is more than ASCII."


class ArchiveUnsafe(InputError):
    code = "archive-unsafe"
    title = "The archive holds what can do harm"
    default_hint = "Pack it anew: plain files only, no passwords, nothing outside of its folder."


class UploadNameInvalid(InputError):
    code = "upload-name-invalid"
    title = "The file cannot be kept under this name"
    default_hint = "Give it a name of at most 200 bytes, without slashes and control characters."


class ChecksumMismatch(InputError):
    """Its status is the one the tus protocol has for it."""

    code = "checksum-mismatch"
    title = "The bytes that arrived are not those that were sent"
    http_status = 460
    default_hint = "Send this part of the file again."


class UploadBusy(InputError):
    code = "upload-busy"
    title = "Somebody is writing to this upload just now"
    http_status = 423
    default_hint = (
        "Wait until the other request has ended, ask for the offset, and go on from there."
    )


class UrlRefused(InputError):
    code = "url-refused"
    title = "The address may not be asked"
    default_hint = (
        "Only public http and https addresses are asked. The operator may allow others with "
        "IFCBASE_FETCH_PRIVATE."
    )


class FetchFailed(InputError):
    code = "fetch-failed"
    title = "The address did not give the file"
    retryable = True
    default_hint = "Open the address in a browser to see what it answers, then try again."


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


class FilesUnavailable(LedgerUnavailable):
    """A result whose files cannot be stored is not stored yet, as when the database is away."""

    code = "files-unavailable"
    title = "Storage cannot be reached"
    default_hint = (
        "Check SUPABASE_URL and that Supabase's storage service is up. Workers try again by "
        "themselves."
    )


class LedgerFull(LedgerUnavailable):
    code = "ledger-full"
    title = "The database's disk is full"
    http_status = 507
    default_hint = (
        "Make room on the disk of the database server. Workers keep what they computed, as long as "
        "their leases hold, and store it as soon as there is room."
    )


class FilesFull(LedgerFull):
    code = "files-full"
    title = "The disk of the files folder is full"
    default_hint = (
        "Make room on the disk of IFCBASE_HOME: `ifcbase schedules retention` shows what can go. "
        "Workers keep what they computed and store it as soon as there is room."
    )


class LedgerBusy(LedgerUnavailable):
    code = "ledger-busy"
    title = "The database gave way to somebody else's write"
    default_hint = "Nothing to do if a worker says it: it tries again. Else try again yourself."


class LedgerSlow(LedgerUnavailable):
    code = "ledger-slow"
    title = "The database needs longer for this than it may"
    default_hint = (
        "Nothing to do if a worker says it: it sends less at a time and tries again. If it lasts, "
        "look at what else keeps the database busy."
    )


class KeyRefused(LedgerUnavailable):
    code = "key-refused"
    title = "Supabase does not accept the key"
    http_status = 502
    default_hint = (
        "Check SUPABASE_URL and the keys: of the same server, not expired, of a role that may do "
        "this. Workers keep what they computed and store it when the key is good."
    )


class FilesRefused(LedgerError):
    code = "files-refused"
    title = "Storage refused a file"
    default_hint = (
        "Check the key, and the buckets with their policies: `ifcbase db buckets` sets them up."
    )


class FilesDamaged(LedgerError):
    code = "files-damaged"
    title = "A file is not what its hash says"
    retryable = True
    default_hint = "Remove the object of that name in Studio, and upload the file again."


class LeaseLost(LedgerError):
    code = "lease-lost"
    title = "The lease of this attempt has ended"
    http_status = 409
    default_hint = "Nothing to do: the job was or will be taken over by another attempt."


class TokenRevoked(LedgerError):
    """Raised by the database (core.refuse_revoked)."""

    code = "token-revoked"
    title = "The token of this worker was revoked"
    http_status = 401
    default_hint = "Give the worker a new one: `ifcbase keys renew-worker`."


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


class Thinned(LedgerError):
    code = "thinned"
    title = "Retention took the details of this result away"
    http_status = 410
    default_hint = "Ask for its states and counts, or for a later result."


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


class MediaTypeWrong(GatewayError):
    code = "media-type"
    title = "The body is of another media type than this takes"
    http_status = 415
    default_hint = "Send the Content-Type that the message names."


class Busy(GatewayError):
    code = "busy"
    title = "The gateway does as much of this as it can already"
    http_status = 503
    retryable = True
    default_hint = "Try again in a few seconds."
    #: How long to wait, in seconds.
    retry_after_s: int = 5


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


class DiskFull(SystemRefused):
    code = "disk-full"
    title = "The disk has no room"
    http_status = 507
    retryable = True
    default_hint = "Make room where IFCBASE_HOME lies on the worker's host, then `ifcbase jobs requeue` the job."


class SpoolFull(SystemRefused):
    code = "spool-full"
    title = "The spool has no room"
    http_status = 507
    default_hint = (
        "See `ifcbase spool list`. Mend why results cannot be stored, or raise IFCBASE_SPOOL_MB."
    )


class SpoolDamaged(SystemRefused):
    code = "spool-damaged"
    title = "A result in the spool is damaged"
    # What was computed is gone: the job is computed again.
    retryable = True
    default_hint = "Look at the disk. If the job failed, `ifcbase jobs requeue` tries it again."


class StackError(IfcbaseError):
    code = "stack"
    title = "The embedded stack could not be started"
    default_hint = "The message says what is missing; the server's log is in IFCBASE_HOME."


# --- backups -------------------------------------------------------------------------------------


class BackupFailed(IfcbaseError):
    code = "backup-failed"
    title = "The backup or the restore did not come about"
    default_hint = (
        "What was there before is as it was. Correct what the message names and run it again."
    )


class BackupMissing(IfcbaseError):
    code = "backup-missing"
    title = "There is no such backup"
    http_status = 404
    default_hint = "`ifcbase backup list` shows those there are; IFCBASE_BACKUP_FOLDER says where."


class BackupDamaged(IfcbaseError):
    code = "backup-damaged"
    title = "The backup is not what was written"
    default_hint = (
        "Use another backup (`ifcbase backup list`), and make a new one if this was the newest."
    )
