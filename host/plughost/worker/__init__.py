"""PluginVenv → Worker: a live child process that runs a plugin, spoken to by messages.

Above it: calls and the host; below it: `_process` and the wire. It knows nothing of tools, schemas or receipts.
"""

from plughost.worker._channel import Channel
from plughost.worker._exchange import STREAM_CREDIT, Exchange
from plughost.worker._pool import Custody, Pool
from plughost.worker._worker import Worker, launch

__all__ = ["STREAM_CREDIT", "Channel", "Custody", "Exchange", "Pool", "Worker", "launch"]
