"""Published rulesets in a versioned S3 bucket.

``rulesets/<version>.json`` is a ruleset, never changed once written; ``rulesets/current.json`` names the one
in force, who put it there, when and why.  The bucket keeps every version of that pointer: the history.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.adapters.zen_rules import check
from postbus.domain.errors import InvariantBroken, Malformed, PostbusError, Unavailable
from postbus.domain.event import format_time
from postbus.domain.ruleset import Ruleset
from postbus.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_POINTER = "rulesets/current.json"
_VERSION = re.compile(r"r[0-9a-f]{12}")


class PublishedMeanwhile(PostbusError):
    """Somebody else changed the ruleset in force in the meantime: look again, then decide again."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A ruleset put in force.

    Attributes:
        action: ``publish`` or ``rollback``.
        by: who did it.
        at: RFC 3339 time.
        previous: version that was in force before; ``None`` for the packaged one.
    """

    version: str
    action: str
    by: str
    reason: str
    at: str
    previous: str | None = None

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        try:
            data = json.loads(text)
            return cls(**{field.name: data[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError) as error:
            raise InvariantBroken(f"{_POINTER} is not a publication: {error!r}") from error


class S3Rulesets:
    """The rulesets bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def current(self) -> Publication | None:
        """The publication in force; ``None`` when nothing was ever published.

        Raises:
            Unavailable: the bucket did not answer.  An error is never taken for "nothing published".
        """
        return self._pointer()[0]

    def ruleset(self, version: str) -> Ruleset:
        """A published ruleset.

        Raises:
            Malformed: there is none of this version.
            InvariantBroken: it is damaged: not a ruleset, or not the one its name says.
        """
        body = self._get(f"rulesets/{version}.json")[0] if _VERSION.fullmatch(version) else None
        if body is None:
            raise Malformed("version", f"a published version, not {version!r}")
        try:
            ruleset = Ruleset.parse(json.loads(body))
        except (Malformed, ValueError) as error:
            raise InvariantBroken(f"ruleset {version} is damaged: {error}") from error
        if ruleset.version != version:
            raise InvariantBroken(f"ruleset {version} is damaged: its content is {ruleset.version}")
        return ruleset

    def history(self) -> list[Publication]:
        """Every publication, the latest first."""
        publications = []
        with answering("rulesets bucket"):
            for page in self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=_POINTER
            ):
                for version in page.get("Versions", ()):
                    body = self._client.get_object(
                        Bucket=self._bucket, Key=_POINTER, VersionId=version["VersionId"]
                    )["Body"].read()
                    publications.append(Publication.from_json(body))
        return publications

    def publish(self, ruleset: Ruleset, by: str, reason: str, at: datetime) -> Publication:
        """Check a ruleset and put it in force.

        Raises:
            Malformed: it fails its check (every problem is named); nothing was changed.
            PublishedMeanwhile: somebody else published between the look and the write.
        """
        _must_pass(ruleset)
        # Content-addressed: writing the same ruleset again writes the same bytes.
        with answering("rulesets bucket"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"rulesets/{ruleset.version}.json",
                Body=ruleset.to_json().encode(),
                ContentType="application/json",
            )
        return self._put_in_force(ruleset.version, "publish", by, reason, at)

    def roll_back(self, version: str, by: str, reason: str, at: datetime) -> Publication:
        """Put an earlier published ruleset in force again; checked anew, for the engine may have changed.

        Raises:
            Malformed: there is none of this version, or it fails its check; nothing was changed.
            PublishedMeanwhile: somebody else published between the look and the write.
        """
        _must_pass(self.ruleset(version))
        return self._put_in_force(version, "rollback", by, reason, at)

    def _put_in_force(self, version: str, action: str, by: str, reason: str, at: datetime) -> Publication:
        if not reason.strip():
            raise Malformed("reason", "why, for whoever reads the history")
        current, etag = self._pointer()
        if current is not None and current.version == version:
            raise Malformed("version", f"another than {version}, which is in force already")
        previous = None if current is None else current.version
        publication = Publication(version, action, by, reason, format_time(at), previous)
        condition: Any = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            with answering("rulesets bucket"):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=_POINTER,
                    Body=json.dumps(asdict(publication), ensure_ascii=False).encode(),
                    ContentType="application/json",
                    **condition,
                )
        except ClientError as error:
            if code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise PublishedMeanwhile("the ruleset in force was changed meanwhile; look again") from error
            raise
        return publication

    def _pointer(self) -> tuple[Publication | None, str | None]:
        body, etag = self._get(_POINTER)
        return (None, None) if body is None else (Publication.from_json(body), etag)

    def _get(self, key: str) -> tuple[bytes | None, str | None]:
        try:
            with answering("rulesets bucket"):
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
                return answer["Body"].read(), answer["ETag"]
        except ClientError as error:
            # Exactly this code: without leave to list the bucket S3 answers AccessDenied for what is absent.
            if code_of(error) == "NoSuchKey":
                return None, None
            raise


class CurrentRuleset:
    """The ruleset in force, looked up again when what is known is older than ``keep``.

    - Nothing was ever published: the packaged one.
    - The bucket does not answer: the last one known, for nobody can publish then either; else Unavailable.
    - What is in force is damaged: InvariantBroken.  Better parked than judged by rules nobody checked.
    """

    def __init__(
        self, rulesets: S3Rulesets, packaged: Callable[[], Ruleset], clock: Clock, keep: timedelta
    ) -> None:
        self._rulesets = rulesets
        self._packaged = packaged
        self._clock = clock
        self._keep = keep
        self._known: tuple[str | None, Ruleset] | None = None
        self._looked_at: datetime | None = None

    def __call__(self) -> Ruleset:
        now = self._clock()
        if self._known is None or self._looked_at is None or now - self._looked_at >= self._keep:
            try:
                self._look()
            except Unavailable:
                if self._known is None:
                    raise
            self._looked_at = now
        assert self._known is not None
        return self._known[1]

    def _look(self) -> None:
        publication = self._rulesets.current()
        version = None if publication is None else publication.version
        if self._known is None or self._known[0] != version:
            ruleset = self._packaged() if version is None else self._rulesets.ruleset(version)
            self._known = (version, ruleset)


def _must_pass(ruleset: Ruleset) -> None:
    if problems := check(ruleset):
        raise Malformed("ruleset", "; ".join(problems))
