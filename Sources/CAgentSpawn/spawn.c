#define _GNU_SOURCE
#include "CAgentSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/// Every descriptor from 3 on closes on exec. The status pipe must stay open until then.
static void close_others_on_exec(void) {
#ifdef SYS_close_range
    // 4 is CLOSE_RANGE_CLOEXEC, Linux 5.11.
    if (syscall(SYS_close_range, 3u, ~0u, 4u) == 0) return;
#endif
    struct rlimit limit;
    long last = 65536;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)last) last = (long)limit.rlim_cur;
    for (int fd = 3; fd < last; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void reset_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    // The kernel refuses SIGKILL, SIGSTOP, and glibc its two own; nothing to do about those.
    for (int number = 1; number < NSIG; number++) sigaction(number, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void fail(int status_fd, int stage, int error) {
    struct agent_spawn_failure failure = {stage, error};
    ssize_t written = write(status_fd, &failure, sizeof failure);
    (void)written;  // The parent takes a short message for end-of-file; the exit status still says 127.
    _exit(127);
}

/// Whether the path names something that execve(2) will at least try. It asks with the real ids, which by now are the
/// effective ones.
static int can_execute(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return errno;
    if (!S_ISREG(status.st_mode)) return EACCES;
    return access(path, X_OK) == 0 ? 0 : errno;
}

static void write_line(const struct agent_spawn_request *request, int log_fd) {
    size_t done = 0;
    while (done < request->log_line_length) {
        ssize_t count = write(log_fd, request->log_line + done, request->log_line_length - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        done += (size_t)count;
    }
}

/// As execvp(3) does it, over paths that are given: EACCES is remembered, a file without magic number is a script for
/// /bin/sh. Returns the error.
static int execute(const struct agent_spawn_request *request, int log_fd) {
    int denied = 0;
    int missing = ENOENT;
    int announced = 0;
    for (const char *const *path = request->candidates; *path != NULL; path++) {
        int error = can_execute(*path);
        if (error == 0) {
            if (!announced) write_line(request, log_fd);
            announced = 1;
            execve(*path, request->argv, request->envp);
            error = errno;
            if (error == ENOEXEC) {
                request->shell_argv[1] = (char *)*path;
                execve(request->shell_argv[0], request->shell_argv, request->envp);
                return ENOEXEC;
            }
        }
        switch (error) {
        case EACCES:
            denied = EACCES;
            break;
        case ENOENT:
        case ENOTDIR:
        case ELOOP:
        case ENAMETOOLONG:
        case ESTALE:
        case ENODEV:
        case ETIMEDOUT:
            missing = error == ENOTDIR ? ENOENT : error;
            break;
        default:
            return error;
        }
    }
    return denied ? denied : missing;
}

static void run_child(const struct agent_spawn_request *request, int status_fd) {
    reset_signals();
    umask(022);
    setsid();
    if (request->has_terminal) {
        if (ioctl(request->stdin_fd, TIOCSCTTY, 0) != 0) fail(status_fd, agent_spawn_stage_descriptors, errno);
        // So that the command can open it anew by name. Without the right to do that it still has it open.
        int given = request->changes_user ? fchown(request->stdin_fd, request->uid, (gid_t)-1) : 0;
        (void)given;
    }
    int log_fd = fcntl(request->log_fd, F_DUPFD_CLOEXEC, 3);
    if (log_fd < 0 || dup2(request->stdin_fd, 0) < 0 || dup2(request->stdout_fd, 1) < 0 ||
        dup2(request->stderr_fd, 2) < 0)
        fail(status_fd, agent_spawn_stage_descriptors, errno);
    close_others_on_exec();
    if (request->changes_user) {
        if (setgroups(request->group_count, request->groups) != 0 ||
            setresgid(request->gid, request->gid, request->gid) != 0 ||
            setresuid(request->uid, request->uid, request->uid) != 0)
            fail(status_fd, agent_spawn_stage_user, errno);
    }
    if (chdir(request->working_directory) != 0) fail(status_fd, agent_spawn_stage_directory, errno);
    fail(status_fd, agent_spawn_stage_execute, execute(request, log_fd));
}

int agent_spawn(const struct agent_spawn_request *request, pid_t *pid, int *status_fd) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    // No handler of the parent may run in the child before it has reset them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    int error = errno;
    if (child == 0) {
        run_child(request, ends[1]);
        _exit(127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return error;
    }
    *pid = child;
    *status_fd = ends[0];
    return 0;
}

int agent_terminal_resize(int master, uint16_t rows, uint16_t columns) {
    if (rows == 0 || columns == 0) return 0;
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(master, TIOCSWINSZ, &size) == 0 ? 0 : errno;
}

int agent_terminal_open(uint16_t rows, uint16_t columns, int *master, int *slave) {
    int near = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (near < 0) return errno;
    int unlocked = 0;
    unsigned int number = 0;
    int error = 0;
    int far = -1;
    if (ioctl(near, TIOCSPTLCK, &unlocked) != 0) {
        error = errno;
    } else {
#ifdef TIOCGPTPEER
        // Linux 4.13. It needs no /dev/pts, which an image may lack or mount elsewhere.
        far = ioctl(near, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
#endif
        if (far < 0 && ioctl(near, TIOCGPTN, &number) == 0) {
            char name[32];
            snprintf(name, sizeof name, "/dev/pts/%u", number);
            far = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        }
        if (far < 0) error = errno;
    }
    if (error == 0) error = agent_terminal_resize(near, rows, columns);
    if (error != 0) {
        if (far >= 0) close(far);
        close(near);
        return error;
    }
    *master = near;
    *slave = far;
    return 0;
}

void agent_hide_environment(void) {
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        // volatile: the compiler may not take this for a store that nobody reads.
        volatile char *text = *entry;
        for (size_t length = strlen(*entry); length > 0; length--) text[length - 1] = 0;
    }
    clearenv();
    prctl(PR_SET_DUMPABLE, 0);
}

int agent_temporary_file(int in_memory) {
    if (!in_memory) {
        int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) return fd;
    }
    return memfd_create("skls-spool", MFD_CLOEXEC);
}
