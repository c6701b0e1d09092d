"""Writes tests/golden/metrics/: pairs of texts and what sacrebleu, rouge-score and jieba make of them.

    python metrics.py [FOLDER]

Needs sacrebleu, rouge-score and jieba of requirements.txt, and nothing else of it. Numbers of metrics that these do not
have (distinct n-grams, repetition, fields of articles) are computed here and in metrics_articles.py.
"""

import json
import logging
import sys
from pathlib import Path

import jieba
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF

import metrics_articles
import metrics_texts

jieba.setLogLevel(logging.WARNING)
ROUGE = {"rouge-1": "rouge1", "rouge-2": "rouge2", "rouge-l": "rougeL"}
SEGMENTATIONS = ["words", "chinese", "characters", "jieba"]


def tokens(text: str, segmentation: str) -> list[str]:
    """As sacrebleu's tokenizers have it, or jieba's words."""
    if segmentation == "jieba":
        return [word for word in jieba.lcut(text) if word.strip()]
    name = {"words": "13a", "chinese": "zh", "characters": "char"}[segmentation]
    return BLEU(tokenize=name).tokenizer(text.rstrip()).split()


class Tokens:
    """For rouge-score: tokens of a segmentation that have a letter or digit, in lower case."""

    def __init__(self, segmentation: str):
        self.segmentation = segmentation

    def tokenize(self, text: str) -> list[str]:
        return [token.lower() for token in tokens(text, self.segmentation) if any(c.isalnum() for c in token)]


def bleu(pairs: list[dict], segmentation: str) -> dict:
    answers, references = [[pair[key] for pair in pairs] for key in ("answer", "reference")]
    if segmentation == "jieba":
        answers, references = [[" ".join(tokens(text, "jieba")) for text in texts] for texts in (answers, references)]
        metric = BLEU(tokenize="none", force=True)
    else:
        metric = BLEU(tokenize={"words": "13a", "chinese": "zh", "characters": "char"}[segmentation])
    score = metric.corpus_score(answers, [references])
    return {"score": repr(score.score), "printed": str(score), "statistics": [score.sys_len, score.ref_len, *score.counts, *score.totals]}


def chrf(pairs: list[dict]) -> dict:
    score = CHRF().corpus_score([pair["answer"] for pair in pairs], [[pair["reference"] for pair in pairs]])
    sentences = [repr(CHRF().sentence_score(pair["answer"], [pair["reference"]]).score) for pair in pairs]
    return {"score": repr(score.score), "printed": str(score), "sentences": sentences}


def rouge(pairs: list[dict], segmentation: str) -> dict:
    tokenizer = None if segmentation == "words" else Tokens(segmentation)
    scorer = rouge_scorer.RougeScorer(list(ROUGE.values()), tokenizer=tokenizer)
    scores = [scorer.score(pair["reference"], pair["answer"]) for pair in pairs]
    return {name: [repr(float(score[theirs].fmeasure)) for score in scores] for name, theirs in ROUGE.items()}


def ngrams(found: list[str], n: int) -> list[tuple]:
    return [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]


def spread(pairs: list[dict], segmentation: str) -> dict:
    """Distinct n-grams of all answers, repetition within an answer, lengths."""
    answers = [tokens(pair["answer"], segmentation) for pair in pairs]
    found = {}
    for n in (1, 2):
        all_of_them = [ngram for answer in answers for ngram in ngrams(answer, n)]
        found[f"distinct-{n}"] = len(set(all_of_them)) / len(all_of_them)
    repeated = [1 - len(set(four)) / len(four) for four in (ngrams(answer, 4) for answer in answers) if four]
    found["repetition"] = sum(repeated) / len(repeated)
    found["length"] = sum(map(len, answers)) / len(answers)
    references = [tokens(pair["reference"], segmentation) for pair in pairs]
    found["length-ratio"] = sum(map(len, answers)) / sum(map(len, references))
    return {name: repr(value) for name, value in found.items()}


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "golden" / "metrics")
    folder.mkdir(parents=True, exist_ok=True)
    texts, articles = metrics_texts.pairs(), metrics_articles.pairs()
    expected = {"sets": {}}
    for language in ("en", "zh"):
        pairs = [pair for pair in texts if pair["language"] == language]
        expected["sets"][language] = {
            "chrf": chrf(pairs),
            "exact-match": sum(pair["answer"].strip() == pair["reference"].strip() for pair in pairs) / len(pairs),
            **{
                segmentation: {
                    "tokens": [tokens(pair["answer"], segmentation) for pair in pairs],
                    "bleu": bleu(pairs, segmentation),
                    "rouge": rouge(pairs, segmentation),
                    "spread": spread(pairs, segmentation),
                }
                for segmentation in SEGMENTATIONS
            },
        }
    expected["articles"] = [metrics_articles.scores(pair["answer"], pair["reference"]) for pair in articles]
    for name, value in [("pairs", {"texts": texts, "articles": articles}), ("expected", expected)]:
        (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False, indent=None) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
