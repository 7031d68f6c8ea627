/* SPDX-License-Identifier: Apache-2.0
 * Which accelerator guests get: found out by running something, once per boot of the host. */
#include "accel.h"

#include "base/buf.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Hardware needs 0.1 s, most of it QEMU's own start; KVM in a TCG-emulated host up to 2 s. */
#define PROBE_TIMEOUT_US (5 * US_PER_S)

static const char *const accel_names[ACCEL_MAX] = {
	[ACCEL_AUTO] = "auto",
	[ACCEL_KVM] = "kvm",
	[ACCEL_TCG] = "tcg",
};
TABLE_DEFINE(accel, enum accel, ACCEL_MAX);

struct accel_probe {
	struct env env;
	struct children children;
	struct child *child;
	struct env_timer *timer;
	char *kept, *firmware;
	accel_done_fn *done;
	void *ctx;
	enum accel answer;
	const char *why;
};

static void probe_free(struct accel_probe *p)
{
	unlink(p->firmware);
	free(p->kept);
	free(p->firmware);
	free(p);
}

static char *join(const char *dir, const char *name)
{
	struct buf b = { 0 };

	buf_str(&b, dir);
	buf_char(&b, '/');
	buf_str(&b, name);
	return buf_take(&b);
}

/* The first line of a small file that is ours, or "". */
static void read_word(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

/* Losing it costs another probe at the agent's next start, nothing more. */
static void keep(const struct accel_probe *p)
{
	int fd = open(p->kept, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return;
	dprintf(fd, "%s\n", accel_text(p->answer));
	close(fd);
}

static void probe_answers(void *ctx)
{
	struct accel_probe *p = ctx;
	accel_done_fn *done = p->done;
	void *done_ctx = p->ctx;
	enum accel answer = p->answer;
	const char *why = p->why;

	keep(p);
	probe_free(p);
	done(done_ctx, answer, why);
}

static void answer_soon(struct accel_probe *p, enum accel answer, const char *why)
{
	p->answer = answer;
	p->why = why;
	env_defer(&p->env, &p->timer, probe_answers, p);
}

static void probe_ended(void *ctx, const struct child_end *end)
{
	struct accel_probe *p = ctx;

	p->child = NULL;
	p->answer = end->status == ACCEL_RAN ? ACCEL_KVM : ACCEL_TCG;
	p->why = "a test guest did not run under KVM";
	if (end->status == ACCEL_RAN)
		p->why = "a test guest ran under KVM";
	else if (end->timed_out)
		p->why = "KVM is too slow here: a test guest did not end in time";
	probe_answers(p);
}

/* Without either flag there is no hardware virtualisation, whatever /dev/kvm says. */
static bool cpu_virtualises(void)
{
	_cleanup_(mem_freep) char *line = NULL;
	FILE *f = fopen("/proc/cpuinfo", "re");
	size_t size = 0;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0)
		found = strncmp(line, "flags", 5) == 0 &&
			(strstr(line, " vmx") || strstr(line, " svm"));
	if (f)
		fclose(f);
	return found;
}

void accel_probe_argv(const char *binary, enum accel accel, const char *firmware,
		      const char *ret_argv[static 20])
{
	const char *const argv[] = {
		binary,  "-nodefaults", "-no-user-config", "-display",
		"none",  "-no-reboot",  "-machine",        "pc",
		"-m",    "16",          "-accel",          accel_text(accel),
		"-bios", firmware,      "-device",         "isa-debug-exit,iobase=0xf4,iosize=1",
		NULL,
	};

	memcpy(ret_argv, argv, sizeof(argv));
}

static int run_guest(struct accel_probe *p, const char *binary, struct err *ret_err)
{
	const char *argv[20];
	struct child_spec spec = { .argv = argv, .deadline_us = PROBE_TIMEOUT_US };
	int r = accel_write_guest(p->firmware, ret_err);

	if (r < 0)
		return r;
	accel_probe_argv(binary, ACCEL_KVM, p->firmware, argv);
	return p->children.ops->spawn(p->children.ctx, &spec, probe_ended, p, &p->child, ret_err);
}

int accel_probe_start(const char *dir, const char *binary, const struct env *env,
		      const struct children *children, accel_done_fn *done, void *ctx,
		      struct accel_probe **ret_probe, struct err *ret_err)
{
	struct accel_probe *p = mem_new(struct accel_probe);
	char kept[16];
	int r = 0;

	p->env = *env;
	p->children = *children;
	p->kept = join(dir, "accel");
	p->firmware = join(dir, "accel-probe.bin");
	p->done = done;
	p->ctx = ctx;
	read_word(p->kept, kept, sizeof(kept));
	if (strcmp(kept, "kvm") == 0 || strcmp(kept, "tcg") == 0)
		answer_soon(p, accel_parse(kept), "found out earlier in this boot");
	else if (access("/dev/kvm", R_OK | W_OK) < 0)
		answer_soon(p, ACCEL_TCG, "there is no usable /dev/kvm");
	else if (!cpu_virtualises())
		answer_soon(p, ACCEL_TCG, "the CPU offers neither VMX nor SVM");
	else
		r = run_guest(p, binary, ret_err);
	if (r < 0) {
		probe_free(p);
		return r;
	}
	*ret_probe = p;
	return 0;
}

void accel_probe_cancel(struct accel_probe *p)
{
	if (!p)
		return;
	env_cancel(&p->env, &p->timer);
	if (p->child)
		p->children.ops->cancel(p->children.ctx, p->child);
	probe_free(p);
}
