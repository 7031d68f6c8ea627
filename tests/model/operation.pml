/* SPDX-License-Identifier: Apache-2.0
 * Operations: records that a committed command creates, carried out by one life of one node,
 * reported by command, dropped only on a proof that this life is over.
 *
 * The ledger is taken for granted (ledger.pml): commands become a list, and each node has applied
 * as much of it as it likes to; applying is the same for all, so what a node knows is the state
 * after the commands that it has applied. Commands wait on their way, and may come twice (a
 * proposer whose term has ended proposes again). One guest is to be started, on node 0 or 1. No
 * gate is in here: an executor acts by whatever it has applied, however old that is.
 *
 * What must hold: an operation is carried out by the life that it names and by no other, never
 * after the model knows that this life is over, never twice, and the guest never runs twice.
 *
 * Each of these takes one rule away and must be refuted:
 *	NO_PROOF	an operation is dropped when its deadline passes, without a proof
 *	ANY_LIFE	an executor carries out what is addressed to its node, whatever the life
 *	NO_LOOK		an agent begins a standing operation again without looking what is there
 *	OLD_PROOF	a proof is taken for whoever carries the operation out when it comes
 *	TWICE		a command that comes twice has its effect twice
 */
#ifndef MAXC
#define MAXC 5			/* commands that are applied with effect */
#endif
#ifndef BOOTS
#define BOOTS 2
#endif
#ifndef RESTARTS
#define RESTARTS 1
#endif
#ifndef WAITING
#define WAITING 3		/* commands on their way */
#endif

/* Of a command, and how the guest stands after it. */
mtype { NOTHING, ORDER, DONE, DROP, ALIVE };
#define IDLE 0
#define ORDERED 1
#define FINISHED 2

/* The model after each command: one operation at a time; op is its id, as (index of its order). */
byte n_log;
byte h_status[MAXC + 1], h_op[MAXC + 1], h_node[MAXC + 1], h_life[MAXC + 1];
byte h_alive[(MAXC + 1) * 2];	/* the life of each node that the model knows; 0: none, it is off */
byte applied[2];

/* On their way: kind, whom it is about, and the revision that it was decided by. */
mtype w_kind[WAITING];
byte w_node[WAITING], w_life[WAITING], w_rev[WAITING];

/* The nodes. */
byte life[2];			/* 0: off */
byte lives[2];			/* so many there have been */
bool runs[2];			/* the guest's process: it dies with the node's life */
bool did[2];			/* the agent remembers that it has carried out what it stands at */
byte did_op[2];
byte boots, restarts;

/* Ghosts. */
byte carried;			/* ids of operations that have been carried out, as bits */

hidden byte i, x;

#define STATUS(a) h_status[applied[a]]
#define MINE(a) (STATUS(a) == ORDERED && h_node[applied[a]] == a)
#define CAUGHT_UP(a) (life[a] != 0 && applied[a] == n_log)

inline propose(kind, who, lf, rev) {
	i = 0;
	do
	:: i < WAITING && w_kind[i] != NOTHING -> i++
	:: else -> break
	od;
	if
	:: i < WAITING -> w_kind[i] = kind; w_node[i] = who; w_life[i] = lf; w_rev[i] = rev
	:: else -> skip
	fi;
	i = 0
}
#define ROOM (w_kind[0] == NOTHING || w_kind[1] == NOTHING || w_kind[2] == NOTHING)
#define WAITS(s, kind, who, lf) (w_kind[s] == kind && w_node[s] == who && w_life[s] == lf)
#define ASKED(kind, who, lf) (WAITS(0, kind, who, lf) || WAITS(1, kind, who, lf) || \
			       WAITS(2, kind, who, lf))

#ifdef OLD_PROOF
#define PROVEN(s) (w_node[s] == h_node[n_log])
#else
#define PROVEN(s) (w_node[s] == h_node[n_log] && w_life[s] == h_life[n_log])
#endif
#ifdef TWICE
#define FRESH(s) true
#else
#define FRESH(s) (w_rev[s] == h_op[n_log])
#endif

/* The next state is a copy of this one, then changed. */
inline copy() {
	n_log++;
	h_status[n_log] = h_status[n_log - 1]; h_op[n_log] = h_op[n_log - 1];
	h_node[n_log] = h_node[n_log - 1]; h_life[n_log] = h_life[n_log - 1];
	h_alive[n_log * 2] = h_alive[(n_log - 1) * 2];
	h_alive[n_log * 2 + 1] = h_alive[(n_log - 1) * 2 + 1]
}

inline over(who, lf) {
	if
	:: h_status[n_log] != IDLE && h_node[n_log] == who && h_life[n_log] == lf ->
		h_status[n_log] = IDLE; h_node[n_log] = 0; h_life[n_log] = 0
	:: else -> skip
	fi
}

/* A command is applied: what does not fit the state has no effect. */
inline commit(s) {
	if
	:: w_kind[s] == ORDER && h_status[n_log] == IDLE && FRESH(s) &&
	   h_alive[n_log * 2 + w_node[s]] == w_life[s] ->
		copy();
		h_status[n_log] = ORDERED; h_op[n_log] = h_op[n_log] + 1;
		h_node[n_log] = w_node[s]; h_life[n_log] = w_life[s]
#ifdef TWICE
	:: w_kind[s] == ORDER && h_status[n_log] != IDLE ->
		copy();
		h_status[n_log] = ORDERED; h_op[n_log] = h_op[n_log] + 1;
		h_node[n_log] = w_node[s]; h_life[n_log] = w_life[s]
#endif
	:: w_kind[s] == DONE && h_status[n_log] == ORDERED && h_node[n_log] == w_node[s] &&
	   h_life[n_log] == w_life[s] && FRESH(s) ->
		copy();
		h_status[n_log] = FINISHED
	/* The proof is about a life; with it ends what that life had to do, and what it ran. */
	:: w_kind[s] == DROP && h_status[n_log] != IDLE && PROVEN(s) ->
		copy();
		if
		:: h_alive[n_log * 2 + w_node[s]] == w_life[s] -> h_alive[n_log * 2 + w_node[s]] = 0
		:: else -> skip
		fi;
		h_status[n_log] = IDLE; h_node[n_log] = 0; h_life[n_log] = 0
	/* A node that is listed with a new life has proven that the one before is over. */
	:: w_kind[s] == ALIVE && h_alive[n_log * 2 + w_node[s]] < w_life[s] ->
		copy();
		x = h_alive[n_log * 2 + w_node[s]];
		h_alive[n_log * 2 + w_node[s]] = w_life[s];
		over(w_node[s], x)
	:: else -> skip
	fi;
	x = 0
}

inline forget(s) {
	w_kind[s] = NOTHING; w_node[s] = 0; w_life[s] = 0; w_rev[s] = 0
}

inline waiting(s) {
	if
	:: d_step { w_kind[s] != NOTHING && n_log < MAXC -> commit(s); forget(s) }
	/* It will come again. */
	:: d_step { w_kind[s] != NOTHING && n_log < MAXC -> commit(s); i = 0 }
	:: d_step { w_kind[s] != NOTHING -> forget(s) }
	fi
}

/* The effect. */
inline carry_out(a) {
	assert(h_life[applied[a]] == life[a]);
	assert(h_alive[n_log * 2 + a] == life[a]);
	assert(!((carried >> h_op[applied[a]]) & 1));
	carried = carried | (1 << h_op[applied[a]]);
	runs[a] = true; did[a] = true; did_op[a] = h_op[applied[a]];
	assert(!(runs[0] && runs[1]))
}

#ifdef ANY_LIFE
#define ADDRESSED(a) MINE(a)
#else
#define ADDRESSED(a) (MINE(a) && h_life[applied[a]] == life[a])
#endif
#ifdef NO_LOOK
#define THERE(a) false
#else
#define THERE(a) runs[a]
#endif

inline node(a) {
	if
	:: d_step { life[a] != 0 && applied[a] < n_log -> applied[a]++ }
	/* The executor: what is there already was carried out before its agent was started anew. */
	:: d_step {
		life[a] != 0 && ADDRESSED(a) && !THERE(a) &&
		!(did[a] && did_op[a] == h_op[applied[a]]) -> carry_out(a)
	   }
	:: d_step {
		life[a] != 0 && ADDRESSED(a) && runs[a] && ROOM && !ASKED(DONE, a, life[a]) ->
		propose(DONE, a, life[a], h_op[applied[a]])
	   }
	/* The leader, whoever it is, orders where it likes to, among the lives that it knows. */
	:: d_step {
		CAUGHT_UP(a) && STATUS(a) == IDLE && h_alive[n_log * 2] != 0 && ROOM &&
		!ASKED(ORDER, 0, h_alive[n_log * 2]) ->
		propose(ORDER, 0, h_alive[n_log * 2], h_op[n_log])
	   }
	:: d_step {
		CAUGHT_UP(a) && STATUS(a) == IDLE && h_alive[n_log * 2 + 1] != 0 && ROOM &&
		!ASKED(ORDER, 1, h_alive[n_log * 2 + 1]) ->
		propose(ORDER, 1, h_alive[n_log * 2 + 1], h_op[n_log])
	   }
	/* It drops an operation when that life is known to be off: a fence agent has said so. */
	:: d_step {
		CAUGHT_UP(a) && STATUS(a) != IDLE && ROOM &&
		!ASKED(DROP, h_node[n_log], h_life[n_log]) &&
#ifdef NO_PROOF
		true ->
#else
		life[h_node[n_log]] != h_life[n_log] ->
#endif
		propose(DROP, h_node[n_log], h_life[n_log], h_op[n_log])
	   }
	/* The agent dies and is started anew: the node's life goes on, and its processes do. */
	:: d_step { life[a] != 0 && restarts < RESTARTS -> restarts++; did[a] = false; did_op[a] = 0 }
	/* The node goes off, by itself or by a fence. */
	:: d_step {
		life[a] != 0 && boots < BOOTS ->
		boots++; life[a] = 0; runs[a] = false; did[a] = false; did_op[a] = 0
	   }
	/* It boots: another life, which the ledger lists at some time. */
	:: d_step { life[a] == 0 -> lives[a]++; life[a] = lives[a] }
	:: d_step {
		life[a] != 0 && h_alive[n_log * 2 + a] != life[a] && ROOM && !ASKED(ALIVE, a, life[a]) ->
		propose(ALIVE, a, life[a], 0)
	   }
	fi
}

init {
	d_step {
		life[0] = 1; life[1] = 1; lives[0] = 1; lives[1] = 1;
		h_alive[0] = 1; h_alive[1] = 1;
		w_kind[0] = NOTHING; w_kind[1] = NOTHING; w_kind[2] = NOTHING
	}
	do
	:: node(0)
	:: node(1)
	:: waiting(0)
	:: waiting(1)
	:: waiting(2)
	od
}
