"""Writes tests/golden/chat/expressions.json: what templates print in transformers' environment for chat templates.

    python jinja.py [FILE]

What is not here, templates of models do not use: tuples print as lists, macros have no `varargs`, cyclers have only `next`, and there
are no filters `pprint`, `wordwrap` and `xmlattr`.
"""

import datetime
import json
import sys
from pathlib import Path

from transformers.utils import chat_template_utils

TODAY = datetime.datetime(2024, 7, 6, 0, 0, 0)
VARIABLES = {
    "x": {"b": "<é>", "a": [1, True, None, 2.5]},
    "s": "Hello wide world\twith  tabs",
    "l": [3, 1, 2],
    "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
}
TEMPLATES = r"""
{{ nothing | length }}|{{ nothing | count }}|{{ nothing | list }}
{{ nothing | first }}|{{ nothing | last }}|{{ nothing | join(',') }}|{{ nothing | string }}|{{ nothing | trim }}
{% for k, v in nothing | items %}{{ k }}{% endfor %}-
{{ nothing | upper }}|{{ nothing | replace('a', 'b') }}|{{ nothing | default('d') }}|{{ nothing | sum }}
{{ [] | first }}|{{ [] | last }}|{{ '' | first }}|{{ {} | length }}|{{ s | last }}|{{ s | first }}
{{ '%s and %s' % ('a', 1) }}|{{ '%s' % x.b }}|{{ '%d%%' % 7 }}|{{ '%.2f' % 1.5 }}|{{ '%s' % [1, 2] }}|{{ '%5s|%-5s|%05d' % ('a', 'b', 42) }}
{{ '%(a)s-%(b)s' % {'a': 1, 'b': 'c'} }}|{{ '%r' % 'a' }}|{{ '%x %X %o' % (255, 255, 8) }}|{{ 7 % 4 }}|{{ -7 % 4 }}
{{ 'abcdefghij klm' | truncate(8) }}|{{ 'abcdefghij klm' | truncate(8, true) }}|{{ 'abcdefghij klm' | truncate(8, false, '', 0) }}|{{ 'short' | truncate(8) }}
{{ s | wordcount }}|{{ '春天 is here' | wordcount }}|{{ 'ab' | center(6) }}|{{ 'ab' | center }}.
{{ '<p>a &amp; <b>b</b></p>  c' | striptags }}|{{ 'x' | e }}|{{ '<' | e }}|{{ '<' | escape }}|{{ '<' | safe }}
{{ 'a b' | urlencode }}|{{ 1234567 | filesizeformat }}
{{ dict([('a', 1), ('b', 2)]) }}|{{ dict(a=1, b='c') }}|{{ dict() }}|{{ dict({'a': 1}, b=2) }}
{% set c = cycler('odd', 'even') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.next() }}
{% set j = joiner('; ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}
{{ 'abcabc'.rindex('b') }}|{{ 'abcabc'.rfind('z') }}|{{ 'ab'.center(6, '*') }}|{{ 'ab'.center(5) }}.|{{ s.expandtabs() }}|{{ 'a\tb'.expandtabs(4) }}
{{ 'aXbXc'.rsplit('X', 1) }}|{{ 'a\nb\r\nc'.splitlines() }}|{{ 'a\nb'.splitlines(true) }}|{{ 'abc'.find('c') }}|{{ 'a,b'.split(',') }}
{{ 'Ab1'.isalnum() }}|{{ 'ab'.isalpha() }}|{{ '12'.isdigit() }}|{{ 'ab'.islower() }}|{{ 'AB'.isupper() }}|{{ ' '.isspace() }}|{{ '12'.isnumeric() }}|{{ 'Ab'.istitle() }}|{{ 'a_b'.isidentifier() }}
{{ '{} {b}'.format(1, b=2) }}|{{ '{:>5}|{:05.1f}'.format('a', 2.25) }}|{{ 'abc'.translate({97: 'x'}) }}
{{ 'a'.join(['x', 'y']) }}|{{ 'abab'.count('ab') }}|{{ 'ab'.startswith(('x', 'a')) }}|{{ 'ab'.endswith('b', 0, 2) }}|{{ 'abc'.startswith('b', 1) }}
{{ 'a\
b' }}|{{ 'tab\there' }}|{{ '\x41\u00e9\U0001F600' }}|{{ "it\'s \"q\"" }}|{{ '\\n' }}|{{ '\a\d' }}
{{ strftime_now('%c|%x|%X|%f|%Z|%j|%U|%p|%I|%y|%B|%b|%a|%d %b %Y') }}|{{ strftime_now('%z') }}|{{ strftime_now('%-d %-m') }}|{{ strftime_now('%%') }}
{{ x }}|{{ x | tojson }}|{{ x | tojson(indent=2) }}|{{ none }}|{{ true }}|{{ 1.0 }}|{{ 1e20 }}|{{ x.a | tojson }}
{{ l | sort }}|{{ l | sort(reverse=true) | join }}|{{ l | max }}|{{ l | min }}|{{ l | sum }}|{{ l | reverse | list }}|{{ l | map('string') | list }}|{{ l | batch(2) | list }}|{{ l | slice(2) | list }}
{{ messages | map(attribute='role') | join('-') }}|{{ messages | selectattr('role', 'equalto', 'user') | list | length }}|{{ messages | rejectattr('role', 'eq', 'user') | map(attribute='content') | first }}|{{ messages | groupby('role') | length }}
{{ 'a' ~ 1 ~ none ~ true }}|{{ 'ab' * 2 }}|{{ 7 // 2 }}|{{ 2 ** 3 }}|{{ 7 / 2 }}|{{ [1] + [2] }}|{{ 'a' 'b' }}|{{ 'b' in 'abc' }}|{{ 1 if nothing }}|{{ 'x' if nothing is defined else 'y' }}
{{ x.get('b') }}|{{ x.get('z', 'd') }}|{{ x.keys() | list }}|{{ x.values() | list | length }}|{{ x | items | list | length }}
{{ s | capitalize }}|{{ s | title }}|{{ 'a-b c' | title }}|{{ s | upper | lower }}|{{ s | replace('l', 'L', 2) }}|{{ s | indent(2) }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}
{{ '3' | int }}|{{ 'x' | int(9) }}|{{ '3.7' | float }}|{{ 3.7 | int }}|{{ 3.456 | round(1) }}|{{ 3.5 | round }}|{{ 2.5 | round(0, 'floor') }}|{{ -3 | abs }}
{{ range(3) | list }}|{{ range(5, 1, -2) | list }}|{{ l[::-1] }}|{{ l[1:] }}|{{ s[:5] }}|{{ s[-4:] }}|{{ s[::-1] }}|{{ l[-1] }}
{{ x is mapping }}|{{ l is sequence }}|{{ s is string }}|{{ 1 is number }}|{{ 1.0 is float }}|{{ 1 is integer }}|{{ none is none }}|{{ true is boolean }}|{{ 3 is odd }}|{{ 4 is divisibleby(2) }}|{{ 'A' is upper }}|{{ l is iterable }}|{{ 1 is eq(1) }}|{{ 'a' is in(['a']) }}
{% set ns = namespace(a=1, b='x') %}{% set ns.a = ns.a + 1 %}{{ ns.a }}{% generation %}{% set ns.b = 'y' %}z{% endgeneration %}{{ ns.b }}
{% set ns = namespace(a=1) %}{% for m in messages %}{% generation %}{% set ns.a = loop.index %}{% endgeneration %}{% endfor %}{{ ns.a }}
{% set ns = namespace(a=1) %}{% generation %}{% if true %}{% set ns.a = 5 %}{% endif %}{% endgeneration %}{{ ns.a }}{% set t %}block{% endset %}{{ t }}
{% macro f(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}|{{ f(1, b=3) }}|{{ f(1, 2) }}
{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem is defined }}{% else %}none{% endfor %}
{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% with a = 1 %}{{ a }}{% endwith %}{% filter upper %}x{{ s }}{% endfilter %}{% raw %}{{ raw }}{% endraw %}{# comment #}{{- 'z' -}}
{{ {'a': {'b': [1, 'x']}} }}|{{ 'it''s' }}|{{ "a\"b" | tojson }}
{{ 'abc' | list }}|{{ 'abc' | reverse }}|{{ [1, 1, 2] | unique | list }}|{{ [[1, 2], [3]] | sum(start=[]) }}
{{ 'a' | format }}|{{ '%s!' | format('x') }}|{{ messages | tojson(ensure_ascii=true) }}|{{ 'é' | tojson }}|{{ 'é' | tojson(ensure_ascii=true) }}
{{ range is defined }}|{{ [1, 2] | random is number }}|{{ 'a' | attr('b') is defined }}|{{ x['b'] }}|{{ x.missing is defined }}|{{ l[9] is defined }}
""".strip("\n")


def templates():
    """A line each; a line that ends in a backslash goes on."""
    found, begun = [], ""
    for line in TEMPLATES.split("\n"):
        begun += line
        if begun.endswith("\\"):
            begun += "\n"
        else:
            found.append(begun)
            begun = ""
    return found


class Clock(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz=None):
        return TODAY


def main():
    chat_template_utils.datetime = Clock
    cases = []
    for line in templates():
        # Each part alone, so that one that fails does not hide the others.
        parts = line.split("}}|{{") if line.startswith("{{") and "%}" not in line else [line]
        for i, part in enumerate(parts):
            text = ("{{" if i > 0 else "") + part + ("}}" if i + 1 < len(parts) else "")
            try:
                rendered = chat_template_utils._compile_jinja_template(text).render(**VARIABLES)
                cases.append({"template": text, "text": rendered})
            except Exception as error:  # jinja's own, and Python's from within a template
                cases.append({"template": text, "error": f"{type(error).__name__}: {error}"})
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "golden" / "chat" / "expressions.json"
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    head = json.dumps({"date": "2024-07-06", "variables": VARIABLES}, ensure_ascii=False)[:-1]
    file.write_text(f'{head}, "cases": [\n{lines}\n]}}\n')
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
