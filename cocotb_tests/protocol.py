"""The one way in which a DUT can break the valid/ready protocol: an error with a sentence."""

from __future__ import annotations


class ProtocolError(AssertionError):
    """The DUT broke the stream protocol; the message says what was seen and when."""
