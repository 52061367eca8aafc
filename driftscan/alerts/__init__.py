"""Who is told of events, and how: a file of channels, one message for each, and the ways that it goes."""

from driftscan.alerts.channel import Channel
from driftscan.alerts.load import Alerts, load
from driftscan.alerts.message import Message, changes, compose, sample
from driftscan.alerts.send import DeliveryError, send

__all__ = ["Alerts", "Channel", "DeliveryError", "Message", "changes", "compose", "load", "sample", "send"]
