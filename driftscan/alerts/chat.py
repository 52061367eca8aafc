"""Text for chat services, in which what a host wrote calls nobody and leads nowhere.

Each service has its own markup, and which of it a message goes through is not ours to say: Apprise chooses formats, and
users choose services. So what begins a mention or a link in any of them is broken by a space of no width, which people
do not see; what hides or swallows text is broken so, too."""

import re

_BROKEN = "\u200b"
_VERBATIM = frozenset(
    {
        *("mailto", "mailtos", "ses", "sendgrid", "mailgun", "sparkpost", "smtp2go", "postmark", "brevo", "resend"),
        *("json", "jsons", "xml", "xmls", "form", "forms", "mqtt", "mqtts", "syslog", "rsyslog"),
    }
)
"""Apprise's schemes of mail, and of data for programs: there is no markup in them."""
_MARKUP = re.compile(
    r"@(?=\S)"  # @everyone, @here, <@U123>, @**all**; an address is one, too
    r"|<(?=\S)"  # <!channel>, <@U123>, <#C1>, <https://x|y>, <users/all>, <b>
    r"|\](?=[(\[:])"  # [text](https://x), [text][1], [1]: https://x
    r"|:(?=//)"  # https://x, which services look up for a preview
    r"|\b(?:mailto|tel|sms):(?=\S)"
    r"|(?<=\bwww)\.(?=\S)"
    r"|\|(?=\|)"  # ||hidden||
    r"|~(?=~)"  # ~~struck out~~
)


def is_chat(url: str) -> bool:
    """Whether a URL of Apprise leads where marks may mean something; of one that is not known, yes."""
    return url.partition("://")[0].strip().lower() not in _VERBATIM


def tame(text: str) -> str:
    """Text of a host for a chat service. Lines stay; what is no markup stays as it is, letter by letter."""
    return _MARKUP.sub(lambda found: found[0] + _BROKEN, text.replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}"))
