"""The sanctions list that the operator loads into a bucket."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from postbus.adapters.aws_calls import answering, code_of
from postbus.domain.errors import InvariantBroken

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Sanctions:
    """``ports_iso20022.SanctionsSource`` on one object."""

    def __init__(self, client: "S3Client", bucket: str, key: str, sample: bytes | None = None) -> None:
        """
        Args:
            sample: a list to try things with, taken where the operator has loaded none.
        """
        self._client = client
        self._bucket = bucket
        self._key = key
        self._sample = sample

    def read(self) -> bytes:
        try:
            with answering("sanctions list"):
                return self._client.get_object(Bucket=self._bucket, Key=self._key)["Body"].read()
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise
        if self._sample is None:
            raise InvariantBroken(f"no sanctions list is loaded under {self._key}: nothing can be passed")
        return self._sample
