#!/usr/bin/env python3
"""How well the step `extract` takes the text of an article out of a page, beside other extractors, in one run.

    git clone https://github.com/scrapinghub/article-extraction-benchmark pages
    pip install --target peers trafilatura readability-lxml lxml_html_clean
    PYTHONPATH=peers benches/peers/extract_quality.py target/release/ringfence pages

The pages are 181 of news sites and others, each with the text that people marked in it. Texts are compared as runs of
four words, with how often each occurs: precision and recall are means over the pages, F1 is that of both, as the
README of the pages has it. A peer that is not installed is left out and named.
"""

import base64
import collections
import gzip
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

WORDS = re.compile(r"\w+")
PLUGIN = "plugins/steps/extract"


def runs(text):
    words = WORDS.findall(text)
    if len(words) < 4:
        return collections.Counter([tuple(words)] if words else [])
    return collections.Counter(zip(*(words[start:] for start in range(4))))


def score(wanted, found):
    precisions, recalls = [], []
    for page, text in wanted.items():
        true, told = runs(text), runs(found[page])
        both = sum((true & told).values())
        if told:
            precisions.append(both / sum(told.values()))
        if true:
            recalls.append(both / sum(true.values()))
    precision, recall = statistics.mean(precisions), statistics.mean(recalls)
    return precision, recall, 2 * precision * recall / (precision + recall)


def ours(program, pages):
    """Calls the component once for each page, in one instance; what cannot be read is an empty text."""
    found, start = {}, time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        env = dict(
            os.environ,
            RINGFENCE_STATE_DIR=os.path.join(place, "state"),
            RINGFENCE_CACHE_DIR=os.path.join(place, "cache"),
        )
        command = [program, "--json", "call", PLUGIN, "--batch", "-"]
        calls = (
            {"function": "extract", "input": {"body": base64.b64encode(body).decode(), "media-type": "text/html"}}
            for body in pages.values()
        )
        lines = "".join(json.dumps(call) + "\n" for call in calls)
        # The first run compiles.
        subprocess.run(command, input=lines.splitlines(True)[0], env=env, capture_output=True, text=True)
        start = time.perf_counter()
        done = subprocess.run(command, input=lines, env=env, capture_output=True, text=True)
    took = time.perf_counter() - start
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(pages):
        sys.exit(f"{len(answers)} answers for {len(pages)} pages: {done.stderr[:500]}")
    for page, answer in zip(pages, answers):
        found[page] = (answer.get("result") or {}).get("text", "")
    return found, took


def peer(extract, pages):
    found, start = {}, time.perf_counter()
    for page, body in pages.items():
        try:
            found[page] = extract(body) or ""
        except Exception:  # a peer that fails on a page has no text of it
            found[page] = ""
    return found, time.perf_counter() - start


def trafilatura():
    import trafilatura as peer_module

    return peer_module.__version__, lambda body: peer_module.extract(body, include_comments=False)


def readability():
    import importlib.metadata

    import lxml.html
    from readability import Document

    def extract(body):
        summary = Document(body.decode("utf-8", "replace")).summary()
        return " ".join(lxml.html.fromstring(summary).itertext())

    return importlib.metadata.version("readability-lxml"), extract


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, place = sys.argv[1], pathlib.Path(sys.argv[2])
    truth = json.loads((place / "ground-truth.json").read_text())
    wanted = {page: entry.get("articleBody", "") for page, entry in truth.items()}
    pages = {page: gzip.decompress((place / "html" / f"{page}.html.gz").read_bytes()) for page in wanted}
    print("| extractor | precision | recall | F1 | ms a page |\n|---|--:|--:|--:|--:|")
    cases = [("ringfence, `extract` as a component", lambda: ours(program, pages))]
    for name, load in (("trafilatura", trafilatura), ("readability-lxml", readability)):
        try:
            version, extract = load()
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        cases.append((f"{name} {version}", lambda extract=extract: peer(extract, pages)))
    for name, run in cases:
        found, took = run()
        precision, recall, f1 = score(wanted, found)
        print(f"| {name} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {took * 1e3 / len(pages):.1f} |", flush=True)


if __name__ == "__main__":
    main()
