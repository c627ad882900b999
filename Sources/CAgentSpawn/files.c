#define _GNU_SOURCE
#include "CAgentSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/// linux/openat2.h, which older headers lack.
struct agent_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

enum { resolve_no_magiclinks = 0x02, resolve_beneath = 0x08, resolve_in_root = 0x10, openat2_number = 437 };

/// Component by component, following no link.
static int open_without_links(int directory, const char *path, int flags) {
    char name[256];
    int current = fcntl(directory, F_DUPFD_CLOEXEC, 3);
    while (current >= 0) {
        while (*path == '/') path++;
        size_t length = strcspn(path, "/");
        if (length == 0) return current;
        if (length >= sizeof name) {
            close(current);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, path, length);
        name[length] = 0;
        path += length;
        if (strcmp(name, "..") == 0) {
            close(current);
            errno = EXDEV;
            return -1;
        }
        int last = path[strspn(path, "/")] == 0;
        int next = openat(current, name, O_NOFOLLOW | O_CLOEXEC | (last ? flags : O_RDONLY | O_DIRECTORY));
        int error = errno;
        close(current);
        errno = error;
        current = next;
    }
    return -1;
}

int agent_open_beneath(int directory, const char *path, int flags, int is_root) {
    struct agent_open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = resolve_no_magiclinks | (is_root ? resolve_in_root : resolve_beneath),
    };
    long opened;
    do {
        // EAGAIN: something was renamed on the way.
        opened = syscall(openat2_number, directory, *path ? path : ".", &how, sizeof how);
    } while (opened < 0 && (errno == EINTR || errno == EAGAIN));
    if (opened < 0 && (errno == ENOSYS || errno == EPERM)) return open_without_links(directory, path, flags);
    return (int)opened;
}

int agent_birth_time(int directory, const char *name, int64_t *seconds, int64_t *nanoseconds) {
    struct statx status;
    if (statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &status) != 0) return -1;
    if (!(status.stx_mask & STATX_BTIME)) return -1;
    *seconds = status.stx_btime.tv_sec;
    *nanoseconds = status.stx_btime.tv_nsec;
    return 0;
}

uint32_t agent_device_major(uint64_t device) { return major(device); }

uint32_t agent_device_minor(uint64_t device) { return minor(device); }

uint32_t agent_file_system(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 ? (uint32_t)status.f_type : 0;
}
