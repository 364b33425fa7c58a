"""What a person can press on a page."""
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Button:
    name: str
    value: str
    label: str = ""
    action: str = ""


@dataclass
class Form:
    action: str
    method: str
    identity: str = ""
    fields: list = field(default_factory=list)      # [name, type, value] that would be sent
    buttons: list = field(default_factory=list)

    def types(self):
        return {kind for _, kind, _ in self.fields}

    def fill(self, kind_or_name, value):
        """Writes into the first field of this type or name; whether there was one."""
        for entry in self.fields:
            if kind_or_name in (entry[0], entry[1]):
                entry[2] = value
                return True
        return False


class Page(HTMLParser):
    """Forms, links and what happens without a person: a script that submits, a refresh."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.links, self.refresh, self.submits = [], [], None, False
        self._option, self._button, self._area, self._script, self._link = None, None, None, False, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = {name: value or "" for name, value in attributes}
        form = self.forms[-1] if self.forms else None
        if re.search(r"submit\s*\(\s*\)", a.get("onload", "")):
            self.submits = True
        if tag == "form":
            self.forms.append(Form(a.get("action", ""), a.get("method", "get").lower(), a.get("id", "")))
        elif tag == "script":
            self._script = True
        elif tag == "a" and a.get("href"):
            self._link = [a["href"], ""]
            self.links.append(self._link)
        elif tag == "meta" and a.get("http-equiv", "").lower() == "refresh":
            found = re.match(r"\s*(\d+)\s*;\s*url\s*=\s*['\"]?([^'\"]+)", a.get("content", ""), re.I)
            self.refresh = found and found.group(2)
        elif form is None:
            return
        elif tag == "input":
            self._input(form, a)
        elif tag == "button" and a.get("type", "submit").lower() == "submit":
            self._button = Button(a.get("name", ""), a.get("value", ""), action=a.get("formaction", ""))
            form.buttons.append(self._button)
        elif tag == "textarea":
            self._area = [a.get("name", ""), "textarea", ""]
            form.fields.append(self._area)
        elif tag == "select":
            self._option = [a.get("name", ""), "select", None]
            form.fields.append(self._option)
        elif tag == "option" and self._option and (self._option[2] is None or "selected" in a):
            self._option[2] = a.get("value", "")

    def _input(self, form, a):
        kind, name = a.get("type", "text").lower(), a.get("name", "")
        if kind in ("submit", "image"):
            form.buttons.append(Button(name, a.get("value", ""), a.get("value", ""), a.get("formaction", "")))
        elif kind in ("checkbox", "radio"):
            if "checked" in a and name:
                form.fields.append([name, kind, a.get("value", "on")])
        elif name and "disabled" not in a and kind not in ("button", "reset", "file"):
            form.fields.append([name, kind, a.get("value", "")])

    def handle_endtag(self, tag):
        if tag == "button":
            self._button = None
        elif tag == "select":
            self._option = None
        elif tag == "textarea":
            self._area = None
        elif tag == "script":
            self._script = False
        elif tag == "a":
            self._link = None

    def handle_data(self, data):
        if self._script and re.search(r"\.submit\s*\(\s*\)", data):
            self.submits = True
        if self._button:
            self._button.label += data
        if self._area:
            self._area[2] += data
        if self._link:
            self._link[1] += data
