/* SPDX-License-Identifier: Apache-2.0
 * The little guest that finds out what an accelerator is worth: a firmware of 64 KiB. */
#include "accel.h"

#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FIRMWARE_SIZE 65536
#define RESET_VECTOR  0xfff0	/* the CPU starts 16 bytes below 4 GiB, where the image ends */

extern const unsigned char accel_guest_start[], accel_guest_end[], accel_guest_reset[];
extern const unsigned char accel_guest_reset_end[];

/*
 * From the reset vector through protected into 64-bit mode with paging, as each kernel goes;
 * then twenty million rounds of two instructions, which take 10 to 20 ms on hardware, some
 * hundred under a nested or a translating hypervisor, and half a minute where each instruction
 * is emulated. Then port 0xf4 (isa-debug-exit) ends QEMU with status 85 = 2 * 42 + 1.
 *
 * The image stands at 0xf0000 too, so 16-bit code runs at f000:0000. Page tables are
 * made at 0x1000 and 0x2000 and map the first 1 GiB by one large page, and the descriptors are read
 * from the image. No stack, no interrupts.
 */
__asm__(".section .rodata\n"
	".global accel_guest_start, accel_guest_end, accel_guest_reset, accel_guest_reset_end\n"
	"accel_guest_start:\n"
	".code16\n"
	"	cli\n"
	"	mov	%cs, %ax\n"
	"	mov	%ax, %ds\n"
	"	lgdtl	(gdtr - accel_guest_start)\n"
	"	mov	%cr0, %eax\n"
	"	or	$1, %eax\n"
	"	mov	%eax, %cr0\n"
	"	ljmpl	$8, $(0xf0000 + protected - accel_guest_start)\n"
	".code32\n"
	"protected:\n"
	"	mov	$16, %ax\n"
	"	mov	%ax, %ds\n"
	"	mov	%ax, %es\n"
	"	mov	%ax, %ss\n"
	"	xor	%eax, %eax\n"
	"	mov	$0x1000, %edi\n"
	"	mov	$0x800, %ecx\n"
	"	rep	stosl\n"
	"	movl	$0x2003, 0x1000\n"
	"	movl	$0x83, 0x2000\n"
	"	mov	$0x1000, %eax\n"
	"	mov	%eax, %cr3\n"
	"	mov	%cr4, %eax\n"
	"	or	$0x20, %eax\n"		/* PAE */
	"	mov	%eax, %cr4\n"
	"	mov	$0xc0000080, %ecx\n"	/* EFER */
	"	rdmsr\n"
	"	or	$0x100, %eax\n"		/* long mode enable */
	"	wrmsr\n"
	"	mov	%cr0, %eax\n"
	"	or	$0x80000000, %eax\n"	/* paging */
	"	mov	%eax, %cr0\n"
	"	ljmp	$24, $(0xf0000 + long_mode - accel_guest_start)\n"
	".code64\n"
	"long_mode:\n"
	"	mov	$20000000, %ecx\n"
	"1:	dec	%ecx\n"
	"	jnz	1b\n"
	"	mov	$42, %al\n"
	"	out	%al, $0xf4\n"
	"2:	hlt\n"
	"	jmp	2b\n"
	".balign 8\n"
	"gdt:	.quad	0\n"
	"	.quad	0x00cf9a000000ffff\n"	/* 32-bit code */
	"	.quad	0x00cf92000000ffff\n"	/* data */
	"	.quad	0x00af9a000000ffff\n"	/* 64-bit code */
	"gdtr:	.word	31\n"
	"	.long	0xf0000 + gdt - accel_guest_start\n"
	"accel_guest_end:\n"
	".code16\n"
	"accel_guest_reset:\n"
	"	ljmp	$0xf000, $0\n"
	"accel_guest_reset_end:\n"
	".code64\n"
	".text\n");

static int write_all(int fd, const unsigned char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int accel_write_guest(const char *path, struct err *ret_err)
{
	_cleanup_(mem_freep) unsigned char *image = mem_alloc0(FIRMWARE_SIZE);
	int fd, r;

	memcpy(image, accel_guest_start, (size_t)(accel_guest_end - accel_guest_start));
	memcpy(image + RESET_VECTOR, accel_guest_reset,
	       (size_t)(accel_guest_reset_end - accel_guest_reset));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(ret_err, -errno, "cannot write %s: %s", path, strerror(errno));
	r = write_all(fd, image, FIRMWARE_SIZE);
	close(fd);
	return r < 0 ? err_set(ret_err, r, "cannot write %s: %s", path, strerror(-r)) : 0;
}
