"""The pairs of answers and references that metrics are compared on: made up of words, with a fixed seed."""

import random

ENGLISH = {
    "who": ["the gardener", "a tall cook", "my aunt", "Dr. Lee", "an old miller", "the U.S. team", "nobody", "a well-known singer"],
    "does": ["opens", "sells", "does not clean", "re-reads", "counts", "paints", "measured", "hasn't found"],
    "what": ["the red gate", "3.5 kg of flour", "1,200 letters", "a state-of-the-art kettle", "the (small) window",
             "page 12-14", "its \"best\" chair", "50% of the seeds", "AT&T's map", "the cafe's naïve sign"],
    "when": ["on Monday.", "at 7:30 a.m.", "before winter;", "in 1999, again!", "every day...", "twice?", "since 2020-01-02.", "- so they say."],
}
CHINESE = {
    "who": ["园丁", "一位老师", "小林", "旅行者", "编辑部", "王女士", "许多读者", "没有人"],
    "does": ["打开了", "正在整理", "慢慢地抄写", "不再需要", "介绍", "回忆起", "测量了", "送来"],
    "what": ["院子的大门", "三本旧书", "《山间的清晨》这篇文章", "12.5公斤面粉", "第3期杂志", "一封没有署名的信",
             "“耐心”这个词", "Python程序", "春天的花园", "２０２４年的日历"],
    "when": ["。", "，在星期一。", "；后来天亮了。", "！大家都笑了。", "，因为下雨了……", "（大约7:30）。", "，从2020年开始？", "，然后回家。"],
}


def sentence(rng: random.Random, words: dict, space: str) -> str:
    text = space.join(rng.choice(words[part]) for part in ("who", "does", "what"))
    end = rng.choice(words["when"])
    return text + (space if space and end[0].isalnum() else "") + end


def changed(rng: random.Random, text: str, space: str) -> str:
    """The text as a model might give it: cut off, words lost, moved, doubled, other punctuation."""
    units = text.split(" ") if space else list(text)
    if rng.random() < 0.25:
        units = units[: max(1, len(units) // 2)]
    for _ in range(rng.randint(0, max(1, len(units) // 3))):
        at = rng.randrange(len(units))
        kind = rng.randrange(5)
        if kind == 0 and len(units) > 1:
            del units[at]
        elif kind == 1:
            units.insert(at, rng.choice(units))
        elif kind == 2:
            other = rng.randrange(len(units))
            units[at], units[other] = units[other], units[at]
        elif kind == 3:
            units[at] = units[at].upper()
        else:
            units.insert(at, rng.choice(["&amp;", "-", ",", "\n", "  ", "—", "。", "x1", "《", "…"]))
    return space.join(units)


# Where implementations differ first: nothing, blanks, what looks like markup, characters outside of the usual ranges.
ODD = [
    ("", "Something."), ("Something.", ""), ("", ""), ("  ", "a b"), ("a", "a"), ("a b c", "a b c"),
    ("a<skipped>b -\nc", "ab c"), ("&lt;b&gt; &quot;x&quot;", "<b> \"x\""), ("“quoted” text’s end", "\"quoted\" text's end"),
    ("tab\tand\x1cseparator\u00a0blank\u3000wide", "tab and separator blank wide"), ("𠀀𠀁 is rare", "𠀀 is rare"),
    ("e\u0301le\u0301ment ÄÖ İ K", "élément äö i k"), ("1,000.50-2", "1,000.50 - 2"), (".5 a.b,c 5. ,6", ".5 a. b, c 5 . , 6"),
    ("no no no no no no no no", "no no no"), ("the the cat cat", "the cat the cat"), ("春天", "春天"), ("春天来了", "春天来了，花开了。"),
    ("ｆｕｌｌ ｗｉｄｔｈ！", "full width!"), ("한국어 문장", "한국어 문장입니다"), ("日本語の文です。", "日本語の文章です。"), ("🙂🙂 ok", "🙂 ok"),
    ("don't can't", "do n't ca n't"), ("A.B.C. i.e. e.g.", "A.B.C., i.e., e.g."),
]


def pairs() -> list[dict]:
    """100 English and 100 Chinese pairs; the odd ones are among both."""
    rng = random.Random(13)
    made = [{"answer": answer, "reference": reference} for answer, reference in ODD]
    found = {"en": made[: len(made) // 2], "zh": made[len(made) // 2 :]}
    for language, words, space in [("en", ENGLISH, " "), ("zh", CHINESE, "")]:
        while len(found[language]) < 100:
            reference = (space or "").join(sentence(rng, words, space) for _ in range(rng.randint(1, 3)))
            found[language].append({"answer": changed(rng, reference, space), "reference": reference})
    return [{"language": language, **pair} for language in ("en", "zh") for pair in found[language]]
