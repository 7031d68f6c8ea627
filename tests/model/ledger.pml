/* SPDX-License-Identifier: Apache-2.0
 * The ledger's agreement (rules L1 to L5 and L7): three voters, views that come and go, crashes,
 * stores that are set back, catching up entry by entry, snapshots.
 *
 * A view is a history that its members see in the same order, each of them as far as it gets; a
 * member leaves it anywhere. What agentd/cluster calls a round of a view is a view of its own here:
 * both begin with nobody having spoken. Every step is atomic; nothing is fair. What is committed is
 * a ghost, noted at the earliest moment at which anybody could know it. A majority is two of three,
 * always: changes of the voters' record are not in here.
 *
 * Bounds: MAXV views that somebody enters, MAXC commands beside the OPENs, CRASHES of agents,
 * LOSSES of what a store held. With SNAPSHOT a member may also be given the committed beginning.
 *
 * Each of these takes one rule away and must be refuted:
 *	ACK_EARLY	acknowledged when appended, before fsync (L2)
 *	TERM_VOL	a promise is not durable (L3)
 *	TERM_ONE	only the first promiser's is (L3)
 *	LONGEST		the longest log is the source, whatever its last term (L3)
 *	OLD_TERM	no OPEN: entries of older terms count when a majority holds them (L4)
 *	LATE		a member that has said STATE still appends and acknowledges for the view before (L5)
 *	SMALL		a view of one commits by itself (L8, L9)
 *	WIPE		a store that has become blank keeps its vote (L7)
 *	REGRESS		a store that has lost its end and its promise keeps its vote (L7)
 *	CUT_ALL		catching up cuts entries that are equal too, before it has them again
 *	SNAP_TAIL	a snapshot holds what is not committed (with SNAPSHOT)
 *	SNAP_EARLY	acknowledged before the snapshot is durable (with SNAPSHOT)
 */
#ifndef MAXV
#define MAXV 3
#endif
#ifndef MAXC
#define MAXC 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef LOSSES
#define LOSSES 0
#endif

#define L 7				/* entries of a log at most */
#define NONE 3
#define IN(mask, n) (((mask) >> (n)) & 1)
#define CNT(mask) (((mask) & 1) + (((mask) >> 1) & 1) + (((mask) >> 2) & 1))
#define LG(n, x) lg[(n) * L + (x)]
#define ACKS(v, x) ack[(v) * 8 + (x)]
#define TERM(e) ((e) >> 4)
/* Of one (term, view): the OPEN is number 0. The view is in it so that no two are taken for one. */
#define ENTRY(v, number) ((vt[v] << 4) | (((v) - 1) << 2) | (number))
#define LAST_TERM(n, last) ((last) == 0 -> 0 : TERM(LG(n, ((last) == 0 -> 0 : (last) - 1))))

/* Of the nodes. */
byte promised[3], promised_disk[3];
byte lg[21];				/* 0: no entry */
byte last[3], durable[3];
byte lastv[3];				/* a node never returns to a view */
byte view[3];				/* 0: in none */
byte cur[3];				/* so much of the view's commands has been delivered here */
bool follows[3];			/* caught up: appends what is delivered */
byte novote;				/* stores that have lost something */

/* Of the views: their histories. */
byte nv;
byte mem[MAXV + 1];			/* 0: over */
byte spoke[MAXV + 1], spoke_vote[MAXV + 1], prom[MAXV + 1];
byte vt[MAXV + 1];			/* the term; 0: not known yet */
byte ncmd[MAXV + 1];
bool opened[MAXV + 1];
byte base_term[MAXV + 1], base_len[MAXV + 1];
byte st_term[(MAXV + 1) * 3], st_len[(MAXV + 1) * 3], st_prom[(MAXV + 1) * 3];
byte ack[(MAXV + 1) * 8];

byte com[L];				/* ghost: committed entries */
byte comv[8];				/* ghost: the view that commits in a term */
byte ncl, crashes, losses;
#ifdef SNAPSHOT
byte installed[3];			/* applied by a snapshot: never cut */
#endif
#ifdef SNAP_EARLY
byte soft[3];				/* 1 + what of the old log stays if we die now; 0: all is durable */
#endif

hidden byte i, j, b, v, t, d;

inline commit_upto(n, vw, x) {
	i = 0;
	do
	:: i <= x ->
		if
		:: com[i] == 0 -> com[i] = LG(n, i)
		:: else -> assert(com[i] == LG(n, i))	/* nothing committed is ever lost */
		fi;
		i++
	:: else -> break
	od;
	if
	:: comv[vt[vw]] == 0 -> comv[vt[vw]] = vw
	:: else -> assert(comv[vt[vw]] == vw)		/* a term is of one view */
	fi
}

#ifdef OLD_TERM
#define COUNTS(n, x) (LG(n, x) != 0)
#else
#define COUNTS(n, x) (TERM(LG(n, x)) == vt[view[n]])
#endif
#ifdef SMALL
#define MAJORITY(vw, mask) (CNT(mask) >= 2 || CNT(mem[vw]) == 1)
#else
#define MAJORITY(vw, mask) (CNT(mask) >= 2)
#endif

/* Says that all below upto is durable; what is of this term counts, if this store has a vote. */
inline acknowledge(n, upto) {
	j = 0;
	do
	:: j < upto && !IN(novote, n) ->
		if
		:: COUNTS(n, j) ->
			ACKS(view[n], j) = ACKS(view[n], j) | (1 << n);
			if
			:: MAJORITY(view[n], ACKS(view[n], j)) -> commit_upto(n, view[n], j)
			:: else -> skip
			fi
		:: else -> skip
		fi;
		j++
	:: else -> break
	od;
	j = 0
}

/* A view that nobody is in any more is over: who would enter it now gets nowhere in it. */
inline leave(n) {
	v = view[n];
	view[n] = 0; cur[n] = 0; follows[n] = false;
	if
	:: v > 0 && view[0] != v && view[1] != v && view[2] != v ->
		mem[v] = 0; spoke[v] = 0; spoke_vote[v] = 0; prom[v] = 0; vt[v] = 0; ncmd[v] = 0;
		opened[v] = false; base_term[v] = 0; base_len[v] = 0;
		i = 0;
		do
		:: i < 3 -> st_term[v * 3 + i] = 0; st_len[v * 3 + i] = 0; st_prom[v * 3 + i] = 0; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < 8 -> ACKS(v, i) = 0; i++
		:: else -> break
		od
	:: else -> skip
	fi
}

inline cut(n, from) {
#ifdef SNAPSHOT
	assert(from >= installed[n]);
#endif
	i = from;
	do
	:: i < L -> LG(n, i) = 0; i++
	:: else -> break
	od;
	if :: last[n] > from -> last[n] = from :: else -> skip fi;
	if :: durable[n] > from -> durable[n] = from :: else -> skip fi
}

/* What was not handed to the disk is dropped. */
inline enter(n, vw) {
	leave(n);
#ifndef LATE
	cut(n, durable[n]);
#endif
	view[n] = vw; lastv[n] = vw
}

#define MAY_ENTER(n, vw) (vw <= nv && vw > lastv[n] && IN(mem[vw], n))
#define MAY_FORM(n, mask) (nv < MAXV && IN(mask, n))

inline form(n, mask) {
	nv++;
	mem[nv] = mask;
	enter(n, nv)
}

/* Whoever has caught up in the same view can be asked. */
#define SERVES(b, n) (b != n && view[b] == view[n] && follows[b])
#define HAS_SERVER(n) (SERVES(0, n) || SERVES(1, n) || SERVES(2, n))
#define MAY_FOLLOW(n) (view[n] > 0 && opened[view[n]] && !follows[n] && IN(spoke[view[n]], n) && \
		       promised[n] <= vt[view[n]])

inline find_server(n) {
	if
	:: SERVES(0, n) -> b = 0
	:: SERVES(1, n) -> b = 1
	:: else -> b = 2
	fi
}

inline first_difference(n) {
	d = 0;
	do
	:: d < last[n] && d < last[b] && LG(n, d) == LG(b, d) -> d++
	:: else -> break
	od
}

/* With the first thing that is written the promise of the term is. */
inline bind(n) {
	promised[n] = vt[view[n]]; promised_disk[n] = vt[view[n]]
}

inline caught_up(n, at) {
	follows[n] = true;
	cur[n] = at
}

/* What the view's members know to be committed, of the server's log. */
inline committed_here(n) {
	t = 0;
	j = 0;
	do
	:: j < last[b] ->
#ifndef SNAP_TAIL
		if :: CNT(ACKS(view[n], j)) >= 2 -> t = j + 1 :: else -> skip fi;
#else
		t = j + 1;
#endif
		j++
	:: else -> break
	od
}

/* What is left is all on the disk; promise and all are of the time of its last entry. */
inline lose(n, upto) {
	d = upto;
	losses++;
	leave(n);
	cut(n, d);
	promised_disk[n] = LAST_TERM(n, d); promised[n] = promised_disk[n];
#if !defined(WIPE) && !defined(REGRESS)
	novote = novote | (1 << n);
#endif
}

inline node(n) {
	if
	/* A later view. */
	:: d_step { MAY_ENTER(n, 1) -> enter(n, 1) }
#if MAXV >= 2
	:: d_step { MAY_ENTER(n, 2) -> enter(n, 2) }
#endif
#if MAXV >= 3
	:: d_step { MAY_ENTER(n, 3) -> enter(n, 3) }
#endif
#if MAXV >= 4
	:: d_step { MAY_ENTER(n, 4) -> enter(n, 4) }
#endif
#ifndef PAIRS
	:: d_step { MAY_FORM(n, 7) -> form(n, 7) }
#endif
	:: d_step { MAY_FORM(n, 3) -> form(n, 3) }
	/* The nodes are alike: the first view may as well be of 0 and 1. */
	:: d_step { MAY_FORM(n, 5) && nv > 0 -> form(n, 5) }
	:: d_step { MAY_FORM(n, 6) && nv > 0 -> form(n, 6) }
#ifdef SMALL
	:: d_step { nv < MAXV -> form(n, (1 << n)) }
#endif
	/* The view ends while a write is under way: it becomes durable, nobody acknowledges it. */
	:: d_step { view[n] > 0 && durable[n] < last[n] -> durable[n] = last[n]; leave(n) }
	/* STATE: all of it durable. A late one (the term is open) lets the member follow. */
	:: d_step {
		view[n] > 0 && !IN(spoke[view[n]], n) ->
		v = view[n];
		spoke[v] = spoke[v] | (1 << n);
		if
		:: !opened[v] ->
			if :: !IN(novote, n) -> spoke_vote[v] = spoke_vote[v] | (1 << n) :: else -> skip fi;
			st_term[v * 3 + n] = LAST_TERM(n, durable[n]);
			st_len[v * 3 + n] = durable[n];
			st_prom[v * 3 + n] = promised[n]
		:: else -> skip
		fi
	   }
	/* PROMISE. The term is fixed once a majority has spoken; who has promised as much stays out. */
	:: d_step {
		view[n] > 0 && IN(spoke_vote[view[n]], n) && !IN(prom[view[n]], n) &&
		!opened[view[n]] && MAJORITY(view[n], spoke_vote[view[n]]) &&
		(vt[view[n]] == 0 || promised[n] < vt[view[n]]) ->
		v = view[n];
		if
		:: vt[v] == 0 ->
			t = 0; i = 0;
			do
			:: i < 3 ->
				if
				:: IN(spoke[v], i) && st_prom[v * 3 + i] > t -> t = st_prom[v * 3 + i]
				:: else -> skip
				fi;
				st_prom[v * 3 + i] = 0;
				i++
			:: else -> break
			od;
			vt[v] = t + 1
		:: else -> skip
		fi;
		if
		:: promised[n] < vt[v] ->
			promised[n] = vt[v];
#ifdef TERM_ONE
			if :: prom[v] == 0 -> promised_disk[n] = vt[v] :: else -> skip fi;
#else
#ifndef TERM_VOL
			promised_disk[n] = vt[v];
#endif
#endif
			prom[v] = prom[v] | (1 << n)
		:: else -> skip
		fi
	   }
	/* OPEN, by the most advanced promiser, which must still be there. */
	:: d_step {
		view[n] > 0 && !opened[view[n]] && IN(prom[view[n]], n) &&
		promised[n] == vt[view[n]] && MAJORITY(view[n], prom[view[n]]) ->
		v = view[n];
		b = NONE; i = 0;
		do
		:: i < 3 ->
			if
			:: !IN(prom[v], i) -> skip
			:: IN(prom[v], i) && b == NONE -> b = i
			:: IN(prom[v], i) && b != NONE ->
				if
#ifdef LONGEST
				:: st_len[v * 3 + i] > st_len[v * 3 + b] -> b = i
#else
				:: st_term[v * 3 + i] > st_term[v * 3 + b] ||
				   (st_term[v * 3 + i] == st_term[v * 3 + b] &&
				    st_len[v * 3 + i] > st_len[v * 3 + b]) -> b = i
#endif
				:: else -> skip
				fi
			fi;
			i++
		:: else -> break
		od;
		if
		:: b == n ->
			opened[v] = true;
			base_term[v] = st_term[v * 3 + b]; base_len[v] = st_len[v * 3 + b];
			caught_up(b, 0);
			i = 0;
			do
			:: i < 3 -> st_term[v * 3 + i] = 0; st_len[v * 3 + i] = 0; i++
			:: else -> break
			od;
#ifndef OLD_TERM
			ncmd[v] = 1
#else
			acknowledge(b, durable[b])
#endif
		:: else -> skip
		fi
	   }
	/* It has what the term goes on from: it follows without asking anybody. */
	:: d_step {
		MAY_FOLLOW(n) && last[n] == base_len[view[n]] &&
		LAST_TERM(n, last[n]) == base_term[view[n]] ->
		bind(n);
		caught_up(n, 0)
#ifdef OLD_TERM
		;
		acknowledge(n, durable[n])
#endif
	   }
	/*
	 * Catching up from any member that has: one entry, and what it had instead of it is cut with
	 * everything above, in one write. At the server's end the rest of its own is cut.
	 */
	:: d_step {
		MAY_FOLLOW(n) && HAS_SERVER(n) ->
		find_server(n);
		first_difference(n);
		bind(n);
		if
		:: d < last[b] ->
			if :: d < last[n] -> cut(n, d) :: else -> skip fi;
			LG(n, d) = LG(b, d);
			last[n] = d + 1; durable[n] = d + 1
		:: else -> skip
		fi;
		if
		:: d + 1 >= last[b] ->
			if :: last[n] > last[b] -> cut(n, last[b]) :: else -> skip fi;
			caught_up(n, cur[b])
#ifdef OLD_TERM
			;
			acknowledge(n, durable[n])
#endif
		:: else -> skip
		fi
	   }
#ifdef CUT_ALL
	:: d_step { MAY_FOLLOW(n) && HAS_SERVER(n) && last[n] > 0 -> bind(n); cut(n, 0) }
#endif
#ifdef SNAPSHOT
	/* The committed beginning, installed in one write. */
	:: d_step {
		MAY_FOLLOW(n) && HAS_SERVER(n) ->
		find_server(n);
		first_difference(n);
		committed_here(n);
		if
		:: t > d ->
			bind(n);
#ifdef SNAP_EARLY
			soft[n] = d + 1;
#endif
			cut(n, d);
			j = d;
			do
			:: j < t -> LG(n, j) = LG(b, j); j++
			:: else -> break
			od;
			last[n] = t; durable[n] = t; installed[n] = t
		:: else -> skip
		fi
	   }
#endif
	/* A command is multicast. */
	:: d_step {
		view[n] > 0 && follows[n] && ncl < MAXC && ncmd[view[n]] < 3 ->
		ncl++;
		ncmd[view[n]]++
	   }
	/* It is delivered, and appended. */
	:: d_step {
		view[n] > 0 && follows[n] && cur[n] < ncmd[view[n]] && last[n] < L ->
		LG(n, last[n]) = ENTRY(view[n], cur[n]);
		last[n]++;
		cur[n]++
#ifdef ACK_EARLY
		;
		acknowledge(n, last[n])
#endif
	   }
#ifdef LATE
	:: d_step {
		view[n] > 1 && IN(spoke[view[n]], n) && !follows[n] && IN(mem[view[n] - 1], n) &&
		opened[view[n] - 1] && ncmd[view[n] - 1] > 1 && last[n] < L && last[n] > 0 &&
		LG(n, (last[n] == 0 -> 0 : last[n] - 1)) == ENTRY(view[n] - 1, 0) ->
		v = view[n] - 1;
		LG(n, last[n]) = ENTRY(v, 1);
		last[n]++;
		durable[n] = last[n];
		ACKS(v, last[n] - 1) = ACKS(v, last[n] - 1) | (1 << n);
		if
		:: CNT(ACKS(v, last[n] - 1)) >= 2 -> commit_upto(n, v, last[n] - 1)
		:: else -> skip
		fi
	   }
#endif
	/* fsync returns, and what it wrote is acknowledged. */
	:: d_step {
		view[n] > 0 && follows[n] && durable[n] < last[n] ->
		durable[n] = last[n];
		acknowledge(n, durable[n])
	   }
	/* So is what was fetched of this term. */
	:: d_step {
		view[n] > 0 && follows[n] && durable[n] > 0 && !IN(novote, n) &&
		LAST_TERM(n, durable[n]) == vt[view[n]] &&
		!IN(ACKS(view[n], (durable[n] == 0 -> 0 : durable[n] - 1)), n) ->
		acknowledge(n, durable[n])
	   }
	/* The agent dies and is started anew: what was not durable is gone. */
	:: d_step {
		crashes < CRASHES ->
		leave(n);
#ifdef SNAP_EARLY
		if
		:: soft[n] > 0 ->
			installed[n] = 0;
			cut(n, soft[n] - 1);
			soft[n] = 0
		:: else -> skip
		fi;
#endif
		cut(n, durable[n]);
		/* A promise is at least the term of the last entry. */
		if
		:: LAST_TERM(n, last[n]) > promised_disk[n] -> promised[n] = LAST_TERM(n, last[n])
		:: else -> promised[n] = promised_disk[n]
		fi;
		crashes++
	   }
#ifdef SNAP_EARLY
	:: d_step { soft[n] > 0 -> soft[n] = 0 }
#endif
#if LOSSES > 0
	/* The store comes back blank, or as it was before its last entry. */
#ifndef REGRESS
	:: d_step { losses < LOSSES && durable[n] > 0 -> lose(n, 0) }
#endif
#ifndef WIPE
	:: d_step { losses < LOSSES && durable[n] > 1 -> lose(n, durable[n] - 1) }
#endif
#endif
	fi
}

init {
	do
	:: node(0)
	:: node(1)
	:: node(2)
	od
}
