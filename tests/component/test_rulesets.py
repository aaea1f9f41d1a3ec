"""Published rulesets on S3: checked before, whole after, one at a time, and never mistaken for none."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from postbus.adapters.rules_folder import packaged
from postbus.adapters.s3_rulesets import CurrentRuleset, PublishedMeanwhile, S3Rulesets
from postbus.domain.errors import InvariantBroken, Malformed, Unavailable
from postbus.domain.ruleset import Ruleset

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
BUCKET = "rulesets"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-1")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


@pytest.fixture
def rulesets(s3: Any) -> S3Rulesets:
    return S3Rulesets(s3, BUCKET)


def stricter(category: str = "4511") -> Ruleset:
    """The packaged ruleset that warns about one merchant category more, and says so by an example."""
    bundle: Any = copy.deepcopy(dict(packaged().bundle))
    for row in bundle["tables"]["merchant"]["nodes"][1]["content"]["rules"]:
        if row["_id"] == "warned-category":
            row["in-merchant-category-code"] += f', "{category}"'
    example = {"facts": {"merchant": {"category_code": category}}, "finds": ["warned-merchant-type"]}
    bundle["examples"]["merchant"].append({"when": f"category {category}", **example})
    return Ruleset.parse(bundle)


def wrong() -> Ruleset:
    """A ruleset whose examples say something else than its tables."""
    bundle: Any = copy.deepcopy(dict(packaged().bundle))
    bundle["examples"]["amount"][0]["finds"] = ["high-amount"]
    return Ruleset.parse(bundle)


def test_a_ruleset_is_published_taken_up_and_rolled_back(rulesets: S3Rulesets) -> None:
    assert rulesets.current() is None
    assert rulesets.history() == []
    first, second = packaged(), stricter()
    rulesets.publish(first, "ann", "as it was", NOON)
    published = rulesets.publish(second, "bob", "too many frauds", NOON + timedelta(hours=1))
    assert published.previous == first.version
    assert rulesets.current() == published
    assert rulesets.ruleset(second.version).bundle == second.bundle
    back = rulesets.roll_back(first.version, "cem", "too many holds", NOON + timedelta(hours=2))
    assert rulesets.current() == back
    assert [(one.action, one.version, one.by, one.reason, one.at) for one in rulesets.history()] == [
        ("rollback", first.version, "cem", "too many holds", "2026-03-14T14:00:00.000Z"),
        ("publish", second.version, "bob", "too many frauds", "2026-03-14T13:00:00.000Z"),
        ("publish", first.version, "ann", "as it was", "2026-03-14T12:00:00.000Z"),
    ]


def test_a_ruleset_that_fails_its_examples_changes_nothing(rulesets: S3Rulesets, s3: Any) -> None:
    with pytest.raises(Malformed, match="an ordinary purchase: expected high-amount, found nothing"):
        rulesets.publish(wrong(), "ann", "a mistake", NOON)
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


@pytest.mark.parametrize("version", ["r000000000000", "current", "../secret"])
def test_a_rollback_to_what_was_never_published_changes_nothing(rulesets: S3Rulesets, version: str) -> None:
    published = rulesets.publish(packaged(), "ann", "as it was", NOON)
    with pytest.raises(Malformed, match="a published version"):
        rulesets.roll_back(version, "ann", "back", NOON)
    assert rulesets.current() == published


def test_what_is_in_force_already_and_what_has_no_reason_is_refused(rulesets: S3Rulesets) -> None:
    with pytest.raises(Malformed, match="reason"):
        rulesets.publish(packaged(), "ann", " ", NOON)
    rulesets.publish(packaged(), "ann", "as it was", NOON)
    with pytest.raises(Malformed, match="in force already"):
        rulesets.publish(packaged(), "bob", "again", NOON)
    assert [one.by for one in rulesets.history()] == ["ann"]


@pytest.mark.parametrize("published_before", [False, True])
def test_of_two_who_publish_at_once_one_is_told_to_look_again(
    rulesets: S3Rulesets, s3: Any, published_before: bool
) -> None:
    if published_before:
        rulesets.publish(stricter("3000"), "zoe", "before", NOON)

    class Slow(S3Rulesets):
        """Looks, and while it makes up its mind somebody else publishes."""

        def _pointer(self) -> Any:
            seen = super()._pointer()
            rulesets.publish(stricter(), "bob", "faster", NOON)
            return seen

    with pytest.raises(PublishedMeanwhile):
        Slow(s3, BUCKET).publish(packaged(), "ann", "slower", NOON)
    current = rulesets.current()
    assert current is not None
    assert current.by == "bob"


def refusing(code: str, status: int) -> S3Rulesets:
    client = boto3.client("s3", region_name="eu-west-1")
    stub = Stubber(client)
    for _ in range(3):
        stub.add_client_error("get_object", service_error_code=code, http_status_code=status)
    stub.activate()
    return S3Rulesets(client, BUCKET)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDenied", 403, "AccessDenied"),
        ("NoSuchBucket", 404, "NoSuchBucket"),
        ("SlowDown", 503, "did not answer"),
        ("InternalError", 500, "did not answer"),
    ],
)
def test_an_error_is_never_taken_for_nothing_published(s3: Any, code: str, status: int, error: str) -> None:
    current = CurrentRuleset(refusing(code, status), packaged, lambda: NOON, timedelta(0))
    with pytest.raises(Exception, match=error):
        current()


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_the_packaged_ruleset_is_in_force_until_one_is_published(rulesets: S3Rulesets) -> None:
    clock = Clock()
    current = CurrentRuleset(rulesets, packaged, clock, timedelta(seconds=30))
    assert current().version == packaged().version
    rulesets.publish(stricter(), "ann", "too many frauds", NOON)
    clock.goes_on(29)
    assert current().version == packaged().version
    clock.goes_on(1)
    assert current().version == stricter().version


class Counting(S3Rulesets):
    """Counts looks at the pointer and at rulesets; ``away``: does not answer."""

    looks = rulesets_read = 0
    away = False

    def current(self) -> Any:
        self.looks += 1
        if self.away:
            raise Unavailable("rulesets bucket did not answer")
        return super().current()

    def ruleset(self, version: str) -> Ruleset:
        self.rulesets_read += 1
        return super().ruleset(version)


def test_a_ruleset_is_read_once_and_the_pointer_once_in_a_while(s3: Any) -> None:
    rulesets, clock = Counting(s3, BUCKET), Clock()
    S3Rulesets(s3, BUCKET).publish(packaged(), "ann", "as it was", NOON)
    current = CurrentRuleset(rulesets, packaged, clock, timedelta(seconds=30))
    for _ in range(100):
        current()
        clock.goes_on(1)
    assert (rulesets.looks, rulesets.rulesets_read) == (4, 1)


def test_while_the_bucket_is_away_the_last_known_ruleset_goes_on_judging(s3: Any) -> None:
    rulesets, clock = Counting(s3, BUCKET), Clock()
    S3Rulesets(s3, BUCKET).publish(stricter(), "ann", "too many frauds", NOON)
    current = CurrentRuleset(rulesets, packaged, clock, timedelta(seconds=30))
    rulesets.away = True
    with pytest.raises(Unavailable):
        current()
    rulesets.away = False
    assert current().version == stricter().version
    rulesets.away = True
    clock.goes_on(3600)
    assert current().version == stricter().version


@pytest.mark.parametrize("damage", ["{", "{}", '{"tables": {}, "examples": {}}', None])
def test_a_damaged_ruleset_in_force_judges_nothing(s3: Any, damage: str | None) -> None:
    rulesets, clock = S3Rulesets(s3, BUCKET), Clock()
    current = CurrentRuleset(rulesets, packaged, clock, timedelta(seconds=30))
    assert current().version == packaged().version
    rulesets.publish(stricter(), "ann", "too many frauds", NOON)
    body = damage or packaged().to_json()  # whole, but not what its name says
    s3.put_object(Bucket=BUCKET, Key=f"rulesets/{stricter().version}.json", Body=body.encode())
    clock.goes_on(30)
    for _ in range(2):
        with pytest.raises(InvariantBroken, match=stricter().version):
            current()


def test_a_damaged_pointer_is_our_fault_and_not_nothing_published(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="rulesets/current.json", Body=b'{"version": "r1"}')
    with pytest.raises(InvariantBroken, match="is not a publication"):
        CurrentRuleset(S3Rulesets(s3, BUCKET), packaged, Clock(), timedelta(0))()
