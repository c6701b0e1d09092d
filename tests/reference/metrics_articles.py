"""Answers about articles and what is to be found in them: by a second implementation, for comparison."""

import json
import random
import re

TITLES = ["山间的清晨", "耐心", "A Letter Home", "雨后的天空", "老磨坊"]
AUTHORS = ["林小雨", "Ann Miller", "王一"]
VOLUMES = ["第3期", "第12期", "2020年第4期"]
WORDS = ["种子", "园丁", "清晨", "patience", "flour", "雨水"]


def article(rng: random.Random) -> dict:
    words = rng.sample(WORDS, rng.randint(1, 3))
    title = rng.choice(TITLES)
    return {
        "文章信息": {"标题": title, "作者": rng.choice(AUTHORS), "卷期": rng.choice(VOLUMES), "类别": "园艺"},
        "主要内容": {"概述": f"《{title}》讲了{words[0]}。", "关键段落": ["一段。"] * rng.randint(1, 2)},
        "关键词解释": {word: f"《{title}》中谈到：{word}" for word in words},
        "关键句子解释": {},
    }


def changed(rng: random.Random, answer: dict) -> str:
    answer = json.loads(json.dumps(answer))
    kind = rng.randrange(9)
    if kind == 0:
        answer["文章信息"]["标题"] = " " + answer["文章信息"]["标题"] + "\n"
    elif kind == 1:
        answer["文章信息"]["作者"] = rng.choice(AUTHORS)
    elif kind == 2:
        answer["文章信息"]["卷期"] = "第 12 期"
    elif kind == 3:
        answer["关键词解释"]["泥土"] = "《另一篇》中谈到。"
    elif kind == 4:
        del answer["主要内容"]["概述"]
    elif kind == 5:
        answer["更多"] = 1
    elif kind == 6:
        answer["主要内容"]["关键段落"] = "一段。"
    text = json.dumps(answer, ensure_ascii=False)
    if kind == 7:
        return text[:-2]
    if kind == 8:
        return f"这篇文章是《{answer['文章信息']['标题']}》，刊登在第3期。"
    return text


PROSE = [
    ("见《耐心》，第3期。", "出自《耐心》（第3期）。"), ("见《耐心》，第4期。", "出自《耐心》（第3期）。"), ("没有出处。", "出自《耐心》。"),
    ("没有出处。", "也没有。"), ("《另一篇》", "没有出处。"), ("[1, 2]", "{\"标题\": \"耐心\"}"), ("7", "7"), ("《 耐 心 》", "《耐心》"),
]


def pairs() -> list[dict]:
    rng = random.Random(14)
    made = [{"answer": answer, "reference": reference} for answer, reference in PROSE]
    while len(made) < 60:
        reference = article(rng)
        made.append({"answer": changed(rng, reference), "reference": json.dumps(reference, ensure_ascii=False)})
    return made


def has_form(value) -> bool:
    """Whether it has the form of `article`."""
    def texts(values) -> bool:
        return all(isinstance(text, str) for text in values)

    if not isinstance(value, dict) or set(value) != {"文章信息", "主要内容", "关键词解释", "关键句子解释"}:
        return False
    about, content, words, sentences = (value[key] for key in ("文章信息", "主要内容", "关键词解释", "关键句子解释"))
    if not all(isinstance(table, dict) for table in (about, content, words, sentences)):
        return False
    if set(about) != {"标题", "作者", "卷期", "类别"} or set(content) != {"概述", "关键段落"}:
        return False
    texts_of_tables = [*about.values(), content["概述"], *words.values(), *sentences.values()]
    return texts(texts_of_tables) and isinstance(content["关键段落"], list) and texts(content["关键段落"])


FIELDS = {"title": ("标题", "title"), "author": ("作者", "author"), "volume": ("卷期", "volume")}


def parsed(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return None


def field(value, names):
    """The first text or number under one of the names, breadth first."""
    level = [value]
    while level:
        below = []
        for table in level:
            if isinstance(table, dict):
                for name in names:
                    if isinstance(table.get(name), (str, int, float)) and not isinstance(table.get(name), bool):
                        return squeezed(str(table[name]))
                below.extend(table.values())
        level = below
    return None


def squeezed(text: str) -> str:
    return "".join(text.split())


def words(value):
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("关键词解释"), dict):
        return {squeezed(word) for word in value["关键词解释"]}
    if isinstance(value.get("keywords"), list):
        return {squeezed(word) for word in value["keywords"] if isinstance(word, str)}
    return None


def f1(found: set, expected: set) -> float:
    if not found or not expected:
        return 0.0
    return 2 * len(found & expected) / (len(found) + len(expected))


def cited(text: str) -> set:
    value = parsed(text)
    sources = {squeezed(title) for title in re.findall(r"《([^《》]+)》", text)}
    sources |= {squeezed(issue) for issue in re.findall(r"第\s*[0-9０-９一二三四五六七八九十百]+\s*[期卷]", text)}
    if isinstance(value, dict) and field(value, FIELDS["title"]):
        sources.add(field(value, FIELDS["title"]))
    return sources


def scores(answer: str, reference: str) -> dict:
    """Of one pair; None where the reference says nothing about it."""
    got, expected = parsed(answer), parsed(reference)
    found = {"json": 1.0 if isinstance(got, dict) else 0.0, "schema": float(has_form(got))}
    for name, keys in FIELDS.items():
        wanted = field(expected, keys)
        found[name] = None if wanted is None else float(field(got, keys) == wanted)
    wanted = words(expected)
    found["keywords"] = None if not wanted else f1(words(got) or set(), wanted)
    here, there = cited(answer), cited(reference)
    found["citations"] = None if not here and not there else f1(here, there)
    return found
