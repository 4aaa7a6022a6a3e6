"""Cells, badges and rows as HTML: what people typed is never markup, and templates may write them inside a form."""

from datetime import UTC, datetime

from django.template import Context, Template
from django.test import RequestFactory
from django.urls import reverse

from zhongshu.kernel.derive import get_kind
from zhongshu.portal.records.address import record_url
from zhongshu.portal.render import Cell, render_badge, render_cell, render_rows, render_time
from zhongshu.sense.device.models import Thing

NASTY = "<b>\"x' & y"
SAFE = "&lt;b&gt;&quot;x&#x27; &amp; y"


def no_form() -> str:
    raise AssertionError("no form here")


def test_nothing_that_people_typed_becomes_markup():
    for cell in (
        Cell(NASTY, label=NASTY, title=NASTY, note=NASTY, unit=NASTY, url=NASTY),
        Cell(NASTY, label=NASTY, badge=NASTY, title=NASTY),
        Cell(NASTY, label=NASTY, aqi=2, title=NASTY),
        Cell(NASTY, label=NASTY, post=NASTY),
    ):
        for url in ("", NASTY):
            written = render_rows([{"url": url, "cells": [cell, cell]}], lambda: "")
            assert SAFE in written and "<b>" not in written and NASTY not in written


def test_the_first_cell_leads_to_the_row_and_the_others_to_their_own_records():
    written = render_rows([{"url": "/row/", "cells": [Cell("one", label="first", url="/else/"), Cell("two", url="/two/"), Cell("")]}], no_form)
    assert written.startswith('<tr data-url="/row/"><td data-label="First" class=""><span class="zs-cell"><a href="/row/"><span>one</span></a>')
    assert '<a href="/two/"><span>two</span></a>' in written and "/else/" not in written
    assert "<span>–</span>" in written


def test_a_time_is_printed_in_the_citys_zone_with_its_moment_beside_it():
    written = render_time(datetime(2026, 8, 1, 1, 2, 3, tzinfo=UTC))
    assert written == '<time datetime="2026-08-01T09:02:03+08:00" title="2026-08-01 09:02:03" data-zs-time>2026-08-01 09:02</time>'
    assert render_time(None) == "–"


def test_a_warning_level_has_a_shape_beside_its_colour():
    assert render_badge("level-red", "red, level I") == '<span class="zs-badge zs-badge--level-red"><span class="zs-shape zs-shape--red"></span>Red, level I</span>'
    assert render_badge("", "x") == '<span class="zs-badge zs-badge--silent">X</span>'


def test_a_cell_that_sends_carries_the_forgery_token_even_in_an_isolated_include():
    request = RequestFactory().get("/")
    context = Context({"request": request})
    context.request = request
    written = Template("{% load zs %}{% cell cell %}").render(Context({"cell": Cell("Send", post="/do/"), "csrf_token": "T0"}))
    assert '<form method="post" action="/do/"><input type="hidden" name="csrfmiddlewaretoken" value="T0">' in written
    context["cell"] = Cell("Send", post="/do/")
    assert 'name="csrfmiddlewaretoken" value="' in Template("{% load zs %}{% cell cell %}").render(context)
    assert render_cell(Cell("x"), no_form) == '<span class="zs-cell"><span>x</span></span>'


def test_a_link_to_a_record_is_the_address_of_its_page():
    thing = Thing(external_id="t-1", name="one")
    assert record_url(get_kind("sense.Thing"), thing) == reverse("record", args=["sense-thing", thing.uid])
