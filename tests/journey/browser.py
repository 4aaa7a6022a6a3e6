"""A person's browser, without pictures: cookies, forms with their hidden fields, and one stream of events."""

import html
import http.client
import json
import re
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar


class _Form(HTMLParser):
    def __init__(self):
        super().__init__()
        self.fields, self.choices, self._inside, self._select = {}, {}, False, None

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form":
            self._inside = given.get("class") == "zs-form"
        if not self._inside:
            return
        if tag == "input" and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")
        if tag == "select":
            self._select = given["name"]
            self.choices[self._select] = []
        if tag == "option" and self._select:
            self.choices[self._select].append(given["value"])
        if tag == "textarea":
            self.fields[given["name"]] = ""

    def handle_endtag(self, tag):
        if tag == "select":
            self._select = None
        if tag == "form":
            self._inside = False


class Browser:
    """One person at one origin."""

    def __init__(self, port):
        self.port, self.jar = port, CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar))
        self.path = ""

    def get(self, path):
        return self._ask(path, None)

    def get_json(self, path):
        return json.loads(self.get(path))

    def submit(self, path, **given):
        """Open the page of a form, fill it in and send it with everything it carries; returns the page one lands on."""
        form = _Form()
        form.feed(self.get(path))
        fields = form.fields | {name: options[0] for name, options in form.choices.items()} | given
        assert "csrfmiddlewaretoken" in fields, f"no form at {path}, but {self.path}"
        return self._ask(path, urllib.parse.urlencode(fields).encode())

    def log_in(self, username, password):
        return self.submit("/login/", username=username, password=password)

    def _ask(self, path, data):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Accept-Language": "en"})
        with self._opener.open(request, timeout=30) as answer:
            self.path = urllib.parse.urlparse(answer.url).path
            return answer.read().decode()

    def listen(self, path, until):
        """Read a stream of events until `until(name, data)` says that it was enough; returns the events."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Cookie": "; ".join(f"{c.name}={c.value}" for c in self.jar), "Accept-Language": "en"})
            answer, found, name = connection.getresponse(), [], ""
            assert answer.status == 200, answer.read()
            while True:
                line = answer.readline().decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                if line.startswith("data: "):
                    found.append((name, json.loads(line[6:])))
                    if until(*found[-1]):
                        return found
        finally:
            connection.close()


def find_text(page):
    """What a reader sees of a page, in one line."""
    body = re.sub(r"<(script|style|svg)[^>]*>.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))
