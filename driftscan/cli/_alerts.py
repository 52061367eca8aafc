"""Telling channels what is pending: after the scan is kept, so that what fails is tried again by the next run."""

from dataclasses import replace
from typing import TYPE_CHECKING

from driftscan.alerts import Alerts, Channel, DeliveryError, Message, compose, load, sample, send
from driftscan.cli._command import Call
from driftscan.cli._console import Console
from driftscan.cli._targets import scope
from driftscan.errors import DriftscanError
from driftscan.model.names import show
from driftscan.scan.clock import now

if TYPE_CHECKING:
    from driftscan.store import Pending, Store, Watching


def alerts(call: Call) -> Alerts:
    """What `--alerts` names; nobody without it. UsageError for what is wrong with it."""
    return load(call.settings.alerts, call.environ) if call.settings.alerts else Alerts()


def watching(call: Call, given: Alerts) -> "Watching":
    """What the store is to watch for."""
    from driftscan.store import Watching

    usual = Watching(scope=scope(call.settings), channels=tuple(each.name for each in given.channels))
    if given.silent_after is None:
        return usual
    return Watching(scope=usual.scope, channels=usual.channels, silent_after=given.silent_after)


def tell(store: "Store", given: Alerts, console: Console) -> None:
    """Tell each channel what is pending for it. What cannot be done is a warning: no scan fails by it."""
    for channel in given.channels:
        try:
            pending = store.claim(channel.name, now())
            if pending is not None:
                store.settle(pending, _tell(channel, pending, console))
        except DriftscanError as error:
            console.warn(f"alerts: channel {channel.name}: {show(error.message)}")


def _tell(channel: Channel, pending: "Pending", console: Console) -> str:
    """Why it could not be told, or nothing."""
    wanted = [event for event in pending.events if channel.wants(event)]
    if pending.expired:
        dropped = f"{pending.expired} events could not be delivered for 72 hours, and are dropped"
        console.warn(f"alerts: channel {channel.name}: {dropped}")
    if not wanted:
        return ""
    why = attempt(channel, compose(wanted, pending.expired))
    if why:
        tries = f"attempt {pending.attempts + 1}; the next scan with this file tries again"
        console.warn(f"alerts: channel {channel.name}: not delivered: {why} ({tries})")
    else:
        console.detail(f"driftscan: alerts: channel {channel.name} was told of {len(wanted)} events")
    return why


def attempt(channel: Channel, message: Message) -> str:
    """Try to tell a channel; why that failed, or nothing. A bug in a service's plugin must not cost the scan."""
    try:
        send(channel, message)
    except DeliveryError as error:
        return str(error)
    except Exception as error:  # what Apprise's plugins raise is not documented, and may hold the URL
        return f"{type(error).__name__} in the service's plugin"
    return ""


def test(channel: Channel) -> str:
    """Send a message that says that it is a test; why it was not taken, or nothing."""
    return attempt(channel, replace(compose(sample()), title="driftscan: a test, nothing happened"))
