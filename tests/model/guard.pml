/* SPDX-License-Identifier: Apache-2.0
 * The guard, proofs, and the hand-over of a migration (rules G1 to G7, H1, H2). Nodes 0 and 1 run
 * one guest between them, node 2 is the arbiter. The ledger is one register (owner, move) that
 * is written only by a side with two of the three votes: that it keeps what is written is
 * ledger.pml's affair.
 *
 * Time is counted in ticks; a lease is valid TTL of them, the watchdog bites WD after that, and
 * the majority waits WAIT from the opening of the first view without the node. A migration goes
 * from 0 to 1. Each end says one word (all is sent; all is loaded) by command, and the commit of
 * the second word is the hand-over; the target's process bears its epoch from the beginning, so
 * it needs to be told nothing but that commit. The guard is not in the agent yet: the model is what
 * it is to be built by.
 *
 * Bounds: MAXT ticks, FAULTS, MOVES (migrations and recoveries together).
 *
 * Each of these takes one rule away and must be refuted:
 *	SELF_TICK	the own tick that comes back refreshes the guard: an old token is enough (G1)
 *	WAIT_SHORT	the wait for an expiry is counted from before the opening (G3)
 *	STALE_PROOF	a proof counts though the node is back (G4)
 *	NO_GATE		a start that is under way is not checked against the guard (G5)
 *	FORGET		the source forgets, with its agent, that it has sent everything (H2, G6)
 *	SUSPEND		the node's clock and watchdog stand still while it is paused (G7)
 *	EARLY_HAND	the words are said when the source has stopped, before all is sent (H1)
 *	LATE_WORD	a word counts for whatever migration there is when it comes (H1)
 *	DOUBT		a source without an answer to its word runs again (H2)
 */
#define TTL 2
#define WD 1
#ifdef WAIT_SHORT
#define WAIT 2
#else
#define WAIT 4		/* TTL + WD + 1 */
#endif
#ifndef MAXT
#define MAXT 9
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef MOVES
#define MOVES 2
#endif
#define NO 3
#define HERE 255

byte now;

/* Committed. */
byte owner;
byte moving;			/* number of the migration that is under way; 0: none */
bool c_sent, c_loaded;		/* its two words */

/* On their way: the migration that the word is about; 0: none. */
byte w_sent, w_loaded;

/* The nodes. */
bool conn[2];			/* in a view with the arbiter */
bool ring[2];			/* its corosync still believes in such a view */
byte lease[2];			/* valid until then, by its own clock */
byte lag[2];			/* its clock is so far behind */
byte absent[2];			/* since when the majority's view is without it; or HERE */
bool proof[2];
bool alive[2];
bool paused[2];			/* the whole node does nothing */
bool rn[2];			/* the guest's processors run here */
bool have[2];			/* a process of the guest is here */
byte know[2];			/* the owner by what it has applied */
bool starting[2];		/* a start is under way in a child */

/* The stream: 0 none, 1 sending, 2 the source has stopped, 3 all is sent and loaded. */
byte mig;
bool offer;			/* at the source, durable: what I have sent runs again only by the outcome */
byte faults, moves, n_moves;

#ifdef STALE_PROOF
#define GONE(i) 1
#else
#define GONE(i) (absent[i] != HERE)
#endif
#ifdef FORGET
#define OFFERED 0
#else
#define OFFERED offer
#endif
#ifdef EARLY_HAND
#define ALL_SENT (mig >= 2)
#else
#define ALL_SENT (mig == 3)
#endif
#ifdef LATE_WORD
#define COUNTS(word) (moving != 0)
#else
#define COUNTS(word) (moving != 0 && word == moving)
#endif
#define CLK(i) (now - lag[i])
#define FRESH(i) (lease[i] > CLK(i))
#define ACTS(i) (alive[i] && !paused[i])
#define MAJORITY (conn[0] || conn[1])

inline safe() { assert(!(rn[0] && rn[1])) }

/* It has applied what is committed: the outcome of its word too, if there is one. */
inline apply(n) {
	know[n] = owner;
	if :: n == 0 && moving == 0 -> offer = 0 :: else -> skip fi
}

inline die(n) {
	alive[n] = 0; rn[n] = 0; have[n] = 0; starting[n] = 0; paused[n] = 0; conn[n] = 0; ring[n] = 0
}

inline act(n) {
	if
	/* A tick that the arbiter has answered: a lease from when it was sent. */
	:: ACTS(n) && conn[n] && ring[n] -> d_step { lease[n] = CLK(n) + TTL; apply(n) }
#ifdef SELF_TICK
	:: ACTS(n) && !conn[n] && ring[n] -> d_step { lease[n] = CLK(n) + TTL; ring[n] = 0 }
#endif
	/* A start is ordered, and the child gets to it some time later. */
	:: ACTS(n) && know[n] == n && FRESH(n) && !rn[n] && !have[n] && !starting[n] && mig == 0 ->
		starting[n] = 1
#ifdef NO_GATE
	:: starting[n] && ACTS(n) -> d_step { rn[n] = 1; have[n] = 1; starting[n] = 0; safe() }
#else
	:: starting[n] && ACTS(n) -> d_step {
		if :: FRESH(n) && know[n] == n -> rn[n] = 1; have[n] = 1 :: else -> skip fi;
		starting[n] = 0;
		safe()
	   }
#endif
	/* The guard has expired: the guest is frozen. */
	:: ACTS(n) && !FRESH(n) && rn[n] -> d_step { rn[n] = 0 }
	/* It is fresh again, and the guest is still this node's. */
	:: ACTS(n) && FRESH(n) && conn[n] && know[n] == n && have[n] && !rn[n] && mig == 0 &&
	   !(n == 0 && OFFERED) -> d_step { rn[n] = 1; safe() }
	/* A process without the model's leave is ended. */
	:: ACTS(n) && know[n] != n && have[n] && !rn[n] && mig == 0 -> have[n] = 0
	fi
}

inline env(n) {
	if
	/* A partition: the majority opens a view without this node. */
	:: faults > 0 && conn[n] -> d_step { faults--; conn[n] = 0; absent[n] = now }
	:: faults > 0 && ACTS(n) -> d_step { faults--; paused[n] = 1 }
	:: paused[n] && alive[n] -> d_step { paused[n] = 0 }
	/* The others go on without one that is paused. */
	:: paused[n] && conn[n] -> d_step { conn[n] = 0; absent[n] = now }
	/* It is back: a later OPEN lists it, which voids the proofs. */
	:: !conn[n] && ACTS(n) -> d_step {
		conn[n] = 1; ring[n] = 1; absent[n] = HERE; apply(n);
#ifndef STALE_PROOF
		proof[n] = 0
#else
		skip
#endif
	   }
	/* It boots. */
	:: !alive[n] && faults > 0 -> d_step {
		faults--; alive[n] = 1; conn[n] = 0; ring[n] = 0; know[n] = NO; lag[n] = 0; lease[n] = 0
	   }
	/* Proofs: it is off, its guard has expired, or it is fenced now. */
	:: absent[n] != HERE && !alive[n] && !proof[n] -> proof[n] = 1
	:: absent[n] != HERE && now >= absent[n] + WAIT && !proof[n] -> proof[n] = 1
	:: absent[n] != HERE && alive[n] && faults > 0 -> d_step {
		faults--; die(n); lease[n] = 0; lag[n] = 0; proof[n] = 1
	   }
	/*
	 * The majority gives the guest away. What stands there for a migration has another epoch: it
	 * is ended.
	 */
	:: owner == n && proof[n] && moves > 0 && conn[1 - n] && GONE(n) -> d_step {
		owner = 1 - n; moves--; proof[n] = 0;
		moving = 0; c_sent = 0; c_loaded = 0; mig = 0;
		if :: !rn[1 - n] -> have[1 - n] = 0 :: else -> skip fi
	   }
	fi
}

inline hand_over() {
	owner = 1; moving = 0; c_sent = 0; c_loaded = 0
}

/* The second word hands over, unless the target is away then. */
inline second_word() {
	if :: c_sent && c_loaded && absent[1] == HERE -> hand_over() :: else -> skip fi
}

inline migrate() {
	if
	:: owner == 0 && know[0] == 0 && rn[0] && conn[0] && conn[1] && FRESH(0) && FRESH(1) &&
	   mig == 0 && moving == 0 && moves > 0 && !have[1] && !paused[0] && !paused[1] -> d_step {
		n_moves++; mig = 1; moving = n_moves; moves--
	   }
	:: mig == 1 && rn[0] && !paused[0] -> d_step { rn[0] = 0; mig = 2 }
	:: mig == 2 && ACTS(0) && ACTS(1) -> d_step { mig = 3; have[1] = 1 }
	/* The source's word: what it has sent is durable there before it is said. */
	:: ALL_SENT && !offer && conn[0] && ACTS(0) && moving != 0 -> d_step { offer = 1; w_sent = moving }
	/* The target's. */
	:: ALL_SENT && conn[1] && ACTS(1) && moving != 0 && w_loaded == 0 && !c_loaded -> d_step {
		w_loaded = moving
	   }
	:: w_sent != 0 && MAJORITY -> d_step {
		if :: COUNTS(w_sent) -> c_sent = 1; second_word() :: else -> skip fi;
		w_sent = 0
	   }
	:: w_loaded != 0 && MAJORITY -> d_step {
		if :: COUNTS(w_loaded) -> c_loaded = 1; second_word() :: else -> skip fi;
		w_loaded = 0
	   }
	/* The target is back, and both words are there: the leader orders it. */
	:: moving != 0 && c_sent && c_loaded && conn[1] -> d_step { hand_over() }
	/* Only by the applied commit, and with a fresh guard, the target goes on. */
	:: owner == 1 && mig >= 2 && conn[1] && ACTS(1) && FRESH(1) -> d_step {
		know[1] = 1; have[1] = 1; rn[1] = 1; mig = 0; safe()
	   }
	/* The stream breaks before all is sent: QEMU at the source goes on by itself. */
	:: mig == 2 && ACTS(0) && have[0] && FRESH(0) -> d_step { rn[0] = 1; mig = 0; safe() }
	/* The leader cancels: a deadline has passed, or an end is away. */
	:: moving != 0 && MAJORITY -> d_step { moving = 0; c_sent = 0; c_loaded = 0 }
	/* The source has applied that. */
	:: mig == 3 && moving == 0 && owner == 0 && conn[0] && ACTS(0) && FRESH(0) -> d_step {
		offer = 0; mig = 0; rn[0] = 1; safe()
	   }
#ifdef DOUBT
	:: mig == 3 && offer && moving != 0 && ACTS(0) && FRESH(0) -> d_step { rn[0] = 1; safe() }
#endif
#ifdef FORGET
	/* Its agent is started anew and goes by what it has applied. */
	:: mig == 3 && ACTS(0) && have[0] && know[0] == 0 && FRESH(0) -> d_step { rn[0] = 1; safe() }
#endif
	/* An end dies before all is sent. */
	:: mig > 0 && mig < 3 && (!alive[0] || !alive[1]) && owner == 0 -> d_step { mig = 0 }
	:: mig == 3 && !alive[1] && !have[1] && moving == 0 -> d_step { mig = 0 }
	fi
}

/* The watchdog meets its deadline wherever a clock runs. */
inline due(n) {
#ifdef SUSPEND
	if :: paused[n] && alive[n] -> lag[n]++ :: else -> skip fi;
#endif
	if
	:: alive[n] && CLK(n) >= lease[n] + WD && rn[n] ->
		die(n);
		if :: absent[n] == HERE -> absent[n] = now :: else -> skip fi
	:: else -> skip
	fi
}

init {
	d_step {
		conn[0] = 1; conn[1] = 1; ring[0] = 1; ring[1] = 1; alive[0] = 1; alive[1] = 1;
		lease[0] = TTL; lease[1] = TTL; absent[0] = HERE; absent[1] = HERE;
		have[0] = 1; rn[0] = 1; faults = FAULTS; moves = MOVES
	}
	do
	:: atomic { act(0) }
	:: atomic { act(1) }
	:: atomic { env(0) }
	:: atomic { env(1) }
	:: atomic { migrate() }
	:: now < MAXT -> d_step { now++; due(0); due(1); safe() }
	od
}
