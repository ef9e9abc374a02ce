#!/usr/bin/env python3
"""Near-duplicates beside other programs: quality and speed on the same sets, in one run, on one thread.

    cargo build --profile measure -p quality-eval          # in plugins/
    pip install --target peers datasketch rensa
    PYTHONPATH=peers benches/peers/near_duplicates.py path/to/quality-eval [--advisories FILE]

gaoya is a Rust crate; a small program that uses it is written to a temporary directory and built there.
Every peer gets words in lower case in runs of three, 128 permutations, and the thresholds its own
documentation or our measurements found best; the time holds words, signatures, index and queries.
The cases take turns over a number of rounds, and the median time counts. On a busy machine `--real-time`
measures with real-time priority (after what has to be built is built).
"""

import argparse
import itertools
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3
WORDS = re.compile(r"\w+")
GAOYA_MANIFEST = """
[package]
name = "gaoya-peer"
version = "0.0.0"
edition = "2021"
[dependencies]
gaoya = "=0.2.2"
serde_json = "1"
[workspace]
[profile.release]
lto = "thin"
"""
GAOYA_PROGRAM = r"""
use gaoya::minhash::{MinHashIndex, MinHasher, MinHasher32};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let threshold: f64 = arguments[2].parse().unwrap();
    let bands: usize = arguments[3].parse().unwrap();
    let width = 128 / bands;
    let text = std::fs::read_to_string(&arguments[1]).unwrap();
    let texts: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    let start = Instant::now();
    let hasher = MinHasher32::new(bands * width);
    let mut index = MinHashIndex::new(bands, width, threshold);
    let mut signatures = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let lower = text.to_lowercase();
        let words: Vec<&str> =
            lower.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
        let shingles: Vec<String> = words.windows(3).map(|three| three.join(" ")).collect();
        let signature = hasher.create_signature(shingles.iter().map(String::as_str));
        index.insert(number, signature.clone());
        signatures.push(signature);
    }
    let mut pairs = Vec::new();
    for (number, signature) in signatures.iter().enumerate() {
        pairs.extend(index.query_owned(signature).into_iter().filter(|o| *o < number).map(|o| [o, number]));
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "seconds": seconds, "pairs": pairs }));
}
"""


def shingles(text):
    words = WORDS.findall(text.lower())
    return [" ".join(words[at : at + 3]) for at in range(len(words) - 2)]


def with_datasketch(threshold):
    from datasketch import MinHash, MinHashLSH

    def run(texts):
        index = MinHashLSH(threshold=threshold, num_perm=128)
        pairs = []
        for number, text in enumerate(texts):
            sketch = MinHash(num_perm=128)
            sketch.update_batch([shingle.encode() for shingle in shingles(text)])
            pairs.extend((other, number) for other in index.query(sketch))
            index.insert(number, sketch)
        return pairs

    return run


def with_rensa(threshold, bands):
    from rensa import RMinHash, RMinHashLSH

    def run(texts):
        index = RMinHashLSH(threshold=threshold, num_perm=128, num_bands=bands)
        sketches = []
        pairs = []
        for number, text in enumerate(texts):
            sketch = RMinHash(num_perm=128, seed=42)
            sketch.update(shingles(text))
            found = index.query(sketch)
            pairs.extend((other, number) for other in found if sketch.jaccard(sketches[other]) >= threshold)
            index.insert(number, sketch)
            sketches.append(sketch)
        return pairs

    return run


def with_gaoya(program, threshold, bands):
    def run(path):
        out = subprocess.run([program, path, str(threshold), str(bands)], check=True, capture_output=True)
        found = json.loads(out.stdout)
        return found["pairs"], found["seconds"]

    return run


def score(rows, pairs):
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    wanted = sum(len(group) * (len(group) - 1) // 2 for group in groups.values())
    found = {tuple(sorted(pair)) for pair in pairs}
    right = sum(rows[a]["group"] == rows[b]["group"] for a, b in found)
    precision = right / len(found) if found else 1.0
    recall = right / wanted if wanted else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return precision, recall, f1, len(found) - right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("eval", help="the program `quality-eval`, built with the profile `measure`")
    parser.add_argument("--advisories", help="more texts, as `quality-eval --advisories` takes them")
    parser.add_argument("--real-time", action="store_true", help="measure with real-time priority (needs root)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        project = scratch / "gaoya"
        (project / "src").mkdir(parents=True)
        (project / "Cargo.toml").write_text(GAOYA_MANIFEST)
        (project / "src/main.rs").write_text(GAOYA_PROGRAM)
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=project, check=True)
        gaoya = subprocess.run(
            ["cargo", "metadata", "--no-deps", "--format-version=1"], cwd=project, check=True, capture_output=True
        )
        gaoya = pathlib.Path(json.loads(gaoya.stdout)["target_directory"]) / "release/gaoya-peer"
        sets = scratch / "sets"
        sets.mkdir()
        more = ["--advisories", arguments.advisories] if arguments.advisories else []
        subprocess.run([arguments.eval, "export", str(sets), *more], check=True)
        if arguments.real_time:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(40))
        for path in sorted(sets.glob("*.jsonl")):
            measure(arguments.eval, gaoya, path)


def measure(program, gaoya, path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    texts = [row["text"] for row in rows]
    in_process = {
        f"datasketch {threshold}": with_datasketch(threshold) for threshold in (0.3, 0.5, 0.8)
    } | {
        "rensa 0.3, 64 bands": with_rensa(0.3, 64),
        "rensa 0.8, 16 bands": with_rensa(0.8, 16),
    }
    outside = {
        "gaoya 0.3, 42 bands": with_gaoya(gaoya, 0.3, 42),
        "gaoya 0.8, 16 bands": with_gaoya(gaoya, 0.8, 16),
    }
    for name, mode in (("ringfence, whole set", "set"), ("ringfence, index", "index")):
        outside[name] = lambda path, mode=mode: ours(program, mode, path)
    times = {name: [] for name in itertools.chain(outside, in_process)}
    found = {}
    for _ in range(ROUNDS):
        for name, run in outside.items():
            found[name], seconds = run(path)
            times[name].append(seconds)
        for name, run in in_process.items():
            start = time.perf_counter()
            found[name] = run(texts)
            times[name].append(time.perf_counter() - start)
    print(f"\n{path.stem}: {len(rows)} texts, {sum(map(len, texts)) / len(texts):.0f} characters each\n")
    print("| program | precision | recall | F1 | false pairs | texts a second |\n|---|--:|--:|--:|--:|--:|")
    for name, seconds in times.items():
        precision, recall, f1, wrong = score(rows, found[name])
        rate = len(rows) / statistics.median(seconds)
        print(f"| {name} | {precision:.4f} | {recall:.4f} | {f1:.4f} | {wrong} | {rate:.0f} |")
    sys.stdout.flush()


def ours(program, mode, path):
    out = subprocess.run([program, "pairs", mode, str(path)], check=True, capture_output=True)
    found = json.loads(out.stdout)
    return found["pairs"], found["seconds"]


if __name__ == "__main__":
    main()
