"""Playing recorded measurements as a data logger would send them; of the product only the codec's encoder is used."""

from .prsa import FACTORS, Hours, PrsaError, read_prsa
from .sender import Sender, SenderError

__all__ = ["FACTORS", "Hours", "PrsaError", "Sender", "SenderError", "read_prsa"]
