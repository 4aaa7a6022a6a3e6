"""City events: many signals, one thing the city must know. What is declared here opens no case and sends no message."""

from .declare import EventRule
from .hits import run_rule
from .merge import clear_signal, take_signal
from .signal import Signal
from .view import EventView, SignalView, find_event

__all__ = ["EventRule", "EventView", "Signal", "SignalView", "clear_signal", "find_event", "run_rule", "take_signal"]
