# SPDX-License-Identifier: Apache-2.0
"""Replays a trace of the ledger against ledger.pml's rules; the format stands in README.md.

    replay.py FILE ...     prints the first line that no rule allows; the exit status is 1 then

A trace is what the members of a cluster did, in an order in which it may have happened. Votes are
one for each voter, the voters are fixed; learners and terms come by what the lines say.
"""
import json
import sys


class Refused(Exception):
    """A line that no rule allows. The text begins with the rule."""


class Node:
    """One member's log: [(term, what)], index 1 is at 0."""

    def __init__(self):
        self.log = []
        self.durable = 0        # entries on its disk
        self.promised = 0
        self.committed = 0      # as it knows
        self.term = 0           # of the view that it follows; 0: none
        self.opened = 0         # index of that term's OPEN

    def term_at(self, index):
        """0 at index 0 and above the end."""
        return self.log[index - 1][0] if 1 <= index <= len(self.log) else 0

    def last(self):
        """By this sources are compared."""
        return self.term_at(len(self.log)), len(self.log)


def need(condition, rule, text):
    """What must hold here."""
    if not condition:
        raise Refused(f"{rule}: {text}")


class Checker:
    """Takes one event after another; raises Refused at the first that no rule allows."""

    def __init__(self):
        self.voters = set()
        self.learners = set()   # stores that have lost something: no vote, though in the record
        self.nodes = {}
        self.opens = {}         # term -> (index, source)
        self.promises = {}      # term -> nodes
        self.acked = {}         # (term, node) -> index
        self.committed = []     # what the cluster has committed: never changes
        self.entries = {}       # (term, index) -> what

    def majority(self, nodes):
        """More than half of the voters."""
        return 2 * len(self.voters & set(nodes)) > len(self.voters)

    def event(self, e):
        """One line."""
        name = e["event"]
        handle = getattr(self, "on_" + name, None)
        need(handle is not None, "format", f"there is no event {name!r}")
        if name == "voters":
            handle(e)
        else:
            handle(self.nodes.setdefault(e["node"], Node()), e)

    def on_voters(self, e):
        """The first line: who has a vote."""
        need(not self.voters, "L8", "changes of the voters' record are not in this model")
        self.voters = set(e["voters"])

    def on_view(self, n, _e):
        """All of the view before ends. What was handed to the disk already may still arrive there,
        and comes as a durable line before the next promise."""
        n.term = 0

    def on_restart(self, n, _e):
        """What was not durable is gone."""
        n.log = n.log[:n.durable]
        n.committed = min(n.committed, n.durable)
        n.promised = max(n.promised, n.term_at(n.durable))
        n.term = 0

    def on_lost(self, n, e):
        """The store was set back: it is a learner from now on."""
        n.log = n.log[:e["index"]]
        n.durable = len(n.log)
        n.committed = min(n.committed, n.durable)
        n.promised = n.term_at(n.durable)
        n.term = 0
        self.learners.add(e["node"])

    def on_promise(self, n, e):
        """Durable when it is said."""
        need(e["node"] not in self.learners, "L7", "a store that has lost something promises")
        need(e["term"] > n.promised, "L3", f"term {e['term']}, but {n.promised} is promised")
        need(n.durable == len(n.log), "L3", "not all that it holds is durable")
        n.promised = e["term"]
        self.promises.setdefault(e["term"], {})[e["node"]] = n.last()

    def on_open(self, n, e):
        """Said by the source. Index: of the OPEN."""
        term, said = e["term"], self.promises.get(e["term"], {})
        need(term not in self.opens, "L3", f"term {term} is open already")
        need(self.majority(said), "L3", f"no majority has promised term {term}")
        need(e["node"] in said, "L3", "the source has not promised")
        need(said[e["node"]] == max(said.values()), "L3", "the source is not the most advanced one")
        need(said[e["node"]] == n.last(), "L3", "its log is not that of its STATE")
        need(e["index"] == len(n.log) + 1, "L5", f"the OPEN's index is {len(n.log) + 1}")
        self.opens[term] = (e["index"], e["node"])

    def follow(self, n, term):
        """Only an open term, and none below the promise."""
        need(term in self.opens, "L3", f"term {term} is not open")
        need(term >= n.promised, "L3", f"follows term {term}, but {n.promised} is promised")
        n.promised = max(n.promised, term)
        n.term, n.opened = term, self.opens[term][0]

    def on_append(self, n, e):
        """Term: of the entry; in: the open term in which it came, if it was fetched."""
        index, term, now = e["index"], e["term"], e.get("in", e["term"])
        if n.term != now:
            self.follow(n, now)
        need(index == len(n.log) + 1, "L5", f"the next index is {len(n.log) + 1}")
        need(term >= n.term_at(len(n.log)), "L4", "terms fall in the log")
        need(term <= now, "L5", f"an entry of term {term} in term {now}")
        need(term != now or index >= n.opened, "L5", "below the OPEN of its term")
        what = self.entries.setdefault((term, index), e.get("id"))
        need(what == e.get("id"), "L5", f"two entries are (term {term}, index {index})")
        n.log.append((term, e.get("id")))

    def on_truncate(self, n, e):
        """Index: the first that goes. Only in an open term that has something else there."""
        index, now = e["index"], e["in"]
        if n.term != now:
            self.follow(n, now)
        need(index > n.committed, "L7", f"entry {index} is committed here")
        need(1 <= index <= len(n.log), "format", f"there is no entry {index}")
        source = self.nodes[self.opens[now][1]]
        need(source is not n, "L3", "the source cuts its own log")
        same = index <= len(source.log) and source.log[index - 1] == n.log[index - 1]
        need(not same or source.term != now, "L3", f"entry {index} is equal at the source")
        n.log = n.log[:index - 1]
        n.durable = min(n.durable, index - 1)

    def on_durable(self, n, e):
        """All up to there is on the disk."""
        need(n.durable <= e["index"] <= len(n.log), "L2", "the log does not reach from there to there")
        n.durable = e["index"]

    def on_forget(self, n, e):
        """At a view's end: what was not handed to the disk is dropped, above index."""
        need(n.durable <= e["index"] <= len(n.log), "L3", "something durable would go")
        need(e["index"] >= n.committed, "L7", "something committed would go")
        n.log = n.log[:e["index"]]

    def on_snapshot(self, n, e):
        """The committed beginning up to index, installed in one write."""
        index, now = e["index"], e["in"]
        if n.term != now:
            self.follow(n, now)
        need(index <= len(self.committed), "L13", f"entry {index} is not committed")
        need(index >= n.committed, "L13", f"entry {n.committed} is committed here")
        need(e["term"] == self.committed[index - 1][0], "L13", f"entry {index} is of another term")
        n.log = self.committed[:index] + (n.log[index:] if n.log[:index] == self.committed[:index]
                                          else [])
        n.durable, n.committed = index, index

    def on_ack(self, n, e):
        """Durable up to index, in the term that the node follows."""
        term, index = e["term"], e["index"]
        need(n.term == term, "L5", f"acknowledges in term {term}, but follows {n.term or 'none'}")
        need(index <= n.durable, "L2", f"only {n.durable} is durable")
        need(index >= n.opened, "L4", "below the OPEN")
        self.acked[term, e["node"]] = max(index, self.acked.get((term, e["node"]), 0))

    def on_commit(self, n, e):
        """The node knows all up to index to be committed in term."""
        term, index = e["term"], e["index"]
        need(n.term == term, "L5", f"commits in term {term}, but follows {n.term or 'none'}")
        need(index <= len(n.log), "L1", f"its log ends at {len(n.log)}")
        need(index >= n.opened, "L4", "older entries do not count by themselves")
        holds = {node for (t, node), upto in self.acked.items()
                 if t == term and upto >= index and node not in self.learners}
        need(self.majority(holds), "L1", f"a majority has not acknowledged {index}")
        for i in range(min(index, len(self.committed))):
            need(self.committed[i] == n.log[i], "L1", f"entry {i + 1}, committed, has been lost")
        self.committed += n.log[len(self.committed):index]
        n.committed = max(n.committed, index)


def replay(lines):
    """(number of lines, None) or (line number, why not)."""
    checker, number = Checker(), 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            checker.event(json.loads(line))
        except Refused as why:
            return number, str(why)
        except (KeyError, TypeError, ValueError) as why:
            return number, f"format: {type(why).__name__} {why}"
    return number, None


def main(paths):
    """Each file is a trace of its own."""
    bad = 0
    for path in paths:
        with open(path, encoding="utf-8") as file:
            number, why = replay(file)
        print(f"{path}:{number}: {why}" if why else f"{path}: {number} lines, all allowed")
        bad += why is not None
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
