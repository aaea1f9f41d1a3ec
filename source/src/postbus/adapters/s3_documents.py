"""Messages in S3: incoming in one bucket, outgoing in another, or both in one."""

import base64
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.domain.errors import InvariantBroken, Unavailable
from postbus.domain.iso20022.workflow import Document

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_WHAT = "documents bucket"


class S3Documents:
    """``ports_iso20022.Documents`` on one bucket; S3 checks each object against its SHA-256."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        """
        Args:
            client: one that signs with version 4 (s3v4) in every region; the older one signs no length.
        """
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes, content_type: str = "application/xml") -> Document:
        document = _document(key, body)
        with answering(_WHAT):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_base64(document.sha256),
            )
        return document

    def find(self, key: str) -> Document | None:
        try:
            with answering(_WHAT):
                answer = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            # A HEAD has no body to say NoSuchKey in.
            if code_of(error) in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
        checksum = answer.get("ChecksumSHA256")
        if not checksum:
            # Put there by other means: what the hash is has to be seen.
            body = self.get(key)
            return None if body is None else _document(key, body)
        return Document(key, base64.b64decode(checksum).hex(), answer["ContentLength"])

    def get(self, key: str) -> bytes | None:
        try:
            with answering(_WHAT):
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if code_of(error) == "NoSuchKey":
                return None
            raise

    def copy(self, document: Document, key: str) -> Document:
        try:
            with answering(_WHAT):
                self._client.copy_object(
                    Bucket=self._bucket,
                    Key=key,
                    CopySource={"Bucket": self._bucket, "Key": document.key},
                    ContentType="application/xml",
                    MetadataDirective="REPLACE",
                    ChecksumAlgorithm="SHA256",
                )
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise
        # What was copied is what lay there at that moment.
        copied = self.find(key)
        if copied is None or copied.sha256 != document.sha256:
            raise Unavailable(f"{document.key} has changed")
        return copied

    def upload_url(self, key: str, length_bytes: int, sha256: str, valid_for: timedelta) -> str:
        """See ``ports_iso20022.Documents``.

        Raises:
            InvariantBroken: the client signs with version 2, by which anything could be uploaded.
        """
        url = self._client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ContentLength": length_bytes,
                "ChecksumSHA256": _base64(sha256),
                # Once: what lies there cannot be replaced by a second use of the URL.
                "IfNoneMatch": "*",
            },
            ExpiresIn=int(valid_for.total_seconds()),
        )
        if "content-length" not in url.partition("X-Amz-SignedHeaders=")[2].partition("&")[0]:
            raise InvariantBroken("an upload's length is not signed: the client must sign with s3v4")
        return url

    def download_url(self, key: str, valid_for: timedelta) -> str:
        return self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key},
            ExpiresIn=int(valid_for.total_seconds()),
        )


def _document(key: str, body: bytes) -> Document:
    return Document(key, hashlib.sha256(body).hexdigest(), len(body))


def _base64(digits: str) -> str:
    """A hash as S3 writes it."""
    return base64.b64encode(bytes.fromhex(digits)).decode()
