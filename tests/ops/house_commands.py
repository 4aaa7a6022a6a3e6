"""Runs many command lines, each in a process forked from this one (imports are paid for once), and prints what each said. Reads a JSON list of argument lists."""

import json
import os
import sys
import tempfile

from zhongshu.config.boot import boot
from zhongshu.config.cli.main import Commands, main


def run(arguments):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.argv = ["zhongshu", *arguments]
            code = 70
            try:
                main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                import traceback

                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        return [arguments, code, out.read().decode(), err.read().decode()]


def list_all():
    """Every command and sub-command by its words."""
    top = Commands("zhongshu")
    found = []
    for name in top.list_commands(None):
        command = top.get_command(None, name)
        found.append([name])
        found += [[name, sub] for sub in getattr(command, "commands", {})]
    return found


if __name__ == "__main__":
    boot()
    wanted = json.load(sys.stdin)
    commands = list_all()
    json.dump([run(arguments) for arguments in ([[*words, "--help"] for words in commands] if wanted == "help" else wanted)], sys.stdout)
