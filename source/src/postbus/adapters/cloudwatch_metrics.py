"""Figures for alarms and the dashboard, as CloudWatch metrics."""

from typing import TYPE_CHECKING

from postbus.adapters.aws_calls import answering

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


class CloudWatchMetrics:
    """``ports.Metrics``: one namespace, and the step that tells as dimension ``service``."""

    def __init__(self, client: "CloudWatchClient", namespace: str, service: str) -> None:
        self._client = client
        self._namespace = namespace
        self._service = service

    def publish(self, name: str, value: float) -> None:
        """Tell the present value of a figure."""
        with answering("metrics"):
            self._client.put_metric_data(
                Namespace=self._namespace,
                MetricData=[
                    {
                        "MetricName": name,
                        "Dimensions": [{"Name": "service", "Value": self._service}],
                        "Value": value,
                    }
                ],
            )
