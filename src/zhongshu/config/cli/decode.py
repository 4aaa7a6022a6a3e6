"""`zhongshu decode`: recorded frames read by the product's own codecs, for people with a frame and a question."""

import json
import sys
from collections.abc import Iterable

import click

from zhongshu.sense.protocol import PROTOCOLS, FrameError, decode_lines

__all__ = ["command"]


@click.command()
@click.argument("protocol")
@click.argument("frames", nargs=-1)
@click.option("--segment", is_flag=True, help="Also read the inside of a frame, without envelope and checksum.")
@click.option("--strict", is_flag=True, help="Forgive nothing that breaks the standard.")
def command(protocol: str, frames: tuple[str, ...], segment: bool, strict: bool) -> None:
    """Read FRAMES of a PROTOCOL, from the arguments or, without any, from standard input, one a line: text as it is, binary as hex.

    Prints one JSON line each: {"ok": true, "message": …} or {"ok": false, "error": …}. Exit code 1 when a frame was refused.
    """
    lines: Iterable[bytes | str] = frames or sys.stdin.buffer
    refused = 0
    try:
        for answer in decode_lines(protocol, lines, segment=segment, strict=strict):
            refused += not answer["ok"]
            click.echo(json.dumps(answer, ensure_ascii=False))
    except FrameError as error:
        raise click.ClickException(f"{error.message} Known protocols: {', '.join(sorted(PROTOCOLS))}.") from error
    sys.exit(1 if refused else 0)
