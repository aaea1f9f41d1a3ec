"""The topic on which the ends of transactions are told."""

from typing import TYPE_CHECKING

from postbus.adapters.aws_calls import answering
from postbus.domain.iso20022.notices import Notice

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class SnsNotices:
    """``ports_iso20022.Notices``; subscriptions can filter by the attributes ``owner`` and ``status``."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def tell(self, notice: Notice) -> None:
        """See ``ports_iso20022.Notices``.

        Raises:
            Unavailable: the topic did not answer; it may have taken the notice.
        """
        with answering("status topic"):
            self._client.publish(
                TopicArn=self._topic_arn,
                Message=notice.to_json(),
                MessageAttributes={
                    "owner": {"DataType": "String", "StringValue": notice.owner},
                    "status": {"DataType": "String", "StringValue": notice.status.value},
                },
            )
