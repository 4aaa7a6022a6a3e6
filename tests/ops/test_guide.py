"""The guide says what is so: every setting with its default, every process, every role it names."""

import re
import tomllib
from dataclasses import MISSING, fields

from zhongshu.config.cli.main import Commands
from zhongshu.config.cli.run import PROCESSES
from zhongshu.kernel.home import House
from zhongshu.security.access.roles import BASE_ROLES

from .conftest import ROOT

GUIDE = (ROOT / "docs" / "guides" / "operate.md").read_text(encoding="utf-8")


def test_every_setting_is_in_the_guide_with_its_default_and_no_other():
    written = {match[1]: match[2] for match in re.finditer(r"^\| `(\[\w+\] \w+)` \| `([^`]*)` \| \S", GUIDE, re.M)}
    sections = {f.name: f.default_factory() for f in fields(House) if f.default_factory is not MISSING}
    known = {f"[{name}] {f.name}": getattr(section, f.name) for name, section in sections.items() for f in fields(section)}
    assert written.keys() == known.keys()
    for key, default in known.items():
        given = tomllib.loads(f"x = {written[key]}")["x"]
        assert (tuple(given) if isinstance(given, list) else given) == default, key


def test_every_process_is_in_the_guide():
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", GUIDE.partition("## Processes")[2].partition("## PostgreSQL")[0], re.M)
    assert {name for row in rows for name in re.findall(r"\w+", row)} == set(PROCESSES)


def test_commands_and_roles_of_the_guide_exist():
    known = set(Commands("zhongshu").list_commands(None))
    named = set(re.findall(r"zhongshu ([a-z][a-z-]+)(?= |`|$)", GUIDE)) - {"run"}
    assert named <= known, named - known
    assert set(re.findall(r"--role (\S+)", GUIDE)) <= {role.code for role in BASE_ROLES}
