"""A RabbitMQ broker over AMQP 0-9-1 and TLS: a queue that is read, a place that is written to.

The connection is pika's event-driven one, driven by hand and not its blocking one, for two reasons: a wait
for a confirmation that never comes must end (a quorum queue without its quorum keeps up its heartbeats and
confirms nothing), and the blocking one logs the body of a message that came back.
"""

import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pika
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.exceptions import AMQPError, AuthenticationError, ProbableAuthenticationError

from postbus.adapters.secrets import SecretFields
from postbus.domain.errors import OutcomeUnknown, Unavailable
from postbus.domain.iso20022.brokered import Delivery, Publication

# Whatever matters is raised.
logging.getLogger("pika").setLevel(logging.CRITICAL)

_CONNECT_SECONDS = 5.0
_OPEN_SECONDS = 10.0
_READY_SECONDS = 15.0
_CONFIRM_SECONDS = 5.0
_CLOSE_SECONDS = 5.0
# Longer than the longest exchange with the API, during which nobody tends the connection.
_HEARTBEAT_SECONDS = 60
# Longer unused than this, and a function may have been frozen past the broker's patience.
_IDLE_SECONDS = 20.0
_MOST_OF_A_REASON = 500
_PERSISTENT: Literal[2] = 2

# Of a message's properties those that its sender sets and nothing changes on the way.
_SENDERS_OWN = ("app_id", "content_type", "correlation_id", "reply_to", "timestamp", "type", "user_id")
# A message that is put elsewhere with these would be refused (another user's), or expire, or be copied.
_NOT_TAKEN_ALONG = ("user_id", "expiration")
_ROUTING_HEADERS = frozenset({"CC", "BCC"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker listens.

    Attributes:
        host: its name; the certificate must be for it.
        authorities: PEM of the certificate authorities to trust; ``None`` for the platform's.
    """

    host: str
    port: int
    virtual_host: str = "/"
    authorities: str | None = None


class _Link:
    """One connection with one channel in confirm mode; every wait ends.  Once lost it stays lost."""

    def __init__(self, endpoint: Endpoint, secret: SecretFields) -> None:
        """
        Args:
            secret: ``{"username", "password"}``; and ``{"authorities"}``, PEM, where the endpoint names none.
        Raises:
            Unavailable: refused, no answer in time, or a certificate that is not the host's.
        """
        self.lost = ""
        self._returned: str | None = None
        self._confirmed: bool | None = None
        self._channel: Channel | None = None
        self._is_ready = False
        self._is_closing = False
        self._is_closed = False
        self._where = f"broker {endpoint.host}:{endpoint.port}"
        self._loop = IOLoop()
        self._connection = pika.SelectConnection(
            _parameters(endpoint, secret),
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_open_error,
            on_close_callback=self._on_closed,
            custom_ioloop=self._loop,
        )
        if not self.wait(lambda: self._is_ready, _READY_SECONDS):
            self._lose("no answer in time")
            self.close()
            if self.lost == _CREDENTIALS:
                secret.forget()
            self.check()

    @property
    def channel(self) -> Channel:
        assert self._channel is not None
        return self._channel

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Let the connection work until something holds, the time is up, or it is lost; whether it holds.

        It works at least once: what was said goes out, and the end of the connection is noticed.
        """
        is_late: list[bool] = []
        left = 0.0 if until() else max(seconds, 0.0)
        timer = self._loop.call_later(left, lambda: is_late.append(True))
        self._loop.activate_poller()
        try:
            while True:
                self._loop.poll()
                self._loop.process_timeouts()
                if until():
                    return True
                if is_late or self.lost:
                    return False
        finally:
            self._loop.deactivate_poller()
            self._loop.remove_timeout(timer)

    def check(self) -> None:
        """Raise ``Unavailable`` if it is lost."""
        if self.lost:
            raise Unavailable(f"{self._where}: {self.lost}")

    def publish(self, exchange: str, routing_key: str, body: bytes, properties: pika.BasicProperties) -> None:
        """Returns when the broker has confirmed it; see ``ports_iso20022.BrokerWriter``."""
        self.wait(lambda: True, 0)
        self.check()
        self._returned = self._confirmed = None
        self.channel.basic_publish(exchange, routing_key, body, properties, mandatory=True)
        if not self.wait(lambda: self._confirmed is not None, _CONFIRM_SECONDS):
            # A confirmation that comes late must not pass for the next message's.
            self._lose("no confirmation in time")
            raise OutcomeUnknown(f"{self._where}: {self.lost}")
        if self._returned is not None:
            raise Unavailable(f"{self._where}: a message led to no queue, {self._returned}")
        if not self._confirmed:
            raise Unavailable(f"{self._where}: a message was not taken")

    def close(self) -> None:
        """Say what is still to be said, and good-bye.  Whoever does not answer is left."""
        if self._connection.is_open:
            self._is_closing = True
            self._connection.close()
            self.wait(lambda: self._is_closed, _CLOSE_SECONDS)
        self._lose("closed")

    def _on_open(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_cancel_callback(lambda _frame: self._lose("the broker took the queue away"))
        channel.add_on_return_callback(self._on_returned)
        channel.confirm_delivery(self._on_confirmed, callback=self._on_confirming)

    def _on_confirming(self, _frame: Any) -> None:
        self._is_ready = True

    def _on_returned(self, _channel: Channel, method: Any, _properties: Any, _body: bytes) -> None:
        self._returned = f"{method.reply_code} {method.reply_text}"

    def _on_confirmed(self, frame: Any) -> None:
        self._confirmed = isinstance(frame.method, pika.spec.Basic.Ack)

    def _on_open_error(self, _connection: Any, error: BaseException) -> None:
        self._lose(_in_words(error))

    def _on_channel_closed(self, _channel: Channel, error: Exception) -> None:
        if not self._is_closing:  # or the connection's own end would not be waited for
            self._lose(_in_words(error))

    def _on_closed(self, _connection: Any, error: BaseException) -> None:
        self._is_closed = True
        self._lose(_in_words(error))

    def _lose(self, reason: str) -> None:
        self.lost = self.lost or reason


class RabbitMqReader:
    """One queue, read over one connection; a reader ends with it.  See ``ports_iso20022.BrokerReader``."""

    def __init__(
        self, endpoint: Endpoint, secret: SecretFields, queue: str, refused_queue: str, in_hand: int = 10
    ) -> None:
        """
        Args:
            refused_queue: where refused messages wait; it must exist.
            in_hand: how many messages may be taken and not finished.
        """
        self._refused_queue = refused_queue
        self._arrived: deque[Delivery] = deque()
        self._taken: dict[str, pika.BasicProperties] = {}
        self._link = _Link(endpoint, secret)
        self._link.channel.basic_qos(prefetch_count=in_hand)
        self._link.channel.basic_consume(queue, self._on_message)

    def take(self, wait_seconds: float) -> Delivery | None:
        self._link.wait(lambda: bool(self._arrived), wait_seconds)
        self._link.check()
        return self._arrived.popleft() if self._arrived else None

    def done(self, delivery: Delivery) -> None:
        self._link.check()
        del self._taken[delivery.receipt]
        self._link.channel.basic_ack(int(delivery.receipt))
        self._link.wait(lambda: True, 0)

    def refuse(self, delivery: Delivery, reason: str) -> None:
        properties = _moved(self._taken[delivery.receipt], reason)
        self._link.publish("", self._refused_queue, delivery.body, properties)
        self.done(delivery)

    def close(self) -> None:
        # The end of the connection gives back what is in hand.
        self._link.close()

    def _on_message(
        self, _channel: Channel, method: Any, properties: pika.BasicProperties, body: bytes
    ) -> None:
        receipt = str(method.delivery_tag)
        self._taken[receipt] = properties
        self._arrived.append(Delivery(receipt, body, properties.message_id, _senders_own(properties)))


class RabbitMqWriter:
    """An exchange and a routing key.  See ``ports_iso20022.BrokerWriter``."""

    def __init__(
        self,
        endpoint: Endpoint,
        secret: SecretFields,
        exchange: str,
        routing_key: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            exchange: ``""`` for the default one, whose routing key is the name of a queue.
        """
        self._endpoint = endpoint
        self._secret = secret
        self._exchange = exchange
        self._routing_key = routing_key
        self._monotonic = monotonic
        self._link: _Link | None = None
        self._used_at = 0.0

    def publish(self, publication: Publication) -> None:
        properties = pika.BasicProperties(
            app_id="postbus",
            content_type="application/xml",
            delivery_mode=_PERSISTENT,
            headers=dict(publication.headers),
            message_id=publication.message_id,
        )
        self._linked().publish(self._exchange, self._routing_key, publication.body, properties)
        self._used_at = self._monotonic()

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _linked(self) -> _Link:
        if self._link is not None:
            self._link.wait(lambda: True, 0)
            if self._link.lost or self._monotonic() - self._used_at > _IDLE_SECONDS:
                self.close()
        if self._link is None:
            self._link = _Link(self._endpoint, self._secret)
        return self._link


def _parameters(endpoint: Endpoint, secret: SecretFields) -> pika.ConnectionParameters:
    fields = secret.read()
    try:
        credentials = pika.PlainCredentials(fields["username"], fields["password"])
    except KeyError:
        raise Unavailable("the broker's secret holds no username and password") from None
    try:
        tls = ssl.create_default_context(cadata=endpoint.authorities or fields.get("authorities"))
    except ssl.SSLError:
        raise Unavailable("the broker's certificate authorities are not PEM") from None
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    return pika.ConnectionParameters(
        host=endpoint.host,
        port=endpoint.port,
        virtual_host=endpoint.virtual_host,
        credentials=credentials,
        ssl_options=pika.SSLOptions(tls, endpoint.host),
        heartbeat=_HEARTBEAT_SECONDS,
        socket_timeout=_CONNECT_SECONDS,
        stack_timeout=_OPEN_SECONDS,
        client_properties={"connection_name": "postbus"},
    )


def _senders_own(properties: pika.BasicProperties) -> dict[str, str]:
    found = {name: getattr(properties, name) for name in _SENDERS_OWN}
    return {name: str(value) for name, value in found.items() if value is not None}


def _moved(properties: pika.BasicProperties, reason: str) -> pika.BasicProperties:
    """What a refused message is put elsewhere with: its own properties, and why."""
    kept = {name: value for name, value in vars(properties).items() if name not in _NOT_TAKEN_ALONG}
    headers = {
        name: value for name, value in (properties.headers or {}).items() if name not in _ROUTING_HEADERS
    }
    kept["headers"] = {**headers, "postbus-reason": reason[:_MOST_OF_A_REASON]}
    kept["delivery_mode"] = _PERSISTENT
    return pika.BasicProperties(**kept)


_CREDENTIALS = "it does not accept the credentials"


def _in_words(error: BaseException) -> str:
    """A failure for the operator, by its innermost cause."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, (AuthenticationError, ProbableAuthenticationError)):
            return _CREDENTIALS
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate not accepted, {cause.verify_message}"
    innermost = causes[-1]
    said = isinstance(innermost, (AMQPError, OSError)) and str(innermost)
    return said or type(innermost).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those it wraps: pika keeps them as arguments or attributes, not as causes."""
    yield error
    inner = getattr(error, "exceptions", None) or [getattr(error, "exception", None), *error.args]
    for one in inner:
        if isinstance(one, BaseException):
            yield from _causes(one)
