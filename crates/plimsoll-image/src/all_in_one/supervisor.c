/*
 * The first process of an image that holds several services: starts each when what it waits for is
 * there, names the lines it writes, starts it again as its policy says, hands on signals, and ends
 * when a service ends that must not. It reads a plan that Plimsoll wrote and needs nothing else
 * of the image: no shell, no C library, no writable file.
 *
 *     plimsoll-supervisor            runs the plan
 *     plimsoll-supervisor healthy    0 when every service is well; prints how they are
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLAN "/etc/plimsoll/services"
#define ADDRESS "plimsoll-supervisor"
#define MOST_SERVICES 64
#define MOST_WORDS 512
#define LINE 16384
#define FIRST_PAUSE 100
#define LONGEST_PAUSE 10000
/* So long a program must run for its earlier ends to be forgotten. */
#define SETTLED 10000

extern char **environ;

enum state { WAITING, RUNNING, PAUSED, COMPLETED, ENDED };
enum health { UNKNOWN, WELL, ILL };
enum restart { NEVER, ON_FAILURE, ALWAYS };
enum condition { AFTER_START, AFTER_HEALTH, AFTER_END };
enum check { NO_CHECK, HTTP, HTTP_ANY, TCP, EXEC };

struct words { char *word[MOST_WORDS]; int count; };
struct line { int fd, to; size_t used; char text[LINE]; };

struct service {
    const char *name, *directory, *path;
    struct words command, environment, check_command;
    struct { const char *name; enum condition condition; } after[MOST_SERVICES];
    int afters;
    enum restart restart;
    int attempts, stop_signal, grace;
    enum check check;
    int port, interval, timeout, start_period, retries;

    enum state state;
    enum health health;
    pid_t pid, checker;
    int code, ends, failures, was_well;
    long long started, due, check_due, check_deadline, kill_due;
    int socket, asked;
    char answer[32];
    size_t answered;
    struct line out, err;
};

static struct service services[MOST_SERVICES];
static int count, widest, stopping, result;
static sigset_t before;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static void say(const char *format, ...) {
    char text[1024];
    va_list list;
    va_start(list, format);
    int used = snprintf(text, sizeof text, "%-*s | ", widest, "-");
    used += vsnprintf(text + used, sizeof text - used - 1, format, list);
    va_end(list);
    if (used > (int)sizeof text - 2) used = sizeof text - 2;
    text[used++] = '\n';
    if (write(2, text, used) < 0) return;
}

static void refuse(const char *what, const char *which) {
    say("%s `%s`", what, which);
    exit(70);
}

/* ---- the plan ---- */

static void unescape(char *text) {
    char *to = text;
    for (char *from = text; *from; from++) {
        if (*from == '\\' && from[1]) {
            from++;
            *to++ = *from == 'n' ? '\n' : *from;
        } else {
            *to++ = *from;
        }
    }
    *to = 0;
}

static void add(struct words *words, char *word) {
    if (words->count + 1 >= MOST_WORDS) refuse("too many words before", word);
    words->word[words->count++] = word;
}

static struct service *find(const char *name) {
    for (int i = 0; i < count; i++)
        if (!strcmp(services[i].name, name)) return &services[i];
    return NULL;
}

static void directive(char *key, char *value) {
    if (!strcmp(key, "service")) {
        if (count == MOST_SERVICES) refuse("one service too many:", value);
        struct service *new = &services[count++];
        *new = (struct service){.name = value, .directory = "/", .stop_signal = SIGTERM, .grace = 10000,
            .interval = 30000, .timeout = 30000, .retries = 3, .socket = -1,
            .out = {.fd = -1, .to = 1}, .err = {.fd = -1, .to = 2}};
        if ((int)strlen(value) > widest) widest = strlen(value);
        return;
    }
    if (!count) refuse("no service before", key);
    struct service *one = &services[count - 1];
    if (!strcmp(key, "directory")) one->directory = value;
    else if (!strcmp(key, "argument")) add(&one->command, value);
    else if (!strcmp(key, "environment")) add(&one->environment, value);
    else if (!strcmp(key, "check-argument")) add(&one->check_command, value), one->check = EXEC;
    else if (!strcmp(key, "http")) one->check = HTTP, one->path = value;
    else if (!strcmp(key, "http-any")) one->check = HTTP_ANY, one->path = value;
    else if (!strcmp(key, "tcp")) one->check = TCP, one->port = atoi(value);
    else if (!strcmp(key, "port")) one->port = atoi(value);
    else if (!strcmp(key, "interval")) one->interval = atoi(value);
    else if (!strcmp(key, "timeout")) one->timeout = atoi(value);
    else if (!strcmp(key, "start-period")) one->start_period = atoi(value);
    else if (!strcmp(key, "retries")) one->retries = atoi(value);
    else if (!strcmp(key, "attempts")) one->attempts = atoi(value);
    else if (!strcmp(key, "stop-signal")) one->stop_signal = atoi(value);
    else if (!strcmp(key, "grace")) one->grace = atoi(value);
    else if (!strcmp(key, "restart"))
        one->restart = !strcmp(value, "always") ? ALWAYS : !strcmp(value, "on-failure") ? ON_FAILURE : NEVER;
    else if (!strncmp(key, "after-", 6)) {
        if (one->afters == MOST_SERVICES) refuse("too much before", one->name);
        one->after[one->afters].name = value;
        one->after[one->afters++].condition = !strcmp(key, "after-health") ? AFTER_HEALTH
            : !strcmp(key, "after-end") ? AFTER_END : AFTER_START;
    } else refuse("the plan has an unknown word", key);
}

static void read_plan(void) {
    FILE *file = fopen(PLAN, "re");
    if (!file) refuse("there is no", PLAN);
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, file)) > 0) {
        if (line[length - 1] == '\n') line[length - 1] = 0;
        if (!*line) continue;
        char *key = strdup(line), *value = strchr(key, ' ');
        if (!value) refuse("the plan has a lonely word", key);
        *value++ = 0;
        unescape(value);
        directive(key, value);
    }
    free(line);
    fclose(file);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < services[i].afters; j++)
            if (!find(services[i].after[j].name)) refuse("nothing is called", services[i].after[j].name);
    if (!count) refuse("there is no service in", PLAN);
}

/* ---- lines ---- */

static void put(struct service *one, struct line *line, const char *text, size_t length) {
    char name[128];
    int used = snprintf(name, sizeof name, "%-*s | ", widest, one->name);
    struct iovec parts[] = {{name, used}, {(void *)text, length}, {"\n", 1}};
    while (writev(line->to, parts, 3) < 0 && errno == EINTR) {}
}

static void flush(struct service *one, struct line *line, int at_end) {
    size_t from = 0;
    for (char *end; (end = memchr(line->text + from, '\n', line->used - from)); ) {
        put(one, line, line->text + from, end - line->text - from);
        from = end - line->text + 1;
    }
    if (line->used > from && (at_end || line->used - from == LINE)) {
        put(one, line, line->text + from, line->used - from);
        from = line->used;
    }
    memmove(line->text, line->text + from, line->used - from);
    line->used -= from;
}

static void hear(struct service *one, struct line *line) {
    for (;;) {
        ssize_t got = read(line->fd, line->text + line->used, LINE - line->used);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            flush(one, line, 1);
            close(line->fd);
            line->fd = -1;
            return;
        }
        line->used += got;
        flush(one, line, 0);
    }
}

/* ---- starting ---- */

static void become(struct service *one, struct words *command) {
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    for (int i = 0; i < one->environment.count; i++) {
        char *pair = one->environment.word[i], *value = strchr(pair, '=');
        if (!value) continue;
        *value = 0;
        /* What the container is given counts more; but each service has programs of its own. */
        setenv(pair, value + 1, !strcmp(pair, "PATH"));
    }
    if (chdir(one->directory)) say("%s: cannot enter `%s`: %s", one->name, one->directory, strerror(errno));
    execvp(command->word[0], command->word);
    say("%s: cannot run `%s`: %s", one->name, command->word[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static void start(struct service *one) {
    int out[2], err[2];
    if (one->out.fd >= 0) hear(one, &one->out);
    if (one->err.fd >= 0) hear(one, &one->err);
    if (one->out.fd >= 0) close(one->out.fd);
    if (one->err.fd >= 0) close(one->err.fd);
    if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) refuse("no pipe for", one->name);
    pid_t pid = fork();
    if (pid < 0) refuse("no process for", one->name);
    if (!pid) {
        int null = open("/dev/null", O_RDONLY);
        if (null >= 0) dup2(null, 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        become(one, &one->command);
    }
    close(out[1]);
    close(err[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    one->out.fd = out[0];
    one->err.fd = err[0];
    one->pid = pid;
    one->state = RUNNING;
    one->health = UNKNOWN;
    one->failures = 0;
    one->started = now();
    one->check_due = one->started + 50;
}

static int may_start(struct service *one) {
    for (int i = 0; i < one->afters; i++) {
        struct service *other = find(one->after[i].name);
        switch (one->after[i].condition) {
        case AFTER_START: if (other->state == WAITING) return 0; break;
        case AFTER_HEALTH: if (other->state != RUNNING || other->health != WELL) return 0; break;
        case AFTER_END: if (other->state != COMPLETED) return 0; break;
        }
    }
    return 1;
}

/* Whether an end without an error is what others wait for. */
static int is_task(struct service *one) {
    for (int i = 0; i < count; i++)
        for (int j = 0; j < services[i].afters; j++)
            if (services[i].after[j].condition == AFTER_END && !strcmp(services[i].after[j].name, one->name))
                return 1;
    return 0;
}

/* ---- ending ---- */

static void stop_all(int code) {
    if (stopping) return;
    stopping = 1;
    result = code;
    for (int i = 0; i < count; i++)
        if (services[i].state == WAITING || services[i].state == PAUSED) services[i].state = ENDED;
}

/* Asks those to end that nobody who still runs depends on. */
static void stop_next(void) {
    for (int i = 0; i < count; i++) {
        struct service *one = &services[i];
        if (one->state != RUNNING || one->kill_due) continue;
        int needed = 0;
        for (int j = 0; j < count; j++)
            for (int k = 0; k < services[j].afters; k++)
                if (services[j].state == RUNNING && !strcmp(services[j].after[k].name, one->name)) needed = 1;
        if (needed) continue;
        one->kill_due = now() + one->grace;
        kill(-one->pid, one->stop_signal);
    }
}

static void end_check(struct service *one) {
    if (one->socket >= 0) close(one->socket);
    if (one->checker > 0) kill(-one->checker, SIGKILL);
    one->socket = -1;
    one->checker = 0;
    one->answered = 0;
}

static void ended(struct service *one, int status) {
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    /* What it left behind would keep its port. */
    kill(-one->pid, SIGKILL);
    end_check(one);
    one->pid = 0;
    one->code = code;
    one->health = UNKNOWN;
    if (stopping) {
        one->state = ENDED;
        return;
    }
    if (!code && is_task(one)) {
        one->state = COMPLETED;
        return;
    }
    int again = one->restart == ALWAYS || (one->restart == ON_FAILURE && code);
    if (now() - one->started > SETTLED) one->ends = 0;
    one->ends++;
    if (again && (!one->attempts || one->ends <= one->attempts)) {
        long long pause = FIRST_PAUSE;
        for (int i = 1; i < one->ends && pause < LONGEST_PAUSE; i++) pause *= 2;
        if (pause > LONGEST_PAUSE) pause = LONGEST_PAUSE;
        say("%s ended with code %d, starts again in %lld ms", one->name, code, pause);
        one->state = PAUSED;
        one->due = now() + pause;
        return;
    }
    one->state = one->restart == NEVER || code ? ENDED : COMPLETED;
    if (one->state == COMPLETED) return;
    say("%s ended with code %d: everything stops", one->name, code);
    stop_all(code);
}

/* ---- health ---- */

static void judged(struct service *one, int well) {
    end_check(one);
    long long since = now() - one->started;
    /* Nobody waits longer than needed for what is about to come up. */
    int soon = one->health != WELL && since < one->interval ? 250 : one->interval;
    one->check_due = now() + (soon < one->interval ? soon : one->interval);
    if (well) {
        one->health = WELL;
        one->was_well = 1;
        one->failures = 0;
        return;
    }
    if (since < one->start_period || since < one->interval) return;
    if (++one->failures < one->retries) return;
    if (one->health != ILL) say("%s is not well", one->name);
    one->health = ILL;
    if (one->was_well) return;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < services[i].afters; j++)
            if (services[i].state == WAITING && services[i].after[j].condition == AFTER_HEALTH
                && !strcmp(services[i].after[j].name, one->name)) {
                say("%s waits for it in vain: everything stops", services[i].name);
                stop_all(1);
                return;
            }
}

static void check(struct service *one) {
    one->check_deadline = now() + one->timeout;
    one->answered = 0;
    one->asked = 0;
    if (one->check == EXEC) {
        pid_t pid = fork();
        if (!pid) {
            int null = open("/dev/null", O_RDWR);
            for (int fd = 0; fd < 3; fd++) dup2(null, fd);
            become(one, &one->check_command);
        }
        one->checker = pid;
        if (pid < 0) judged(one, 0);
        return;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(one->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    one->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (one->socket < 0 || (connect(one->socket, (void *)&address, sizeof address) && errno != EINPROGRESS))
        judged(one, 0);
}

/* The check's connection can be written or read. */
static void talk(struct service *one) {
    if (!one->asked) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(one->socket, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error || one->check == TCP) {
            judged(one, !error);
            return;
        }
        one->asked = 1;
        if (dprintf(one->socket, "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n"
                "User-Agent: plimsoll\r\nAccept: */*\r\n\r\n", one->path, one->port) < 0)
            judged(one, 0);
        return;
    }
    ssize_t got = read(one->socket, one->answer + one->answered, sizeof one->answer - 1 - one->answered);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) one->answered += got;
    one->answer[one->answered] = 0;
    int status = 0;
    int whole = sscanf(one->answer, "HTTP/%*d.%*d %3d", &status) == 1 && one->answered >= 12;
    if (whole) judged(one, one->check == HTTP_ANY || (status >= 200 && status < 400));
    else if (got <= 0 || one->answered == sizeof one->answer - 1) judged(one, 0);
}

static int is_well(struct service *one) {
    if (one->state == COMPLETED) return 1;
    return one->state == RUNNING && (!one->check || one->health == WELL);
}

static const char *described(struct service *one) {
    switch (one->state) {
    case WAITING: return "waits";
    case PAUSED: return "starts again";
    case COMPLETED: return "done";
    case ENDED: return "ended";
    case RUNNING: break;
    }
    if (!one->check) return "runs";
    return one->health == WELL ? "healthy" : one->health == ILL ? "unhealthy" : "starts";
}

static int listener(int server) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, ADDRESS, sizeof ADDRESS - 1);
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + sizeof ADDRESS;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (server ? bind(fd, (void *)&address, size) || listen(fd, 8) : connect(fd, (void *)&address, size)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void report(int fd) {
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC), well = !stopping;
    if (client < 0) return;
    for (int i = 0; i < count; i++) well &= is_well(&services[i]);
    dprintf(client, "%s\n", well ? "healthy" : "not healthy");
    for (int i = 0; i < count; i++) dprintf(client, "%-*s  %s\n", widest, services[i].name, described(&services[i]));
    close(client);
}

static int ask(void) {
    int fd = listener(0), well = 0;
    if (fd < 0) return 1;
    char text[8192];
    size_t used = 0;
    ssize_t got;
    while (used < sizeof text && (got = read(fd, text + used, sizeof text - used)) > 0) used += got;
    well = used >= 8 && !memcmp(text, "healthy\n", 8);
    if (write(1, text, used) < 0) return 1;
    return !well;
}

/* ---- the loop ---- */

static void reap(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0; )
        for (int i = 0; i < count; i++) {
            if (services[i].pid == pid) ended(&services[i], status);
            else if (services[i].checker == pid) {
                services[i].checker = 0;
                judged(&services[i], WIFEXITED(status) && !WEXITSTATUS(status));
            }
        }
}

static void on_signal(int signal) {
    if (signal == SIGCHLD) reap();
    else if (signal == SIGTERM || signal == SIGINT || signal == SIGQUIT) stop_all(0);
    else
        for (int i = 0; i < count; i++)
            if (services[i].state == RUNNING) kill(-services[i].pid, signal);
}

/* Does what is due; the time until something is. */
static int advance(void) {
    long long next = now() + 60000;
    int open = 0;
    for (int i = 0; i < count; i++) {
        struct service *one = &services[i];
        if (one->state == WAITING && may_start(one)) start(one);
        if (one->state == PAUSED && one->due <= now()) start(one);
        if (one->state == PAUSED && one->due < next) next = one->due;
        if (one->state == RUNNING && one->kill_due && one->kill_due <= now()) {
            kill(-one->pid, SIGKILL);
            one->kill_due = now() + 1000;
        }
        if (one->state == RUNNING && one->kill_due && one->kill_due < next) next = one->kill_due;
        if (one->state == RUNNING && one->check && !stopping) {
            int busy = one->socket >= 0 || one->checker > 0;
            if (busy && one->check_deadline <= now()) judged(one, 0);
            else if (!busy && one->check_due <= now()) check(one);
            busy = one->socket >= 0 || one->checker > 0;
            long long then = busy ? one->check_deadline : one->check_due;
            if (then < next) next = then;
        }
        open |= one->state == WAITING || one->state == PAUSED || one->state == RUNNING;
    }
    if (stopping) stop_next();
    if (!open) return -1;
    long long left = next - now();
    return left < 0 ? 0 : (int)left;
}

int main(int arguments, char **argument) {
    if (arguments > 1 && !strcmp(argument[1], "healthy")) return ask();
    read_plan();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGPIPE, SIG_IGN);
    sigset_t all;
    sigemptyset(&all);
    int handled[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) sigaddset(&all, handled[i]);
    sigprocmask(SIG_BLOCK, &all, &before);
    int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), server = listener(1);
    for (int wait; (wait = advance()) >= 0; ) {
        struct pollfd ready[2 + MOST_SERVICES * 3] = {{.fd = signals, .events = POLLIN},
            {.fd = server, .events = POLLIN}};
        for (int i = 0; i < count; i++) {
            struct pollfd *mine = &ready[2 + 3 * i];
            mine[0] = (struct pollfd){.fd = services[i].out.fd, .events = POLLIN};
            mine[1] = (struct pollfd){.fd = services[i].err.fd, .events = POLLIN};
            mine[2] = (struct pollfd){.fd = services[i].socket, .events = services[i].asked ? POLLIN : POLLOUT};
        }
        if (poll(ready, 2 + 3 * count, wait) < 0) continue;
        for (int i = 0; i < count; i++) {
            struct pollfd *mine = &ready[2 + 3 * i];
            if (mine[0].revents) hear(&services[i], &services[i].out);
            if (mine[1].revents) hear(&services[i], &services[i].err);
            if (mine[2].revents && mine[2].fd == services[i].socket) talk(&services[i]);
        }
        if (ready[1].revents) report(server);
        struct signalfd_siginfo info;
        if (ready[0].revents)
            while (read(signals, &info, sizeof info) == sizeof info) on_signal(info.ssi_signo);
    }
    for (int i = 0; i < count; i++) {
        if (services[i].out.fd >= 0) hear(&services[i], &services[i].out);
        if (services[i].err.fd >= 0) hear(&services[i], &services[i].err);
    }
    return result;
}
