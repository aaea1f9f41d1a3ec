"""The AWS clients as a function has them."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from postbus.adapters.s3_documents import S3Documents
from postbus.runtime import clients

BUCKET = "postbus-incoming"


@pytest.fixture(autouse=True)
def somewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    clients.client.cache_clear()
    yield
    clients.client.cache_clear()


def presigned() -> list[str]:
    """Where an upload goes and a download comes from: host and path."""
    documents = S3Documents(clients.client("s3"), BUCKET)
    urls = (
        documents.upload_url("a.xml", 5, "ab" * 32, timedelta(minutes=5)),
        documents.download_url("a.xml", timedelta(minutes=5)),
    )
    return [f"{parts.netloc}{parts.path}" for parts in map(urlsplit, urls)]


@pytest.mark.parametrize("region", ["eu-central-1", "eu-south-1"])
def test_a_presigned_address_is_in_the_buckets_own_region(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert presigned() == [f"{BUCKET}.s3.{region}.amazonaws.com/a.xml"] * 2


@pytest.mark.parametrize("host", ["127.0.0.1:4566", "localhost:4566"])
def test_a_presigned_address_at_an_emulator_names_the_bucket_in_its_path(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}")
    assert presigned() == [f"{host}/{BUCKET}/a.xml"] * 2
