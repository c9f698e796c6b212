/* What the launcher becomes for a call of ffmpeg that may go to the mesh, where a compiler was at hand when the shim was
 * installed: front.py in C, for the hundredth of a second that Python takes to begin, and the tenth on a Raspberry Pi.
 *
 *     ffmesh-front PYTHON START REAL OWNER KEY CONFIG NAME ARGS...
 *
 * It does what nearly every call needs: a helper is there, it is handed the call, signals are handed on, its word is
 * obeyed. In every other case (a terminal, no helper yet, a helper of somebody else) it becomes front.py before it has
 * said a word, and when the helper is lost before the mesh has the call it becomes alone.py, as front.py does. What the
 * two say to the helper, and what it answers, stands there and in wording.py; the same tests run with both.
 *
 * Of Linux alone are ppoll and SO_PEERCRED; elsewhere there is front.py.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PYTHON = 1, START, REAL, OWNER, KEY, CONFIG, NAME, ARGUMENTS };
enum { FAILED = 1, PATIENCE_SECONDS = 10, LONGEST_LINE = 65536, REASONS = 64 };

static const int HANDED_ON[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT};
static const char *const KEPT_ASIDE[][2] = {
    {"FFMESH_LD_LIBRARY_PATH", "LD_LIBRARY_PATH"},
    {"FFMESH_LD_PRELOAD", "LD_PRELOAD"},
};

enum { SIGNALS = sizeof HANDED_ON / sizeof *HANDED_ON, ASIDE = sizeof KEPT_ASIDE / sizeof *KEPT_ASIDE };

extern char **environ;

static volatile sig_atomic_t came[SIGNALS];
static sigset_t as_called; /* the mask that we were started with */
static bool on_the_mesh;
static int asked_to_end; /* by a signal, before the mesh had the call */
static int line = -1;    /* to the helper */
static int streams[3];   /* those of the caller that are open */
static int opened;

static bool is_heeded[SIGNALS];

static void heed(int number) {
    for (int each = 0; each < SIGNALS; each++)
        if (HANDED_ON[each] == number)
            came[each] = 1;
}

/* They are taken only where we wait, so that none falls between a look and a wait. */
static void heed_signals(void) {
    sigset_t all;
    sigemptyset(&all);
    for (int each = 0; each < SIGNALS; each++) {
        struct sigaction before, ours = {.sa_handler = heed};
        sigemptyset(&ours.sa_mask);
        sigaction(HANDED_ON[each], NULL, &before);
        if (before.sa_handler == SIG_IGN)
            continue; /* by our parent's wish, as in `trap '' INT` and nohup */
        is_heeded[each] = true;
        sigaddset(&all, HANDED_ON[each]);
        sigaction(HANDED_ON[each], &ours, NULL);
    }
    sigprocmask(SIG_BLOCK, &all, &as_called);
}

/* As we were called: what has come and was not handed on is for what we become. */
static void unheed_signals(void) {
    for (int each = 0; each < SIGNALS; each++)
        if (is_heeded[each])
            signal(HANDED_ON[each], SIG_DFL);
    sigprocmask(SIG_SETMASK, &as_called, NULL);
}

/* --- the ends */

static void complain(const char *format, ...) {
    static char sentence[LONGEST_LINE + 64];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(sentence, sizeof sentence - 1, format, values);
    va_end(values);
    if (length < 0)
        return;
    if ((size_t)length > sizeof sentence - 2)
        length = sizeof sentence - 2;
    sentence[length] = '\n';
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a reader that has gone is no reason to die of */
    if (write(STDERR_FILENO, sentence, (size_t)length + 1) < 0) {
        /* nobody can be told */
    }
    signal(SIGPIPE, before);
}

static void no_memory(void) {
    complain("ffmesh: there is no memory left");
    _exit(FAILED);
}

static void die_of(int number) {
    struct rlimit cores;
    if (getrlimit(RLIMIT_CORE, &cores) == 0) {
        cores.rlim_cur = 0; /* ours would say nothing of the program's death */
        setrlimit(RLIMIT_CORE, &cores);
    }
    signal(number, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    kill(getpid(), number);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    _exit(128 + number);
}

static void execute(const char *program, char *const words[]) {
    unheed_signals();
    execv(program, words);
    int error = errno;
    complain("ffmesh: %s cannot be run: %s", program, strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

static char **words_with(char **arguments, int count, const char *const first[], int firsts) {
    char **words = calloc((size_t)(firsts + count) + 1, sizeof *words);
    if (words == NULL)
        no_memory();
    memcpy(words, first, (size_t)firsts * sizeof *words);
    memcpy(words + firsts, arguments, (size_t)count * sizeof *words);
    return words;
}

/* Before anything was said. */
static void become_front_py(int count, char *argv[]) {
    const char *const first[] = {argv[PYTHON], "-S", "-I", "-X", "utf8"};
    execute(argv[PYTHON], words_with(argv + START, count - START, first, 5));
}

/* Does what the helper would have done. */
static void become_alone_py(int count, char *argv[]) {
    if (asked_to_end)
        die_of(asked_to_end); /* before there was a program that could have heeded it */
    const char *const first[] = {argv[OWNER], "-E", "-s", "-P", "-X", "utf8", "-m", "ffmesh_client.shim.alone",
                                 argv[REAL],  argv[CONFIG], argv[NAME]};
    execute(argv[OWNER], words_with(argv + ARGUMENTS, count - ARGUMENTS, first, 11));
}

static bool is_called(const char *variable, const char *name) {
    size_t length = strlen(name);
    return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

static bool is_aside(const char *variable) {
    for (int each = 0; each < ASIDE; each++)
        if (is_called(variable, KEPT_ASIDE[each][0]))
            return true;
    return false;
}

/* With what the launcher took away from us: that is the server's own, and for its own programs. */
static void become_the_program(int count, char *argv[]) {
    if (asked_to_end)
        die_of(asked_to_end);
    if (*argv[REAL] == '\0') {
        const char *slash = strrchr(argv[NAME], '/');
        const char *name = slash != NULL ? slash + 1 : argv[NAME];
        complain("ffmesh: %s runs nowhere: there is no program of that name on this machine", name);
        _exit(127);
    }
    for (int each = 0; each < ASIDE; each++) {
        const char *kept = getenv(KEPT_ASIDE[each][0]);
        if (kept != NULL && *kept != '\0' && setenv(KEPT_ASIDE[each][1], kept, 1) != 0)
            no_memory();
        unsetenv(KEPT_ASIDE[each][0]);
    }
    const char *const first[] = {argv[REAL]};
    execute(argv[REAL], words_with(argv + ARGUMENTS, count - ARGUMENTS, first, 1));
}

/* --- the helper */

/* A folder of ours alone; it lies where anybody may make folders. */
static bool is_ours(const char *folder) {
    struct stat seen;
    return lstat(folder, &seen) == 0 && seen.st_uid == geteuid() && (seen.st_mode & 0170077) == 0040000;
}

static bool is_one_of_ours(int socket) {
    struct ucred who;
    socklen_t length = sizeof who;
    /* Somebody else who was there first learns nothing. */
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && (who.uid == geteuid() || who.uid == 0);
}

/* A stream that the caller has closed must not come to life as something of ours. */
static int above_the_three(int descriptor) {
    if (descriptor < 0 || descriptor > 2)
        return descriptor;
    int above = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    close(descriptor);
    return above;
}

static int connected(const char *key) {
    const char *const folders[] = {"/run/user/%u", "/tmp/ffmesh-%u"};
    for (int each = 0; each < 2; each++) {
        char folder[64];
        struct sockaddr_un place = {.sun_family = AF_UNIX};
        snprintf(folder, sizeof folder, folders[each], (unsigned)geteuid());
        if (!is_ours(folder))
            continue;
        int length = snprintf(place.sun_path, sizeof place.sun_path, "%s/%s", folder, key);
        if (length < 0 || (size_t)length >= sizeof place.sun_path)
            return -1;
        int socket_to = above_the_three(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (socket_to >= 0 && connect(socket_to, (struct sockaddr *)&place, sizeof place) == 0 &&
            is_one_of_ours(socket_to))
            return socket_to;
        if (socket_to >= 0)
            close(socket_to);
        return -1;
    }
    return -1;
}

struct packet {
    char *content;
    size_t length, room;
};

static void append(struct packet *packet, const void *content, size_t length) {
    if (packet->length + length > packet->room) {
        size_t room = (packet->room + length) * 2;
        char *more = realloc(packet->content, room);
        if (more == NULL)
            no_memory();
        packet->content = more;
        packet->room = room;
    }
    memcpy(packet->content + packet->length, content, length);
    packet->length += length;
}

static void append_field(struct packet *packet, const char *text) {
    append(packet, "", 1); /* between fields */
    append(packet, text, strlen(text));
}

static void append_call(struct packet *packet, char *argv[]) {
    char number[24];
    mode_t mask = umask(0);
    umask(mask);
    snprintf(number, sizeof number, "%u", (unsigned)mask);
    append(packet, number, strlen(number));
    append_field(packet, "");
    for (int each = 0; each < opened; each++)
        append(packet, &"012"[streams[each]], 1);
    char *folder = getcwd(NULL, 0);
    append_field(packet, folder ? folder : "");
    append_field(packet, argv[REAL]);
    append_field(packet, argv[NAME]);
    int variables = 0;
    for (char **each = environ; *each != NULL; each++)
        variables += !is_aside(*each) && strchr(*each, '=') != NULL;
    snprintf(number, sizeof number, "%d", variables);
    append_field(packet, number);
    for (char **each = environ; *each != NULL; each++)
        if (!is_aside(*each) && strchr(*each, '=') != NULL)
            append_field(packet, *each);
    for (char **each = argv + ARGUMENTS; *each != NULL; each++)
        append_field(packet, *each);
}

/* The head and the body, and with their first byte the streams that are open. */
static bool introduced(char *argv[]) {
    struct packet body = {0}, packet = {0};
    append_call(&body, argv);
    char head[48];
    snprintf(head, sizeof head, "ffmesh 1 %zu\n", body.length);
    append(&packet, head, strlen(head));
    append(&packet, body.content, body.length);

    union {
        char room[CMSG_SPACE(sizeof streams)];
        struct cmsghdr aligned;
    } rights = {0};
    struct iovec content = {.iov_base = packet.content, .iov_len = packet.length};
    struct msghdr message = {.msg_iov = &content, .msg_iovlen = 1};
    if (opened > 0) {
        message.msg_control = rights.room;
        message.msg_controllen = CMSG_SPACE((size_t)opened * sizeof *streams);
        struct cmsghdr *handed = CMSG_FIRSTHDR(&message);
        handed->cmsg_level = SOL_SOCKET;
        handed->cmsg_type = SCM_RIGHTS;
        handed->cmsg_len = CMSG_LEN((size_t)opened * sizeof *streams);
        memcpy(CMSG_DATA(handed), streams, (size_t)opened * sizeof *streams);
    }
    ssize_t sent = sendmsg(line, &message, MSG_NOSIGNAL);
    for (size_t done = 0; sent >= 0; sent = send(line, packet.content + done, packet.length - done, MSG_NOSIGNAL)) {
        done += (size_t)sent;
        if (done == packet.length)
            return true;
    }
    return false;
}

/* --- the call */

static void hand_on_what_came(void) {
    for (int each = 0; each < SIGNALS; each++) {
        if (!came[each])
            continue;
        came[each] = 0;
        int number = HANDED_ON[each];
        if (!on_the_mesh && number != SIGTSTP && number != SIGCONT)
            asked_to_end = number;
        char word[16];
        int length = snprintf(word, sizeof word, "s%d\n", number);
        if (send(line, word, (size_t)length, MSG_NOSIGNAL) < 0) {
            /* its end is noticed where we wait */
        }
        if (number == SIGTSTP)
            kill(getpid(), SIGSTOP);
    }
}

/* Whether there is something to read. False: the helper is silent for longer than it may be. */
static bool waited(bool is_patient) {
    for (;;) {
        struct pollfd helper = {.fd = line, .events = POLLIN};
        struct timespec patience = {.tv_sec = PATIENCE_SECONDS};
        int found = ppoll(&helper, 1, is_patient ? NULL : &patience, &as_called);
        if (found >= 0)
            return found > 0;
        if (errno != EINTR)
            return false;
        hand_on_what_came();
    }
}

/* Without its end, in a place that the next one overwrites. NULL: the helper is lost. */
static char *next_line(bool is_patient) {
    static char heard[LONGEST_LINE + 1];
    static size_t length, taken;
    memmove(heard, heard + taken, length - taken);
    length -= taken;
    taken = 0;
    for (;;) {
        char *end = memchr(heard, '\n', length);
        if (end != NULL) {
            *end = '\0';
            taken = (size_t)(end - heard) + 1;
            return heard;
        }
        if (length == LONGEST_LINE || !waited(is_patient))
            return NULL;
        ssize_t came_now = recv(line, heard + length, LONGEST_LINE - length, 0);
        if (came_now <= 0)
            return NULL;
        length += (size_t)came_now;
    }
}

static void obey(int count, char *argv[]) {
    char *reasons[REASONS];
    int told = 0;
    bool is_patient = false;
    char *word;
    while ((word = next_line(is_patient)) != NULL) {
        if (strchr("lxk", *word) != NULL && *word != '\0')
            for (int each = 0; each < told; each++)
                complain("ffmesh: %s", reasons[each]);
        switch (*word) {
        case 'm':
            on_the_mesh = true;
            is_patient = true;
            break;
        case 'w': /* it will say where it goes; until then it keeps in touch */
            is_patient = true;
            break;
        case 'c':
            if (told < REASONS)
                reasons[told++] = strdup(word + 1);
            break;
        case 'l':
            close(line);
            become_the_program(count, argv);
            break;
        case 'x':
            _exit(atoi(word + 1));
        case 'k':
            die_of(atoi(word + 1));
        }
    }
}

int main(int count, char *argv[]) {
    if (count < ARGUMENTS)
        return FAILED;
    for (int each = 0; each < 3; each++)
        if (fcntl(each, F_GETFD) >= 0)
            streams[opened++] = each;
    heed_signals();
    /* The keys of a terminal and its job control are for who belongs to its session. */
    if (isatty(STDIN_FILENO) || (line = connected(argv[KEY])) < 0)
        become_front_py(count, argv);
    if (introduced(argv))
        obey(count, argv);
    close(line);
    if (on_the_mesh) {
        complain("ffmesh: the helper of the shim died, and the job with it; run it again");
        return FAILED;
    }
    become_alone_py(count, argv);
    return FAILED;
}
