"""Chromium with what the providers' modules ask of a browser: they fill and press the same forms there."""
import json

from kit.chromium import Chromium
from kit.html_forms import Page


class Window(Chromium):
    @property
    def status(self):
        return 0                                    # a person does not see it

    def page(self):
        self.seen = Page(self.evaluate("document.documentElement.outerHTML") or "")
        return self.seen

    def press(self, form, button=None):
        """Types what the form holds into the page's own form, and clicks."""
        number = self.seen.forms.index(form)
        values = [[name, value] for name, kind, value in form.fields if name and kind not in ("hidden", "checkbox", "radio", "submit")]
        which = form.buttons.index(button) if button else 0
        self.evaluate(f"""(() => {{
          const form = document.forms[{number}];
          for (const [name, value] of {json.dumps(values)}) {{
            const field = [...form.elements].find((element) => element.name === name);
            if (field && value !== null) {{ field.value = value; field.dispatchEvent(new Event('input', {{ bubbles: true }})); }}
          }}
          const buttons = [...form.elements].filter((element) =>
            (element.tagName === 'BUTTON' && element.type === 'submit') || (element.tagName === 'INPUT' && ['submit', 'image'].includes(element.type)));
          if (buttons[{which}]) buttons[{which}].click(); else form.requestSubmit();
        }})()""")
        return self.settle()

    def follow(self, href):
        self.evaluate(f"location.href = {json.dumps(href)}")
        return self.settle()

    def at_app(self):
        return self.text.startswith('{"app"')
