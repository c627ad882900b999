#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Where a child was when it failed.
enum agent_spawn_stage {
    agent_spawn_stage_descriptors = 1,
    agent_spawn_stage_user = 2,
    agent_spawn_stage_directory = 3,
    agent_spawn_stage_execute = 4,
};

/// What a child that could not execute its command writes to the status descriptor, in one write.
struct agent_spawn_failure {
    int32_t stage;
    int32_t error;
};

/// All strings end in NUL, all lists of strings in NULL. Everything must be allocated before the call: the child may
/// only use what is async-signal-safe.
struct agent_spawn_request {
    /// Paths to try in turn. One that does not exist or may not be executed gives way to the next.
    const char *const *candidates;
    char *const *argv;
    /// For a script without interpreter line: `/bin/sh`, a slot that the child fills with the script's path, argv[1...].
    char **shell_argv;
    char *const *envp;
    const char *working_directory;
    /// Become the command's descriptors 0, 1 and 2.
    int stdin_fd;
    int stdout_fd;
    int stderr_fd;
    /// Whether `stdin_fd` is a terminal, to become the command's controlling one.
    int has_terminal;
    /// Gets `log_line` directly before the first attempt to execute something that can be executed.
    int log_fd;
    const char *log_line;
    size_t log_line_length;
    /// Whether to become another user.
    int changes_user;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
};

/// Forks, and in the child makes ready and executes.
///
/// `status_fd` then reads as end-of-file once the command was executed, or gives an
/// `agent_spawn_failure`; in both cases the caller closes it and reaps `pid`. Returns 0, or the error that prevented the
/// fork.
int agent_spawn(const struct agent_spawn_request *request, pid_t *pid, int *status_fd);

/// Overwrites the process's environment, so that `/proc/PID/environ` no longer shows it, and makes its memory and that
/// file unreadable for other processes of the same user. No pointer from getenv(3) may be in use.
void agent_hide_environment(void);

/// A descriptor of an empty file that no name leads to, closed on exec: in `/tmp`, or in memory if asked for or if there
/// is no such file system. -1 with errno if neither can be had.
int agent_temporary_file(int in_memory);

/// Opens a terminal. `master` and `slave` are closed on exec; neither becomes anybody's controlling terminal by this. Zero rows
/// or columns leave its size alone. Returns 0 or the error.
int agent_terminal_open(uint16_t rows, uint16_t columns, int *master, int *slave);

/// Tells a terminal its size, and those who use it that it has changed. Zero rows or columns do nothing. Returns 0 or the
/// error.
int agent_terminal_resize(int master, uint16_t rows, uint16_t columns);

/// Opens a path relative to a directory, as openat(2), closed on exec, and never outside of that directory: symbolic links
/// on the way are followed as far as they stay within it (openat2(2), RESOLVE_BENEATH), or as if it were the root
/// (`is_root`, RESOLVE_IN_ROOT). On a kernel without that call no link is followed at all. -1 with errno: EXDEV or ELOOP
/// for a path that leads out.
int agent_open_beneath(int directory, const char *path, int flags, int is_root);

/// When a file was made, as seconds and nanoseconds since 1970; symbolic links are not followed. Returns 0, or -1 where that
/// is not known.
int agent_birth_time(int directory, const char *name, int64_t *seconds, int64_t *nanoseconds);

/// Major and minor number of a device.
uint32_t agent_device_major(uint64_t device);
uint32_t agent_device_minor(uint64_t device);

/// The kind of file system that an open file is on, as in linux/magic.h; 0 if that cannot be told.
uint32_t agent_file_system(int descriptor);
