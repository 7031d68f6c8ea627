/* SPDX-License-Identifier: Apache-2.0
 * What the tests of the QEMU driver share: two drivers with run folders of their own, which are
 * two nodes on one machine, and a guest that is a boot sector and does, by a letter in it, one of
 * a few deeds. */
#ifndef DOMUS_TESTS_QEMU_KIT_H
#define DOMUS_TESTS_QEMU_KIT_H

#include "kit/kit.h"

#include "base/child.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/vec.h"
#include "hypervisor/qemu.h"
#include "hypervisor/qemu_argv.h"
#include "hypervisor/qemu_proc.h"
#include "hypervisor/qmp_conn.h"
#include "hypervisor/qemu_record.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define QEMU       "/usr/bin/qemu-system-x86_64"
#define LIMIT_S    30
#define DISK_BYTES (1024 * 1024)

extern const unsigned char boot_start[], boot_deed[], boot_end[];

/*
 * 'w' writes 16 MiB of memory over and over, so that a migration has something to send, and a byte
 * to the serial port before each round; 'o' powers off (q35's ACPI control register), 'p' panics
 * by pvpanic, 'r' reboots.
 */
__asm__(".section .rodata\n"
	".global boot_start, boot_deed, boot_end\n"
	"boot_start:\n"
	".code16\n"
	"	cli\n"
	"	xor	%ax, %ax\n"
	"	mov	%ax, %ds\n"
	"	lgdtl	(0x7c00 + boot_gdtr - boot_start)\n"
	"	mov	%cr0, %eax\n"
	"	or	$1, %eax\n"
	"	mov	%eax, %cr0\n"
	"	ljmpl	$8, $(0x7c00 + boot_32 - boot_start)\n"
	".code32\n"
	"boot_32:\n"
	"	mov	$16, %ax\n"
	"	mov	%ax, %ds\n"
	"	mov	%ax, %es\n"
	"	mov	(0x7c00 + boot_deed - boot_start), %al\n"
	"	cmp	$'w', %al\n"
	"	je	1f\n"
	"	cmp	$'o', %al\n"
	"	je	2f\n"
	"	cmp	$'p', %al\n"
	"	je	3f\n"
	"	cmp	$'r', %al\n"
	"	je	4f\n"
	"0:	hlt\n"
	"	jmp	0b\n"
	"1:	mov	$0x3f8, %dx\n"
	"	out	%al, %dx\n"
	"	inc	%ebx\n"
	"	mov	%ebx, %eax\n"
	"	mov	$0x400000, %edi\n"
	"	mov	$0x400000, %ecx\n"
	"	rep	stosl\n"
	"	jmp	1b\n"
	"2:	mov	$0x604, %dx\n"
	"	mov	$0x2000, %ax\n"
	"	out	%ax, %dx\n"
	"	jmp	0b\n"
	"3:	mov	$0x505, %dx\n"
	"	mov	$1, %al\n"
	"	out	%al, %dx\n"
	"	jmp	0b\n"
	"4:	mov	$0xcf9, %dx\n"
	"	mov	$6, %al\n"
	"	out	%al, %dx\n"
	"	jmp	0b\n"
	".balign 8\n"
	"boot_gdt: .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff\n"
	"boot_gdtr: .word 23\n"
	"	.long	0x7c00 + boot_gdt - boot_start\n"
	"boot_deed: .byte 0\n"
	"boot_end:\n"
	".code64\n"
	".text\n");

struct fixture;

struct told {
	enum domain_event event;
	enum domain_state state;
	char why[ERR_TEXT_MAX];
};

/* One agent's view: its driver, and all that it heard. */
struct node {
	struct fixture *f;
	char *run_dir;
	const char *console_group; /* taken when its agent starts */
	struct driver driver;
	struct domain *domain; /* the guest's, while it is valid */
	VEC(struct told) told;
	unsigned int found, adopted, cannot;
};

/* An answer to a call. */
struct answer {
	unsigned int calls;
	struct err err;
};

struct fixture {
	struct loop *loop;
	struct env env;
	struct child_runner *runner;
	struct children children;
	char *dir, *disk;
	struct guest_spec *spec;
	struct node a, b;
};

static inline void on_event(void *ctx, struct domain *domain, enum domain_event event,
			    const char *why)
{
	struct node *n = ctx;
	struct told *told = vec_add(&n->told);
	struct domain_info info;

	assert_ptr_equal(domain, n->domain);
	n->driver.ops->info(n->driver.drv, domain, &info);
	told->event = event;
	told->state = info.state;
	mem_strcpy(told->why, sizeof(told->why), why);
	if (event == DOMAIN_EV_GONE)
		n->domain = NULL;
}

static inline void on_found(void *ctx, struct domain *domain)
{
	struct node *n = ctx;

	n->domain = domain;
	n->found++;
}

static inline void on_adopted(void *ctx)
{
	struct node *n = ctx;

	n->adopted++;
}

static inline void on_cannot_adopt(void *ctx, const char *why)
{
	struct node *n = ctx;

	assert_true(why[0] != '\0');
	n->cannot++;
}

static const struct driver_events events = { on_event, on_found, on_adopted, on_cannot_adopt };

static inline void on_done(void *ctx, const struct err *err)
{
	struct answer *answer = ctx;

	answer->calls++;
	answer->err = *err;
}

static inline void start_agent_with(struct node *n, enum accel accel)
{
	struct qemu_conf conf = { .binary = QEMU,
				  .run_dir = n->run_dir,
				  .console_group = n->console_group,
				  .accel = accel };
	struct err err;

	n->driver =
		qemu_driver_new(&conf, &n->f->env, n->f->loop, &n->f->children, &events, n, &err);
	if (!n->driver.ops)
		fail_msg("%s", err.text);
}

static inline void start_agent(struct node *n)
{
	start_agent_with(n, ACCEL_TCG);
}

static inline void stop_agent(struct node *n)
{
	n->driver.ops->free(n->driver.drv);
	n->domain = NULL;
	vec_clear(&n->told);
}

static inline void node_set_up(struct fixture *f, struct node *n, const char *name)
{
	n->f = f;
	n->run_dir = kit_path(f->dir, name);
	start_agent(n);
}

static inline void write_disk(const char *path, char deed)
{
	_cleanup_(mem_freep) unsigned char *image = mem_alloc0(DISK_BYTES);
	FILE *f = fopen(path, "we");

	assert_true(boot_end - boot_start < 510);
	memcpy(image, boot_start, (size_t)(boot_end - boot_start));
	image[boot_deed - boot_start] = (unsigned char)deed;
	image[510] = 0x55;
	image[511] = 0xaa;
	assert_non_null(f);
	assert_int_equal(fwrite(image, 1, DISK_BYTES, f), DISK_BYTES);
	fclose(f);
}

static inline int set_up(void **state)
{
	static const char text[] = "{\"name\":\"web1\",\"memory_mib\":32,\"vnc\":false,"
				   "\"uuid\":\"01234567-89ab-4def-8123-456789abcdef\","
				   "\"disks\":[{\"volume\":\"web1\"}]}";
	struct fixture *f = mem_new(struct fixture);
	struct err err;

	f->loop = loop_new();
	f->env = loop_env(f->loop);
	f->runner = child_runner_new(f->loop);
	f->children = child_runner_children(f->runner);
	f->dir = kit_mkdir();
	f->disk = kit_path(f->dir, "disk");
	assert_int_equal(spec_parse(text, strlen(text), &f->spec, &err), 0);
	spec_complete(f->spec);
	write_disk(f->disk, 'w');
	node_set_up(f, &f->a, "a");
	node_set_up(f, &f->b, "b");
	*state = f;
	return 0;
}

static inline bool nothing_running(void *ctx)
{
	struct fixture *f = ctx;

	return !f->a.domain && !f->b.domain;
}

static inline void node_tear_down(struct node *n)
{
	struct answer *ignored = mem_new(struct answer);

	if (n->domain)
		n->driver.ops->kill(n->driver.drv, n->domain, on_done, ignored, NULL);
	kit_loop_until(n->f->loop, nothing_running, n->f, LIMIT_S, "the processes' ends");
	n->driver.ops->free(n->driver.drv);
	vec_free(&n->told);
	free(n->run_dir);
	free(ignored);
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	struct node *first = f->a.domain ? &f->a : &f->b, *second = first == &f->a ? &f->b : &f->a;
	struct answer ignored = { 0 };

	/* Both are asked to end before either is waited for. */
	if (second->domain)
		second->driver.ops->kill(second->driver.drv, second->domain, on_done, &ignored,
					 NULL);
	node_tear_down(first);
	node_tear_down(second);
	child_runner_free(f->runner);
	loop_free(f->loop);
	spec_free(f->spec);
	kit_rmdir(f->dir);
	free(f->disk);
	free(f);
	return 0;
}

static inline bool answered(void *ctx)
{
	return ((struct answer *)ctx)->calls > 0;
}

static inline void wait_done(struct fixture *f, struct answer *answer, const char *what)
{
	kit_loop_until(f->loop, answered, answer, LIMIT_S, what);
	if (answer->err.code)
		fail_msg("%s: %s", what, answer->err.text);
	assert_int_equal(answer->calls, 1);
}

struct wish {
	struct node *node;
	enum domain_event event;
};

static const struct told *heard(const struct node *n, enum domain_event event)
{
	const struct told *t;

	vec_each(t, &n->told)
		if (t->event == event)
			return t;
	return NULL;
}

static inline bool was_heard(void *ctx)
{
	const struct wish *w = ctx;

	return heard(w->node, w->event) != NULL;
}

static const struct told *wait_event(struct node *n, enum domain_event event)
{
	struct wish w = { n, event };

	kit_loop_until(n->f->loop, was_heard, &w, LIMIT_S, domain_event_text(event));
	return heard(n, event);
}

struct state_wish {
	struct node *node;
	enum domain_state state;
};

static inline enum domain_state state_of(const struct node *n)
{
	struct domain_info info;

	if (!n->domain)
		return DOMAIN_STATE_INVALID;
	n->driver.ops->info(n->driver.drv, n->domain, &info);
	return info.state;
}

static inline bool is_in_state(void *ctx)
{
	const struct state_wish *w = ctx;

	return state_of(w->node) == w->state;
}

static inline void wait_state(struct node *n, enum domain_state state)
{
	struct state_wish w = { n, state };

	kit_loop_until(n->f->loop, is_in_state, &w, LIMIT_S, domain_state_text(state));
}

static inline int ask_create(struct node *n, struct answer *answer, struct err *err)
{
	const char *const paths[] = { n->f->disk };
	struct domain_args args = { .spec = n->f->spec, .epoch = 42, .disk_paths = paths };

	return n->driver.ops->create(n->driver.drv, &args, on_done, answer, &n->domain, err);
}

static inline void create(struct node *n)
{
	struct answer answer = { 0 };
	struct err err = { 0 };

	if (ask_create(n, &answer, &err) < 0)
		fail_msg("%s", err.text);
	wait_done(n->f, &answer, "create");
	assert_int_equal(state_of(n), DOMAIN_CREATED);
}

typedef int step_fn(void *drv, struct domain *d, driver_done_fn *done, void *ctx, struct err *err);

static inline void step(struct node *n, step_fn *fn, const char *what)
{
	struct answer answer = { 0 };
	struct err err = { 0 };

	if (fn(n->driver.drv, n->domain, on_done, &answer, &err) < 0)
		fail_msg("%s: %s", what, err.text);
	wait_done(n->f, &answer, what);
}

static inline void run(struct node *n)
{
	create(n);
	step(n, n->driver.ops->cont, "cont");
	assert_int_equal(state_of(n), DOMAIN_RUNNING);
}

static inline int connect_serial(const struct node *n)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct domain_info info;

	n->driver.ops->info(n->driver.drv, n->domain, &info);
	assert_int_equal(STRCPY(addr.sun_path, info.serial), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

struct speech {
	int fd;
	size_t bytes;
};

static inline bool guest_spoke(void *ctx)
{
	struct speech *s = ctx;
	char chunk[64];
	ssize_t n = recv(s->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	s->bytes += n > 0 ? (size_t)n : 0;
	return s->bytes >= 2;
}

/* Until the guest has written its memory once. */
static inline void run_to_work(struct node *n)
{
	struct speech speech = { 0 };

	create(n);
	speech.fd = connect_serial(n);
	step(n, n->driver.ops->cont, "cont");
	kit_loop_until(n->f->loop, guest_spoke, &speech, LIMIT_S, "the guest's word");
	close(speech.fd);
}

static inline void prepare_in(struct node *n)
{
	const char *const paths[] = { n->f->disk };
	struct domain_args args = {
		.spec = n->f->spec, .epoch = 43, .disk_paths = paths, .listen_address = "127.0.0.1"
	};
	struct answer answer = { 0 };
	struct err err = { 0 };

	if (n->driver.ops->prepare_in(n->driver.drv, &args, on_done, &answer, &n->domain, &err) < 0)
		fail_msg("%s", err.text);
	wait_done(n->f, &answer, "prepare_in");
	assert_int_equal(state_of(n), DOMAIN_INCOMING);
}

static inline void kill_from_outside(struct node *n)
{
	struct domain_info info;

	n->driver.ops->info(n->driver.drv, n->domain, &info);
	assert_true(info.pid > 1);
	kill(info.pid, SIGKILL);
}

static inline void assert_empty(const struct node *n, const char *name)
{
	_cleanup_(mem_freep) char *path = kit_path(n->run_dir, name);
	DIR *dir = opendir(path);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			fail_msg("%s/%s was left behind", path, entry->d_name);
	closedir(dir);
}

static inline void assert_run_dir_empty(const struct node *n)
{
	assert_empty(n, "guests");
	assert_empty(n, "consoles");
}

static inline bool adopted(void *ctx)
{
	return ((struct node *)ctx)->adopted > 0;
}

static inline void restart_agent(struct node *n)
{
	stop_agent(n);
	start_agent(n);
	n->found = n->adopted = n->cannot = 0;
}

static inline void adopt(struct node *n)
{
	n->driver.ops->adopt(n->driver.drv);
	kit_loop_until(n->f->loop, adopted, n, LIMIT_S, "adoption");
	assert_int_equal(n->adopted, 1);
}

static inline void adopt_in_state(struct node *n, enum domain_state state)
{
	restart_agent(n);
	adopt(n);
	assert_int_equal(n->found, 1);
	assert_string_equal(domain_state_text(state_of(n)), domain_state_text(state));
}

#define QEMU_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
