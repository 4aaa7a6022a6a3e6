"""`zhongshu lake`: one read-only question to the lake."""

import csv
import json
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click
from django.conf import settings

from zhongshu.config.cli.main import Failure
from zhongshu.kernel.home import House
from zhongshu.security.access.policy import scope_for
from zhongshu.security.identity.models import User
from zhongshu.sense.observe.sql import OPERATOR, Answer, QueryRefused, query_lake

__all__ = ["command"]


@click.command()
@click.argument("select")
@click.option("--as", "username", help="Answer as this user would be answered (default: the operator of this machine).")
@click.option("--output", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000_000), default=1000, show_default=True, help="Most rows to print.")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Longest time to take.")
def command(select: str, username: str | None, output: str, limit: int, seconds: float) -> None:
    """Answer one SELECT over the lake's tables: observation, observation_other, correction, rollup_hour, frame, batch, and stream, thing, division.

    Times are UTC microseconds (BIGINT); `day` is the civil day and makes questions quick. Nothing can be written, no other file can be read.
    """
    house: House = settings.HOUSE
    scope = OPERATOR
    if username:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise Failure(f"there is no user {username!r}")
        scope = scope_for(user, "sense.Stream", "view")
        if not scope:
            raise Failure(f"{username} may not view any stream")
    try:
        answer = query_lake(house, select, scope, limit=limit, seconds=seconds)
    except QueryRefused as error:
        raise Failure(str(error)) from error
    {"table": _print_table, "csv": _print_csv, "json": _print_json}[output](answer)
    if answer.is_cut:
        click.echo(f"Only the first {limit} rows are shown (--limit).", err=True)


def _print_table(answer: Answer) -> None:
    cells = [[_text(value) for value in row] for row in answer.rows]
    widths = [max([len(name), *(len(row[place]) for row in cells)]) for place, name in enumerate(answer.columns)]
    numeric = [all(isinstance(row[place], int | float | Decimal) or row[place] is None for row in answer.rows) for place in range(len(answer.columns))]

    def line(row: list[str]) -> str:
        return "  ".join(text.rjust(w) if right else text.ljust(w) for text, w, right in zip(row, widths, numeric, strict=True)).rstrip()

    click.echo(line(list(answer.columns)))
    click.echo("  ".join("-" * width for width in widths))
    for row in cells:
        click.echo(line(row))


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_text(value) for value in row] for row in answer.rows)


def _print_json(answer: Answer) -> None:
    click.echo(json.dumps([dict(zip(answer.columns, row, strict=True)) for row in answer.rows], ensure_ascii=False, default=_plain))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
