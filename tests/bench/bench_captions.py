"""How much of what captions say is true: facts that are told of pictures whose truth is known.

How to read it: `precision` is the share of contestable facts that are right, over all and by kind.  `who`: nobody, how many people, a
face; `look`: the look that a picture has; `what`: a name of the classifier, right if it shares a word with what the
picture is called or MiniLM finds both alike (cosine 0.45 or more).  Light, colours and motion are measured by
definition, so they are not counted.  With `--llm N` the LLM phrases the facts of N moments: `accepted` is the share of
sentences that the checker lets pass, `unsupported` how many words of those no fact bears (0 by construction),
`invented` how many of 100 words the others had.  Same pictures as `reverie bench
retrieval`; thresholds were chosen by others of them than the 100 that are measured.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence

import numpy as np
from bench_retrieval import items
from environment import environment
from tqdm import tqdm

from reverie.models import llm, note
from reverie.models.search import space
from reverie.server import segment
from reverie.server.search.eye import Eye, Sight
from reverie.server.search.fusion import words
from reverie.server.search.index import LIKE
from reverie.server.search.telling import unsupported

ALIKE = 0.45
SAME = {"killer whale": "orca", "arabian camel": "dromedary", "drake": "duck", "ram": "sheep", "yawl": "sailboat",
        "isopod": "woodlouse", "goose": "gander"}  # fmt: skip
"""Names of the classifier that the pictures' own captions say otherwise."""
SOMEBODY = re.compile(r"^(\d+) (person|people)$|^somebody|^a person |^a face ")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="only the last line")
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--llm", type=int, default=0, metavar="N", help="let the LLM phrase so many")
    args = parser.parse_args()
    joint, place = space.load(), segment.folder()
    eye = Eye(joint, segment.Segmenter(place) if segment.is_here(place) else None)
    every = [*items()]
    picked = [every[n] for n in np.random.default_rng(0).permutation(len(every))[::-1][: args.moments]]
    right: dict[str, list[bool]] = {"who": [], "look": [], "what": []}
    told: list[tuple[str, ...]] = []
    for n, (kind, truth, picture) in enumerate(tqdm(picked, mininterval=10)):
        eye.put(Sight(100.0 * n, picture, None))
        window, _ = eye.finish() or (None, None)
        assert window is not None
        told.append(window.facts)
        for fact in window.facts:
            if (judged := judge(fact, kind, truth, joint)) is not None:
                right[judged[0]].append(judged[1])
                if not judged[1] and not args.json:
                    print(f"wrong: {fact!r} of {truth!r}")
    every_one = [each for some in right.values() for each in some]
    report = {
        "bench": "captions", "environment": environment(), "moments": len(picked), "facts": len(every_one),
        "precision": round(float(np.mean(every_one)), 3),
        "by_kind": {kind: {"facts": len(some), "precision": round(float(np.mean(some)), 3)} for kind, some in right.items() if some},
        "llm": phrased(told[: args.llm]) if args.llm else None,
    }  # fmt: skip
    print(json.dumps(report))


def judge(fact: str, kind: str, truth: str, joint: space.Space) -> tuple[str, bool] | None:
    """The kind of a fact and whether it is right; None if it is not contestable, or nobody knows."""
    if fact == "nobody" or (who := SOMEBODY.match(fact)):
        if kind == "styles":
            return None  # some of the clips show people
        people = int(truth.split()[0]) if kind == "people" and truth[0].isdigit() else 0
        if fact == "nobody":
            return "who", people == 0
        return "who", people == int(who[1]) if who[1] else people > 0
    if fact.startswith(LIKE):
        return ("look", fact.removeprefix(LIKE) == truth.replace("_", " ")) if kind == "styles" else None
    measured = r"\b(light|still|movement|mostly|colours)\b|^\w+, \w+ and \w+$"
    if kind != "objects" or re.search(measured, fact):
        return None
    alike = float(np.prod(joint.words([fact, truth]), axis=0).sum())
    return "what", bool(set(words(f"{fact} {SAME.get(fact, '')}")) & set(words(truth))) or alike >= ALIKE


def phrased(told: Sequence[tuple[str, ...]]) -> dict[str, float]:
    writer = llm.load()
    passed, bad, whole = 0, 0, 0
    for facts in tqdm(told, mininterval=10):
        sentence = "".join(note.narrate(facts, writer.generate))
        left = unsupported(sentence, facts)
        passed += bool(sentence) and not left
        bad, whole = bad + len(left), whole + len(words(sentence))
    return {
        "moments": len(told), "accepted": round(passed / len(told), 3), "unsupported": 0,
        "invented": round(100 * bad / max(1, whole), 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()
