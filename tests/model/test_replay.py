# SPDX-License-Identifier: Apache-2.0
"""Traces that the checker must accept, and for each rule one that it must not."""
import json
import unittest

import replay

VOTERS = {"event": "voters", "voters": [1, 2, 3]}


def ev(event, node, **fields):
    """One line of a trace."""
    return {"event": event, "node": node, **fields}


def opened(term, index, nodes, source, log=()):
    """A view of these nodes opens a term at index; all append, write and acknowledge the OPEN.
    log: nodes that lack the entries below fetch nothing: they must be equal."""
    yield from (ev("view", n) for n in nodes)
    yield from log
    yield from (ev("promise", n, term=term) for n in nodes)
    yield ev("open", source, term=term, index=index)
    yield from (line for n in nodes for line in stored(n, term, index, f"open{term}"))


def stored(node, term, index, what):
    """Appended, durable, acknowledged."""
    yield ev("append", node, term=term, index=index, id=what)
    yield ev("durable", node, index=index)
    yield ev("ack", node, term=term, index=index)


FIRST = [VOTERS, *opened(1, 1, (1, 2), 1), ev("commit", 1, term=1, index=1)]


class Traces(unittest.TestCase):
    """Each test is one story."""

    def accept(self, lines):
        """No line is refused."""
        self.assertIsNone(replay.replay(map(json.dumps, lines))[1])

    def refuse(self, rule, good, bad):
        """The good lines pass; the bad one is refused by this rule."""
        number, why = replay.replay(map(json.dumps, [*good, bad]))
        self.assertEqual((number, (why or "").partition(":")[0]), (len(good) + 1, rule), why)

    def test_commits_and_goes_on_with_another_majority(self):
        self.accept([
            *FIRST, *stored(1, 1, 2, "a"), *stored(2, 1, 2, "a"), ev("commit", 2, term=1, index=2),
            ev("view", 2), ev("view", 3), ev("promise", 2, term=2), ev("promise", 3, term=2),
            ev("open", 2, term=2, index=3), *stored(2, 2, 3, "open2"),
            ev("append", 3, term=1, index=1, id="open1", **{"in": 2}),
            ev("append", 3, term=1, index=2, id="a", **{"in": 2}),
            *stored(3, 2, 3, "open2"), ev("commit", 3, term=2, index=3)])

    def test_uncommitted_tail_is_cut_for_the_source(self):
        self.accept([
            *FIRST, *stored(1, 1, 2, "a"), ev("view", 2), ev("view", 3),
            ev("promise", 2, term=2), ev("promise", 3, term=2), ev("open", 2, term=2, index=2),
            *stored(2, 2, 2, "open2"), ev("view", 1), ev("truncate", 1, index=2, **{"in": 2}),
            *stored(1, 2, 2, "open2"), ev("commit", 1, term=2, index=2)])

    def test_restart_drops_what_was_not_durable(self):
        self.accept([*FIRST, ev("append", 1, term=1, index=2, id="a"), ev("restart", 1),
                     ev("promise", 1, term=2)])

    def test_snapshot_of_committed_entries(self):
        self.accept([*FIRST, ev("view", 3), ev("snapshot", 3, term=1, index=1, **{"in": 1}),
                     ev("ack", 3, term=1, index=1)])

    def test_no_commit_without_a_majority(self):
        self.refuse("L1", [*FIRST, *stored(1, 1, 2, "a")], ev("commit", 1, term=1, index=2))

    def test_no_acknowledgement_before_fsync(self):
        self.refuse("L2", [*FIRST, ev("append", 1, term=1, index=2, id="a")],
                    ev("ack", 1, term=1, index=2))

    def test_no_promise_twice(self):
        self.refuse("L3", FIRST, ev("promise", 1, term=1))

    def test_no_open_without_a_majority(self):
        self.refuse("L3", [*FIRST, ev("promise", 3, term=2)], ev("open", 3, term=2, index=1))

    def test_no_open_by_a_shorter_log(self):
        self.refuse("L3", [*FIRST, ev("view", 2), ev("promise", 2, term=2), ev("promise", 3, term=2)],
                    ev("open", 3, term=2, index=1))

    def test_no_following_below_the_promise(self):
        self.refuse("L3", [*FIRST, ev("view", 2), ev("promise", 2, term=2)],
                    ev("append", 2, term=1, index=2, id="a"))

    def test_no_cut_of_what_is_equal(self):
        self.refuse("L3", [*FIRST, ev("view", 2)], ev("truncate", 2, index=1, **{"in": 1}))

    def test_no_cut_of_what_is_committed(self):
        self.refuse("L7", FIRST, ev("truncate", 1, index=1, **{"in": 1}))

    def test_older_entries_do_not_commit_by_themselves(self):
        good = [*FIRST, *stored(1, 1, 2, "a"), ev("view", 1), ev("view", 3),
                ev("promise", 1, term=2), ev("promise", 3, term=2), ev("open", 1, term=2, index=3),
                ev("append", 1, term=2, index=3, id="open2")]
        self.refuse("L4", good, ev("commit", 1, term=2, index=2))

    def test_nothing_late_of_the_term_before(self):
        self.refuse("L5", [*FIRST, ev("view", 2)], ev("ack", 2, term=1, index=1))

    def test_no_gap(self):
        self.refuse("L5", FIRST, ev("append", 1, term=1, index=3, id="a"))

    def test_no_two_entries_of_one_place(self):
        self.refuse("L5", [*FIRST, ev("append", 1, term=1, index=2, id="a")],
                    ev("append", 2, term=1, index=2, id="b"))

    def test_no_promise_of_a_store_that_has_lost_something(self):
        self.refuse("L7", [*FIRST, ev("lost", 2, index=0)], ev("promise", 2, term=2))

    def test_no_snapshot_of_what_is_not_committed(self):
        self.refuse("L13", [*FIRST, *stored(1, 1, 2, "a"), ev("view", 3)],
                    ev("snapshot", 3, term=1, index=2, **{"in": 1}))

    def test_what_is_no_trace(self):
        self.refuse("format", [VOTERS], ev("jump", 1))
        self.refuse("format", [VOTERS], ev("ack", 1))


if __name__ == "__main__":
    unittest.main()
