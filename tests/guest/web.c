/* SPDX-License-Identifier: Apache-2.0
 * The test guest's web server: one poll loop, many connections, one answer for each. */
#include "guest.h"

#include <errno.h>
#include <linux/input.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WEB_PORT 80
#define CONNS_MAX 512
#define REQUEST_MAX 1024
#define IDLE_MAX_MS 5000

enum conn_state { CONN_READS, CONN_COUNTS, CONN_ANSWERS };

struct conn {
	int fd;
	enum conn_state state;
	int64_t since_ms;	/* accepted at; a client that takes too long is dropped */
	unsigned len, sent;	/* of text: the request, then the answer */
	char text[REQUEST_MAX];
};

struct web {
	struct guest *guest;
	int listener;
	unsigned n_conns;
	struct conn *conns[CONNS_MAX];
	struct pollfd polls[2 + CONNS_MAX];	/* the button, the listener, the connections */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void conn_answer(struct conn *conn, const char *status, const char *page)
{
	conn->len = (unsigned)snprintf(conn->text, sizeof(conn->text),
				       "HTTP/1.1 %s\r\nContent-Type: text/plain\r\n"
				       "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
				       status, strlen(page), page);
	conn->sent = 0;
	conn->state = CONN_ANSWERS;
}

static void answer_page(const struct guest *guest, struct conn *conn, uint64_t count)
{
	char page[256];

	snprintf(page, sizeof(page), "boot=%s count=%llu name=%s disk=%s\n", guest->boot,
		 (unsigned long long)count, guest->name, counter_state(&guest->counter));
	conn_answer(conn, "200 OK", page);
}

static void do_page(struct guest *guest, struct conn *conn)
{
	answer_page(guest, conn, guest->counter.value);
}

static void do_count(struct guest *guest, struct conn *conn)
{
	(void)guest;
	conn->state = CONN_COUNTS;
}

static void do_end(struct guest *guest, struct conn *conn, enum guest_end end)
{
	guest->end = end;
	conn_answer(conn, "200 OK", "ends\n");
}

static void do_poweroff(struct guest *guest, struct conn *conn)
{
	do_end(guest, conn, GUEST_POWEROFF);
}

static void do_reboot(struct guest *guest, struct conn *conn)
{
	do_end(guest, conn, GUEST_REBOOT);
}

static void do_crash(struct guest *guest, struct conn *conn)
{
	do_end(guest, conn, GUEST_CRASH);
}

static const struct page {
	const char *path;
	void (*serve)(struct guest *guest, struct conn *conn);
} pages[] = {
	{ "/",		do_page },
	{ "/count",	do_count },
	{ "/poweroff",	do_poweroff },
	{ "/reboot",	do_reboot },
	{ "/crash",	do_crash },
};

/* Only the first line matters: METHOD PATH VERSION. */
static void conn_serve(struct guest *guest, struct conn *conn)
{
	char method[8], path[64];
	size_t i;

	if (sscanf(conn->text, "%7[A-Z] %63s HTTP/1.", method, path) != 2 ||
	    (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)) {
		conn_answer(conn, "400 Bad Request", "only GET and POST\n");
		return;
	}
	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(path, pages[i].path) == 0) {
			pages[i].serve(guest, conn);
			return;
		}
	}
	conn_answer(conn, "404 Not Found", "no such page\n");
}

/* False when the connection is over. */
static bool conn_read(struct guest *guest, struct conn *conn)
{
	ssize_t n = read(conn->fd, conn->text + conn->len, sizeof(conn->text) - 1 - conn->len);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	conn->len += (unsigned)n;
	conn->text[conn->len] = '\0';
	if (strstr(conn->text, "\r\n\r\n"))
		conn_serve(guest, conn);
	return conn->state != CONN_READS || conn->len < sizeof(conn->text) - 1;
}

static bool conn_write(struct conn *conn)
{
	ssize_t n = send(conn->fd, conn->text + conn->sent, conn->len - conn->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	conn->sent += (unsigned)n;
	return conn->sent < conn->len;
}

static void web_drop(struct web *web, unsigned i)
{
	close(web->conns[i]->fd);
	free(web->conns[i]);
	web->conns[i] = web->conns[--web->n_conns];
}

static void web_accept(struct web *web)
{
	while (web->n_conns < CONNS_MAX) {
		int fd = accept4(web->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct conn *conn;

		if (fd < 0)
			return;
		conn = calloc(1, sizeof(*conn));
		if (!conn)
			abort();
		conn->fd = fd;
		conn->since_ms = now_ms();
		web->conns[web->n_conns++] = conn;
	}
}

/* All who wait for a count share one write; each gets a number of its own. */
static void web_count(struct web *web)
{
	struct guest *guest = web->guest;
	uint64_t count = guest->counter.value;
	unsigned i, n = 0;
	bool good;

	for (i = 0; i < web->n_conns; i++)
		n += web->conns[i]->state == CONN_COUNTS;
	if (n == 0)
		return;
	good = counter_add(&guest->counter, n);
	for (i = 0; i < web->n_conns; i++) {
		if (web->conns[i]->state != CONN_COUNTS)
			continue;
		if (good)
			answer_page(guest, web->conns[i], ++count);
		else
			conn_answer(web->conns[i], "503 Service Unavailable", "no good disk\n");
	}
}

/* Reads and writes without waiting; a fresh answer is sent at once. */
static void web_transfer(struct web *web)
{
	int64_t now = now_ms();
	unsigned i;

	for (i = web->n_conns; i-- > 0;) {
		struct conn *conn = web->conns[i];

		if (conn->state == CONN_READS && !conn_read(web->guest, conn))
			web_drop(web, i);
		else if (now - conn->since_ms > IDLE_MAX_MS)
			web_drop(web, i);
	}
	web_count(web);
	for (i = web->n_conns; i-- > 0;)
		if (web->conns[i]->state == CONN_ANSWERS && !conn_write(web->conns[i]))
			web_drop(web, i);
}

static void button_read(struct guest *guest)
{
	struct input_event event;

	while (read(guest->button, &event, sizeof(event)) == sizeof(event))
		if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1)
			guest->end = GUEST_POWEROFF;
}

static bool answers_left(const struct web *web)
{
	unsigned i;

	for (i = 0; i < web->n_conns; i++)
		if (web->conns[i]->state == CONN_ANSWERS)
			return true;
	return false;
}

static void web_wait(struct web *web)
{
	unsigned i;

	web->polls[0] = (struct pollfd){ .fd = web->guest->button, .events = POLLIN };
	web->polls[1] = (struct pollfd){
		.fd = web->n_conns < CONNS_MAX ? web->listener : -1, .events = POLLIN
	};
	for (i = 0; i < web->n_conns; i++)
		web->polls[2 + i] = (struct pollfd){
			.fd = web->conns[i]->fd,
			.events = web->conns[i]->state == CONN_ANSWERS ? POLLOUT : POLLIN,
		};
	/* The deadline of connections is only looked at now and then. */
	poll(web->polls, 2 + web->n_conns, web->n_conns > 0 ? IDLE_MAX_MS / 5 : -1);
}

static int web_listen(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(WEB_PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 256) < 0)
		abort();
	return fd;
}

void web_serve(struct guest *guest)
{
	static struct web web;

	web.guest = guest;
	web.listener = web_listen();
	while (guest->end == GUEST_RUNS || answers_left(&web)) {
		web_wait(&web);
		web_accept(&web);
		web_transfer(&web);
		button_read(guest);
	}
}
