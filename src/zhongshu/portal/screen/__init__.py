"""The operation-centre screen: what is shown of a division, for the rights and the language of one viewer."""

from .place import Place, find_place, find_root, list_path
from .state import ScreenState, build_state
from .viewer import Viewer

__all__ = ["Place", "ScreenState", "Viewer", "build_state", "find_place", "find_root", "list_path"]
