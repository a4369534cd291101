/*
 * Which process: from /proc.
 *
 * A pid alone says little: it is given to another process later, is counted anew after a boot, and
 * means another process in another container. With the start time, the boot and the PID namespace
 * it names one process for ever. Any thread.
 */
#pragma once

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_BOOT_SIZE 64

/* State letter and start time (clock ticks since boot) of a process; ERR_NOT_FOUND when none can be
 * seen. */
int proc_stat(pid_t pid, char *ret_state, uint64_t *ret_started) _must_check_;

/*
 * What a process was started with, each argument ended by NUL; appended. ERR_NOT_FOUND when none
 * can be seen. Whether such a text is exactly these arguments, ended by NULL.
 */
int proc_arguments(pid_t pid, struct strbuf *ret) _must_check_;
bool proc_has_arguments(struct str text, const char *const *argv);

/* The id of this boot of the machine; "unknown" when the system does not tell. */
void proc_boot_id(char ret[PROC_BOOT_SIZE]);

/* "host:pid:start:machine:boot:PID namespace" of this process: below 160 bytes, the caller's. */
char *proc_name(void);

/* Whether the process of such a name has certainly ended: it belonged to this boot of this machine
 * and to our PID namespace, and is not there any more. Of others, and of other texts, nothing is
 * certain. */
bool proc_name_has_ended(const char *name);

/* Whether it ran here before this machine's last start, as far as host names and machine-ids are
 * one machine's alone, which of copied containers and disks they are not. */
bool proc_name_is_of_former_boot(const char *name);
