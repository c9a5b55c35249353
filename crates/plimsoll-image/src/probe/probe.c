/* A health check that needs nothing of its image: no C library, no shell, no resolver.
 *
 *   plimsoll-probe [--timeout SECONDS] http http://ADDRESS[:PORT][/PATH]      200 to 399 is well
 *   plimsoll-probe [--timeout SECONDS] http-any http://ADDRESS[:PORT][/PATH]  any answer is
 *   plimsoll-probe [--timeout SECONDS] tcp ADDRESS:PORT
 *
 * ADDRESS is IPv4 in digits, [::1] or localhost. Exit code 0: well, 1: not well, 2: not understood.
 */

typedef unsigned long word;
typedef unsigned char byte;

#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, POLL = 7, SOCKET = 41, CONNECT = 42, GETSOCKOPT = 55, EXIT = 231, CLOCK = 228 };
static long call(long n, word a, word b, word c, word d, word e)
{
    long result;
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n_start:\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, CLOSE = 57, POLL = 73, SOCKET = 198, CONNECT = 203, GETSOCKOPT = 209, EXIT = 94, CLOCK = 113 };
static long call(long n, word a, word b, word c, word d, word e)
{
    register long x8 __asm__("x8") = n;
    register word x0 __asm__("x0") = a;
    register word x1 __asm__("x1") = b;
    register word x2 __asm__("x2") = c;
    register word x3 __asm__("x3") = d;
    register word x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return (long)x0;
}
__asm__(".globl _start\n_start:\n mov x0, sp\n bl start\n");
#endif

struct moment { long seconds, nanoseconds; };
struct waited { int file; short events, happened; };

enum { IPV4 = 2, IPV6 = 10, STREAM = 1, NONBLOCK = 04000, CLOEXEC = 02000000, IN = 1, OUT = 4, INTERRUPTED = -4, AGAIN = -11, IN_PROGRESS = -115 };

static long deadline;

static long now(void)
{
    struct moment m;
    call(CLOCK, 1, (word)&m, 0, 0, 0);
    return m.seconds * 1000 + m.nanoseconds / 1000000;
}

static word length(const char *text)
{
    word n = 0;
    while (text[n])
        n++;
    return n;
}

static int same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Whether `text` begins with `start`; then `*text` stands behind it. */
static int skip(const char **text, const char *start)
{
    const char *at = *text;
    while (*start)
        if (*at++ != *start++)
            return 0;
    *text = at;
    return 1;
}

static void end(int code, const char *message)
{
    call(WRITE, 1, (word)message, length(message), 0, 0);
    call(WRITE, 1, (word)"\n", 1, 0, 0);
    for (;;)
        call(EXIT, (word)code, 0, 0, 0, 0);
}

/* A number of at most `most`; -1 for anything else. */
static long number(const char **text, long most)
{
    const char *at = *text;
    long value = 0;
    if (*at < '0' || *at > '9')
        return -1;
    while (*at >= '0' && *at <= '9') {
        value = value * 10 + (*at++ - '0');
        if (value > most)
            return -1;
    }
    *text = at;
    return value;
}

/* Waits until the socket can be read or written; 0 when time is over. */
static int wait_for(long file, short events)
{
    for (;;) {
        struct waited w = { (int)file, events, 0 };
        long left = deadline - now();
        long result;
        if (left <= 0)
            return 0;
#if defined(__x86_64__)
        result = call(POLL, (word)&w, 1, (word)left, 0, 0);
#else
        struct moment m = { left / 1000, left % 1000 * 1000000 };
        result = call(POLL, (word)&w, 1, (word)&m, 0, 8);
#endif
        if (result > 0)
            return 1;
        if (result != INTERRUPTED)
            return 0;
    }
}

/* Reads `ADDRESS[:PORT]` into a socket address, and gives its size; 0 when it is not understood. */
static word address(const char **text, byte out[28], long port)
{
    word size = 16;
    for (word i = 0; i < 28; i++)
        out[i] = 0;
    if (skip(text, "[::1]")) {
        size = 28;
        out[0] = IPV6;
        out[23] = 1;
    } else {
        out[0] = IPV4;
        if (skip(text, "localhost")) {
            out[4] = 127;
            out[7] = 1;
        } else {
            for (int i = 0; i < 4; i++) {
                long part = number(text, 255);
                if (part < 0 || (i < 3 && !skip(text, ".")))
                    return 0;
                out[4 + i] = (byte)part;
            }
        }
    }
    if (skip(text, ":"))
        port = number(text, 65535);
    if (port <= 0)
        return 0;
    out[2] = (byte)(port >> 8);
    out[3] = (byte)port;
    return size;
}

/* Connects, and gives the socket; negative when nobody listens. */
static long reach(const byte *to, word size)
{
    long file = call(SOCKET, to[0], STREAM | NONBLOCK | CLOEXEC, 0, 0, 0);
    if (file < 0)
        return file;
    long result = call(CONNECT, (word)file, (word)to, size, 0, 0);
    if (result == IN_PROGRESS || result == INTERRUPTED) {
        int error = 0;
        unsigned int room = sizeof error;
        if (!wait_for(file, OUT))
            result = AGAIN;
        else if (call(GETSOCKOPT, (word)file, 1, 4, (word)&error, (word)&room) < 0 || error)
            result = -1;
        else
            result = 0;
    }
    if (result < 0) {
        call(CLOSE, (word)file, 0, 0, 0, 0);
        return result;
    }
    return file;
}

static void send_all(long file, const char *text, word left)
{
    while (left) {
        long sent = call(WRITE, (word)file, (word)text, left, 0, 0);
        if (sent > 0) {
            text += sent;
            left -= (word)sent;
        } else if (sent == AGAIN) {
            if (!wait_for(file, OUT))
                end(1, "no answer in time");
        } else if (sent != INTERRUPTED) {
            end(1, "the connection broke");
        }
    }
}

/* The status of the answer; interim ones are passed over. */
static int status(long file)
{
    static char seen[4097];
    word have = 0;
    for (;;) {
        seen[have] = 0;
        for (word i = 0; i < have; i++) {
            if (seen[i] != '\n')
                continue;
            const char *at = seen;
            if (!skip(&at, "HTTP/1.") || !(skip(&at, "0 ") || skip(&at, "1 ")))
                end(1, "the answer is not HTTP");
            long code = number(&at, 999);
            if (code < 100)
                end(1, "the answer is not HTTP");
            if (code >= 200 || code == 101)
                return (int)code;
            word head = 0;
            for (word j = 3; j < have && !head; j++)
                if (seen[j] == '\n' && seen[j - 1] == '\r' && seen[j - 2] == '\n')
                    head = j + 1;
            if (!head)
                break;
            for (word j = head; j < have; j++)
                seen[j - head] = seen[j];
            have -= head;
            i = (word)-1;
        }
        if (have == sizeof seen - 1)
            end(1, "the answer is not HTTP");
        if (!wait_for(file, IN))
            end(1, "no answer in time");
        long got = call(READ, (word)file, (word)(seen + have), sizeof seen - 1 - have, 0, 0);
        if (got > 0)
            have += (word)got;
        else if (got == 0)
            end(1, "the server closed the connection without an answer");
        else if (got != AGAIN && got != INTERRUPTED)
            end(1, "the connection broke");
    }
}

static void http(const char *url, int any)
{
    byte to[28];
    skip(&url, "http://");
    const char *authority = url;
    word size = address(&url, to, 80);
    if (!size || (*url && *url != '/' && *url != '?' && *url != '#'))
        end(2, "the address is not understood; it has to be http://127.0.0.1:PORT/PATH");
    word authority_length = (word)(url - authority);
    word path_length = 0;
    while (url[path_length] && url[path_length] != '#') {
        if (url[path_length] <= ' ' || url[path_length] > '~')
            end(2, "the address holds characters that an address cannot hold");
        path_length++;
    }
    long file = reach(to, size);
    if (file < 0)
        end(1, "nobody listens there");
    send_all(file, "GET ", 4);
    if (*url != '/')
        send_all(file, "/", 1);
    send_all(file, url, path_length);
    send_all(file, " HTTP/1.1\r\nHost: ", 17);
    send_all(file, authority, authority_length);
    static const char rest[] = "\r\nUser-Agent: plimsoll-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    send_all(file, rest, sizeof rest - 1);
    int code = status(file);
    if (any || (code >= 200 && code < 400))
        end(0, "well");
    end(1, "the answer is an error");
}

static void tcp(const char *text)
{
    byte to[28];
    word size = address(&text, to, 0);
    if (!size || *text)
        end(2, "the address is not understood; it has to be 127.0.0.1:PORT");
    if (reach(to, size) < 0)
        end(1, "nobody listens there");
    end(0, "well");
}

__attribute__((used)) void start(word *stack)
{
    long count = (long)stack[0];
    char **words = (char **)(stack + 1);
    long seconds = 30;
    long at = 1;
    if (count > 3 && same(words[1], "--timeout")) {
        const char *text = words[2];
        seconds = number(&text, 3600);
        at = 3;
    }
    if (count != at + 2 || seconds <= 0)
        end(2, "usage: plimsoll-probe [--timeout SECONDS] http URL | tcp ADDRESS:PORT");
    deadline = now() + seconds * 1000;
    if (same(words[at], "http"))
        http(words[at + 1], 0);
    if (same(words[at], "http-any"))
        http(words[at + 1], 1);
    if (same(words[at], "tcp"))
        tcp(words[at + 1]);
    end(2, "usage: plimsoll-probe [--timeout SECONDS] http URL | tcp ADDRESS:PORT");
}
