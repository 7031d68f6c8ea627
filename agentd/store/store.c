/* SPDX-License-Identifier: Apache-2.0
 * The store's thread: it takes loads and writes in order, and gives their results back to the loop.
 *
 * The thread blocks all signals (SIGCHLD must find the main thread) and uses neither GLib nor the
 * log: other code forks while it runs. */
#include "store.h"

#include "base/lock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "ledger_db.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum job_kind { JOB_LOAD, JOB_WRITE };

/* A load or write, copied. Owned by the queue that it is in. */
struct job {
	struct job *next;
	enum job_kind kind;
	struct ledger_write write;
	struct ledger_entry *copies; /* what write.entries points to */
	struct ledger_image image;
	struct err err;
	union {
		store_loaded_fn *loaded;
		store_written_fn *written;
	} fn;
	void *ctx;
};

struct queue {
	struct job *first, **end;
};

struct disk_store {
	char dir[1024];
	struct id fresh; /* for a store that is born now: randomness is the main thread's */
	int lock_fd, event_fd;
	struct loop_fd *event;
	pthread_t thread;
	bool running;

	pthread_mutex_t mutex; /* protects the rest */
	pthread_cond_t wake;
	struct queue todo, done;
	bool quit;
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void queue_put(struct queue *q, struct job *j)
{
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
}

static struct job *queue_take(struct queue *q)
{
	struct job *j = q->first;

	if (j && !(q->first = j->next))
		q->end = &q->first;
	return j;
}

static void job_free(struct job *j)
{
	for (size_t i = 0; i < j->write.n_entries; i++)
		mem_freep(&j->copies[i].data);
	mem_freep(&j->copies);
	mem_freep((void *)&j->write.entries);
	mem_freep(&j->write.snapshot.data);
	mem_freep(&j->image.snapshot.data);
	for (size_t i = 0; i < j->image.entries.n; i++)
		mem_freep(&j->image.entries.v[i].data);
	vec_free(&j->image.entries);
	mem_freep(&j);
}

/* ---- in the store's thread ---- */

/*
 * After the first failure everything fails with its error (rule L2): the kernel may have dropped
 * the pages that it could not write, and would call the next fsync a success.
 */
struct worker {
	struct disk_store *store;
	struct ledger_db *db;
	struct err broken;
};

static void work_load(struct worker *w, struct job *j)
{
	w->broken.code = ledger_db_open(w->store->dir, &w->store->fresh, &w->db, &w->broken);
	if (w->broken.code == 0)
		w->broken.code = ledger_db_load(w->db, &j->image, &w->broken);
}

static void work_write(struct worker *w, struct job *j)
{
	if (!w->db)
		w->broken.code = err_set(&w->broken, -EINVAL, "%s: written to before it was loaded",
					 w->store->dir);
	else
		w->broken.code = ledger_db_write(w->db, &j->write, &w->broken);
}

static void (*const work[])(struct worker *, struct job *) = {
	[JOB_LOAD] = work_load,
	[JOB_WRITE] = work_write,
};

/* The next job, and whether others wait behind it. NULL: quit, and nothing is left to do. */
static struct job *next_job(struct disk_store *s, bool *ret_idle)
{
	struct job *j;

	pthread_mutex_lock(&s->mutex);
	while (!(j = queue_take(&s->todo)) && !s->quit)
		pthread_cond_wait(&s->wake, &s->mutex);
	*ret_idle = !s->todo.first;
	pthread_mutex_unlock(&s->mutex);
	return j;
}

static void hand_back(struct disk_store *s, struct job *j)
{
	const uint64_t one = 1;
	ssize_t n;

	pthread_mutex_lock(&s->mutex);
	queue_put(&s->done, j);
	pthread_mutex_unlock(&s->mutex);
	do
		n = write(s->event_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

static void *work_all(void *arg)
{
	struct worker w = { .store = arg };
	struct job *j;
	bool idle;

	while ((j = next_job(w.store, &idle))) {
		if (w.broken.code == 0)
			work[j->kind](&w, j);
		j->err = w.broken;
		hand_back(w.store, j);
		/* Answered first; a fault found here makes the next write fail. */
		if (w.broken.code == 0)
			w.broken.code = ledger_db_tidy(w.db, idle, &w.broken);
	}
	ledger_db_close(w.db);
	return NULL;
}

/* ---- in the loop's thread ---- */

static void give(struct disk_store *s, struct job *j)
{
	pthread_mutex_lock(&s->mutex);
	queue_put(&s->todo, j);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
}

static struct job *take_done(struct disk_store *s)
{
	struct job *j;

	pthread_mutex_lock(&s->mutex);
	j = queue_take(&s->done);
	pthread_mutex_unlock(&s->mutex);
	return j;
}

static void tell(void *ctx, int fd, uint32_t revents)
{
	struct disk_store *s = ctx;
	uint64_t count;
	struct job *j;

	(void)revents;
	if (read(fd, &count, sizeof(count)) < 0)
		return; /* nothing new */
	while ((j = take_done(s))) {
		if (j->kind == JOB_WRITE)
			j->fn.written(j->ctx, &j->err);
		else if (j->err.code < 0)
			j->fn.loaded(j->ctx, NULL, &j->err);
		else
			j->fn.loaded(j->ctx, &j->image, &j->err);
		if (j->kind == JOB_LOAD)
			memset(&j->image, 0, sizeof(j->image)); /* what it holds is the callee's */
		job_free(j);
	}
}

static void disk_load(void *store, store_loaded_fn *done, void *ctx)
{
	struct job *j = mem_new(struct job);

	j->kind = JOB_LOAD;
	j->fn.loaded = done;
	j->ctx = ctx;
	give(store, j);
}

static void disk_write(void *store, const struct ledger_write *w, store_written_fn *done, void *ctx)
{
	struct job *j = mem_new(struct job);
	const struct ledger_entry **pointers = mem_resize(NULL, w->n_entries, sizeof(*pointers));

	j->kind = JOB_WRITE;
	j->write = *w;
	j->copies = mem_resize(NULL, w->n_entries, sizeof(*j->copies));
	for (size_t i = 0; i < w->n_entries; i++) {
		j->copies[i] = *w->entries[i];
		j->copies[i].data = mem_dup(w->entries[i]->data, w->entries[i]->len);
		pointers[i] = &j->copies[i];
	}
	j->write.entries = pointers;
	j->write.snapshot.data = mem_dup(w->snapshot.data, w->snapshot.len);
	j->fn.written = done;
	j->ctx = ctx;
	give(store, j);
}

static const struct store_ops disk_ops = {
	.load = disk_load,
	.write = disk_write,
};

static int start_thread(struct disk_store *s, struct err *ret_err)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	r = pthread_create(&s->thread, NULL, work_all, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return err_set(ret_err, -r, "%s: no thread for the store: %s", s->dir, strerror(r));
	s->running = true;
	return 0;
}

static void disk_free(struct disk_store *s)
{
	struct job *j;

	if (s->running) {
		pthread_mutex_lock(&s->mutex);
		s->quit = true;
		pthread_cond_signal(&s->wake);
		pthread_mutex_unlock(&s->mutex);
		pthread_join(s->thread, NULL);
	}
	while ((j = queue_take(&s->done)))
		job_free(j);
	loop_fd_remove(s->event);
	if (s->event_fd >= 0)
		close(s->event_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mutex);
	mem_freep(&s);
}

static int open_parts(struct disk_store *s, const char *dir, struct loop *loop, struct err *ret_err)
{
	if (STRCPY(s->dir, dir) < 0)
		return err_set(ret_err, -ENAMETOOLONG, "the state folder's path is too long");
	if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
		return err_set(ret_err, -errno, "state folder %s: cannot be made: %s", s->dir,
			       strerror(errno));
	s->lock_fd = lock_take(s->dir, "lock", ret_err);
	if (s->lock_fd < 0)
		return s->lock_fd;
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event_fd < 0)
		return err_set(ret_err, -errno, "%s: eventfd: %s", s->dir, strerror(errno));
	s->event = loop_fd_add(loop, s->event_fd, POLLIN, tell, s);
	return start_thread(s, ret_err);
}

int store_open(const char *dir, const struct env *env, struct loop *loop, struct store *ret_store,
	       struct err *ret_err)
{
	struct disk_store *s = mem_new(struct disk_store);
	int r;

	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	queue_init(&s->todo);
	queue_init(&s->done);
	s->fresh = id_random(env);
	s->lock_fd = s->event_fd = -1;
	r = open_parts(s, dir, loop, ret_err);
	if (r < 0) {
		disk_free(s);
		return r;
	}
	*ret_store = (struct store){ &disk_ops, s };
	return 0;
}

void store_close(struct store *s)
{
	if (s->store)
		disk_free(s->store);
	*s = (struct store){ 0 };
}
