/* Keeps, beside the files of a ledger, what a power loss would leave of them.
 *
 * Preloaded into a server (LD_PRELOAD). Whenever a file in $POWER_LOSS_OF is synced, its whole content is copied to
 * $POWER_LOSS_LEAVES, whole or not at all, before the sync returns. What was written and never synced is not there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static void keep(int fd) {
    const char *of = getenv("POWER_LOSS_OF"), *leaves = getenv("POWER_LOSS_LEAVES");
    char link[64], path[PATH_MAX], kept[PATH_MAX], part[PATH_MAX + 8];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!of || !leaves || length < 0) return;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    struct stat about;
    if (strncmp(path, of, strlen(of)) || path + strlen(of) != name || fstat(fd, &about) || !S_ISREG(about.st_mode))
        return;
    snprintf(kept, sizeof kept, "%s%s", leaves, name);
    snprintf(part, sizeof part, "%s.part", kept);
    int from = open(link, O_RDONLY | O_CLOEXEC), to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    off_t at = 0;
    while (at < about.st_size && sendfile(to, from, &at, about.st_size - at) > 0) {}
    close(from);
    close(to);
    if (at == about.st_size) rename(part, kept);
}

static int synced(const char *function, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    int result = real(fd);
    if (!result) keep(fd);
    return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
