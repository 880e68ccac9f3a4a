/* SPDX-License-Identifier: MIT OR Apache-2.0
 * profile_fuzz.c: the resolver (build-scripts/resolve.awk and its fellows) on any profile, component.conf and --set.
 *
 * An input is a profile; a line "%% conf" begins the component.conf of a stranger's app/fuzz, a line "%% set" begins
 * COMPONENT.OPTION=VALUE lines. The resolver runs as configure runs it, over the components of test/refuse. Then:
 *
 *  (1) it ends with 0 or 1, within LIMITS;
 *  (2) everything it says is FILE:LINE: TEXT, or --set ...: TEXT, and it says something exactly when it refuses;
 *  (3) a refusal leaves no file;
 *  (4) what it writes for the C compiler, for make and for capnp is well formed: no text of the input gets out of its quotes;
 *  (5) the same input gives the same files.
 *
 * libFuzzer cannot see inside awk, so each new shape of a message or of a picture counts as new coverage (novelty()).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMITS "ulimit -t 2; ulimit -v 65536" /* CPU seconds, KiB */

enum { INPUT_MAX = 16384, PATH_ROOM = 256, COUNTERS = 4096 };

extern char **environ;
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static __attribute__((section("__libfuzzer_extra_counters"))) uint8_t counters[COUNTERS];
static char work[] = "/dev/shm/capos-profile-fuzz.XXXXXX";
static const char *top;
static char *arguments[96];
static char sets[INPUT_MAX + 16];

static void clean_up(void);
static void require(bool holds, const char *what, const char *where)
{
    if (!holds) {
        fprintf(stderr, "profile_fuzz: %s: %s\n", what, where);
        clean_up();
        abort();
    }
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

static const char *in_work(const char *name)
{
    static char path[4][PATH_ROOM];
    static unsigned turn;
    char *out = path[turn++ % 4];
    snprintf(out, PATH_ROOM, "%s/%s", work, name);
    return out;
}
static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(in_work(name), "w");
    require(f != NULL && fwrite(bytes, 1, size, f) == size && fclose(f) == 0, "cannot write", name);
}
static char *read_all(const char *path, size_t *size)
{
    FILE *f = fopen(path, "r");
    require(f != NULL, "cannot read", path);
    struct stat st;
    require(fstat(fileno(f), &st) == 0, "cannot stat", path);
    *size = (size_t)st.st_size;
    char *text = malloc(*size + 1);
    require(text != NULL && fread(text, 1, *size, f) == *size, "cannot read", path);
    text[*size] = 0;
    fclose(f);
    return text;
}
/* Calls `act` (if any) for each file of the folder; gives their number. */
static unsigned each_file(const char *folder, void (*act)(const char *path))
{
    unsigned n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[PATH_ROOM * 2];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_type == DT_REG) {
            n++;
            if (act != NULL) {
                act(path);
            }
        }
    }
    closedir(d);
    return n;
}
static void remove_file(const char *path)
{
    unlink(path);
}
static void clean_up(void)
{
    static const char *const folders[] = {"components/app/fuzz", "components/app", "components", "out", "again", ""};
    for (unsigned i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        each_file(in_work(folders[i]), remove_file);
        rmdir(in_work(folders[i]));
    }
}

/* --- running the resolver --------------------------------------------------------------------------------------------- */

static unsigned argument_count;
static void argument(const char *format, const char *a, const char *b)
{
    char text[PATH_ROOM * 2];
    snprintf(text, sizeof text, format, a, b);
    require(argument_count + 2 < sizeof arguments / sizeof arguments[0], "too many arguments", text);
    arguments[argument_count++] = strdup(text);
}
static void arguments_of(const char *pattern)
{
    char path[PATH_ROOM];
    glob_t found;
    snprintf(path, sizeof path, "%s/%s", top, pattern);
    require(glob(path, 0, NULL, &found) == 0, "nothing there", path);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        argument("%s%s", found.gl_pathv[i], "");
    }
    globfree(&found);
}
static unsigned out_argument;
static char *good; /* test/fuzz/profile/good: every line of both grammars, accepted */
static size_t good_size;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    top = getenv("CAPOS_TOP") != NULL ? getenv("CAPOS_TOP") : ".";
    require(mkdtemp(work) != NULL, "cannot make", work);
    atexit(clean_up);
    static const char *const folders[] = {"out", "again", "components", "components/app", "components/app/fuzz"};
    for (unsigned i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        require(mkdir(in_work(folders[i]), 0777) == 0, "cannot make", folders[i]);
    }
    write_file("components/app/fuzz/x.c", "", 0);
    static const char schema[] = "@0xbf5147cbbecf40c1; interface Fuzz { f @0 () -> (); }\n";
    write_file("components/app/fuzz/x.capnp", schema, sizeof schema - 1);
    char path_of_good[PATH_ROOM];
    snprintf(path_of_good, sizeof path_of_good, "%s/test/fuzz/profile/good", top);
    good = read_all(path_of_good, &good_size);
    argument("sh", "", "");
    argument("-c", "", "");
    argument("%s; exec awk%s", LIMITS, " \"$@\"");
    argument("awk", "", "");
    static const char *const scripts[] = {"expression.awk", "resolve.awk",    "check.awk",
                                          "emit.awk",       "emit-rules.awk", "emit-texts.awk"};
    for (unsigned i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        char path[PATH_ROOM];
        snprintf(path, sizeof path, "%s/build-scripts/%s", top, scripts[i]);
        if (access(path, R_OK) == 0) {
            argument("-f", "", "");
            argument("%s%s", path, "");
        }
    }
    static const char *const fixed[] = {"build=/nowhere",      "mode=profile",
                                        "version=1",           "capnp=capnp",
                                        "locked=lwip mbedtls", "platforms=kvm-q35 pc microvm gce sim"};
    for (unsigned i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        argument("-v", "", "");
        argument("%s%s", fixed[i], "");
    }
    argument("-v", "", "");
    argument("top=%s%s", top, "");
    argument("-v", "", "");
    argument("profile_file=%s/fuzz.profile%s", work, "");
    argument("-v", "", "");
    out_argument = argument_count++;
    arguments_of("test/refuse/components/*/*/component.conf");
    argument("%s/components/app/fuzz/component.conf%s", work, "");
    arguments_of("core/core.conf");
    arguments_of("platform/*/platform.conf");
    argument("%s/fuzz.profile%s", work, "");
    return 0;
}

/* Runs it into that folder; its exit status. What it says is in the file "said". */
static int resolve(const char *folder)
{
    char out[PATH_ROOM];
    snprintf(out, sizeof out, "out=%s/%s", work, folder);
    arguments[out_argument] = out;
    setenv("CAPOS_SETS", sets, 1);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, in_work("said"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid;
    require(posix_spawnp(&pid, "sh", &actions, NULL, arguments, environ) == 0, "cannot run", "awk");
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    pid_t ended;
    do {
        ended = waitpid(pid, &status, 0);
    } while (ended < 0 && errno == EINTR); /* libFuzzer's own timer interrupts it every few seconds. */
    require(ended == pid, "lost", "awk");
    require(WIFEXITED(status), "(1) killed: too slow?", "awk");
    return WEXITSTATUS(status);
}

/* --- what it said ----------------------------------------------------------------------------------------------------- */

/* A text without its quoted and counted parts is a shape; a shape that was not seen yet is coverage. */
static void novelty(const char *text, size_t size)
{
    uint32_t hash = 2166136261u;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        quoted = c == '\'' ? !quoted : quoted;
        if (!quoted && !(c >= '0' && c <= '9')) {
            hash = (hash ^ (uint8_t)c) * 16777619u;
        }
    }
    counters[hash % COUNTERS] = 1;
}
static bool ends_with(const char *text, const char *end, const char *tail)
{
    size_t n = strlen(tail);
    return (size_t)(end - text) >= n && memcmp(end - n, tail, n) == 0;
}
/* (2); gives the message. */
static const char *message_of(const char *line)
{
    if (strncmp(line, "--set ", 6) == 0) {
        const char *message = strstr(line, ": ");
        require(message != NULL, "(2) no message", line);
        return message + 2;
    }
    const char *colon = strchr(line, ':');
    require(colon != NULL && (ends_with(line, colon, ".profile") || ends_with(line, colon, ".conf")), "(2) no place",
            line);
    size_t digits = strspn(colon + 1, "0123456789");
    const char *message = colon + 1 + digits;
    require(digits > 0 && strncmp(message, ": ", 2) == 0 && message[2] != 0, "(2) no FILE:LINE:", line);
    return message + 2;
}
static void check_said(bool refused)
{
    size_t size;
    char *said = read_all(in_work("said"), &size);
    require(refused == (size > 0), refused ? "(2) refused in silence" : "(2) accepted, but says", said);
    for (char *line = said, *end; *line != 0; line = end + 1) {
        end = strchr(line, '\n');
        require(end != NULL, "(2) half a line", line);
        *end = 0;
        for (const char *c = line; *c != 0; c++) {
            require(*c >= ' ' && *c <= '~', "(2) says what is not printable", line);
        }
        const char *message = message_of(line);
        novelty(message, strlen(message));
    }
    free(said);
}

/* --- what it wrote ---------------------------------------------------------------------------------------------------- */

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ \n\t";

/* A number as C and capnp read it: no octal, at most 20 digits. */
static void check_number(const char *at, const char *path)
{
    size_t n = strspn(at, letters), digits = strspn(at, "0123456789");
    n = strcspn(at, " \n\t,;)}]") < n ? strcspn(at, " \n\t,;)}]") : n;
    bool hex = strncmp(at, "0x", 2) == 0;
    require(hex || digits == n || strncmp(at + digits, "u", 1) == 0, "(4) no number", path);
    require(digits <= 20 && (digits == 1 || *at != '0' || hex), "(4) a number that another language reads differently",
            path);
}
/* The text from an opening quote to behind the closing one. */
static const char *skip_string(const char *at, bool escapes, const char *path)
{
    for (at++; *at != '"'; at++) {
        require(*at >= ' ' && *at <= '~', "(4) a string is open or holds what is not printable", path);
        if (*at == '\\') {
            require(escapes && strchr("\\\"n", at[1]) != NULL && at[1] != 0, "(4) a backslash in a string", path);
            at++;
        }
    }
    return at + 1;
}
/* Code in which strings are strings, comments are comments, and brackets match. */
static void check_code(const char *text, const char *others, bool escapes, const char *path)
{
    int depth = 0;
    bool in_word = false;
    while (*text != 0) {
        if (strncmp(text, "/*", 2) == 0 && !escapes) {
            text = strstr(text, "*/");
            require(text != NULL, "(4) a comment is open", path);
            text += 2;
        } else if (*text == '"') {
            text = skip_string(text, escapes, path);
        } else {
            require(strchr(letters, *text) != NULL || strchr(others, *text) != NULL, "(4) a stray character", path);
            depth += strchr("([{", *text) != NULL ? 1 : strchr(")]}", *text) != NULL ? -1 : 0;
            require(depth >= 0, "(4) a bracket too many", path);
            if (!in_word && *text >= '0' && *text <= '9') {
                check_number(text, path);
            }
            in_word = strchr(letters, *text) != NULL && strchr(" \n\t", *text) == NULL;
            text++;
            continue;
        }
        in_word = false;
    }
    require(depth == 0, "(4) a bracket is open", path);
}
/* make: what is expanded is what configure means to be expanded. */
static void check_make(const char *text, const char *path)
{
    static const char *const known[] = {"$(SRC)",
                                        "$(DEPS_",
                                        "$(FETCHED_",
                                        "$(STEP)",
                                        "$(CONFIGURED)",
                                        "$(call ",
                                        "$(eval $(call profile_rules",
                                        "$(fuzz.elf.",
                                        "$(fuzz.sim.",
                                        "$@"};
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$')) {
        bool ours = false;
        for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
            ours = ours || strncmp(at, known[i], strlen(known[i])) == 0;
        }
        require(ours, "(4) expands something else", at);
    }
    const char *stray = strpbrk(text, "`;&<>'{}\r*?");
    require(stray == NULL, "(4) a stray character for the shell", path);
}
static void check_written(const char *path)
{
    size_t size;
    char *text = read_all(path, &size);
    const char *end = path + strlen(path);
    require(strlen(text) == size, "(4) a NUL", path);
    if (ends_with(path, end, ".c") || ends_with(path, end, ".h")) {
        check_code(text, "{}()[];,.*&=!/#-", false, path);
    } else if (ends_with(path, end, "/manifest.txt")) {
        check_code(text, "()[]=,", true, path);
    } else if (ends_with(path, end, "/rules.mk")) {
        check_make(text, path);
    } else if (ends_with(path, end, "/picture.txt")) {
        for (char *line = text, *stop; (stop = strchr(line, '\n')) != NULL; line = stop + 1) {
            novelty(line, (size_t)(stop - line));
        }
    }
    free(text);
}
/* (5): every file of "out" stands in "again", alike. */
static void check_same(const char *path)
{
    char other[PATH_ROOM * 2];
    snprintf(other, sizeof other, "%s/again/%s", work, strrchr(path, '/') + 1);
    size_t size, other_size;
    char *text = read_all(path, &size), *other_text = read_all(other, &other_size);
    require(size == other_size && memcmp(text, other_text, size) == 0, "(5) not the same twice", path);
    free(text);
    free(other_text);
}

/* --- one input -------------------------------------------------------------------------------------------------------- */

/* Cuts the input at its "%% conf" and "%% set" lines. */
static void lay_out(char *text)
{
    char *conf = strstr(text, "%% conf\n"), *set = strstr(text, "%% set\n");
    if (conf != NULL) {
        *conf = 0;
        conf += strlen("%% conf\n");
    }
    if (set != NULL) {
        *set = 0;
        set += strlen("%% set\n");
    }
    write_file("fuzz.profile", text, strlen(text));
    write_file("components/app/fuzz/component.conf", conf != NULL ? conf : "", conf != NULL ? strlen(conf) : 0);
    snprintf(sets, sizeof sets, "%s", set != NULL ? set : "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[INPUT_MAX + 1];
    size = size > INPUT_MAX ? INPUT_MAX : size;
    for (size_t i = 0; i < size; i++) {
        text[i] = data[i] != 0 ? (char)data[i]
                               : 1; /* a NUL ends an argument and a C string; another control character stands for it */
    }
    text[size] = 0;
    lay_out(text);
    int status = resolve("out");
    if (status != 0 && status != 1) {
        size_t n;
        require(false, "(1) another exit status", read_all(in_work("said"), &n));
    }
    check_said(status == 1);
    if (status == 1) {
        require(each_file(in_work("out"), NULL) == 0, "(3) refused, and wrote", "out");
        return 0;
    }
    require(each_file(in_work("out"), check_written) > 5, "(4) accepted, and wrote too little", "out");
    require(resolve("again") == 0, "(5) refused the second time", "awk");
    each_file(in_work("out"), check_same);
    each_file(in_work("out"), remove_file);
    each_file(in_work("again"), remove_file);
    return 0;
}

/* --- mutation by lines and words -------------------------------------------------------------------------------------- */

static const char *const lines[] = {
    "component drv/fake-net ring=128 label=abc mode=fast\n",
    "component lib/fake-port\n",
    "component net/fake-tcp\n",
    "component rpc/fake-vat\n",
    "component app/fuzz\n",
    "component app/fake-a\n",
    "core log_level=debug\n",
    "wire net/fake-tcp.netif -> drv/fake-net.port\n",
    "wire rpc/fake-vat.tcp -> net/fake-tcp.tcp\n",
    "wire app/fuzz.s -> app/fake-a.half\n",
    "grant rpc/fake-vat.listen -> net/fake-tcp.listen tcp/7000\n",
    "expose echo -> app/fuzz.o\n",
    "port 7000 rpc\n",
    "insecure rpc/fake-vat\n",
    "budget text=512K data=1M elf=1M\n",
    "profile fuzz\n",
    "summary \"a text\"\n",
    "platform kvm-q35\n",
    "memory 16M\n",
    "status experiment\n",
    "%% conf\n",
    "%% set\n",
    "drv/fake-net.ring=256\n",
    "app/fuzz.n=3\n",
    "component app/fuzz\n",
    "prefix fuzz_ more_\n",
    "needs lib/fake-port drv/fake-net\n",
    "slot s : fake_half.v1 optional\n",
    "provides o : object.v1 Fuzz\n",
    "holds h : fake_listen.v1 optional\n",
    "grants g : fuzz.v1 scope \"tcp/PORT or tcp/any\"\n",
    "option n int -4 9 3 \"a number\"\n",
    "option p pow2 1 64 4\n",
    "option z size 1K 1M 4K\n",
    "option b bool yes\n",
    "option e enum a|b-c|d b-c\n",
    "option t text 20 \"a text\"\n",
    "option i ip 10.0.0.1\n",
    "memory (n+p)*16 - z/4 + 64K\n",
    "schema x.capnp\n",
    "source x.c\n",
    "library lwip src/a.c src/b.c\n",
    "include mbedtls include\n",
    "cflags -DX=1 -DY=\"z\"\n",
    "cflags_library -DX=1\n",
    "fpu yes\n",
    "start no\n",
    "bus pci mmio\n",
    "insecure \"a reason\"\n",
    "test unit x.c\n",
    "test schema x.capnp\n",
};
static const char *const words[] = {
    " ",
    "\"(\"",
    "\"tcp/(\"",
    "tcp/a\\b",
    "((((((((((((((((((((((1))))))))))))))))))))))",
    "07000",
    "\"",
    "\"\"",
    "\"a b\"",
    "\\",
    "\\\"",
    "'",
    "`id`",
    "$(SRC)",
    "$(shell id)",
    "*/",
    "/*",
    "(",
    ")",
    "[",
    "]",
    "*",
    "+",
    "?",
    "^",
    "|",
    ".",
    "..",
    "/",
    ";",
    "&",
    "<",
    "{",
    "}",
    "%s",
    "%",
    "#",
    "=",
    "->",
    ":",
    ",",
    "-",
    "0",
    "1",
    "-1",
    "007",
    "65535",
    "65536",
    "1e9",
    "1K",
    "999G",
    "4294967296",
    "99999999999999",
    "99999999999999999999",
    "9007199254740993",
    "\x01",
    "\x7f",
    "\xff",
    "\xc3\xa9",
    "\t",
    "\r",
    "\n",
    "a",
    "a/b",
    "a.b",
    "a-b",
    "a_b",
    "A",
    "PORT",
    "int",
    "core",
    "yes",
    "no",
    "optional",
    "scope",
    ".v1",
    "object.v1",
    "app/fuzz",
    "x.c",
    "../app/fuzz/x.c",
};

static uint32_t random_state;
static uint32_t random_below(size_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return n == 0 ? 0 : (uint32_t)((random_state >> 8) % n);
}
static size_t edit(uint8_t *data, size_t size, size_t max, size_t at, size_t gone, const void *text, size_t text_size)
{
    if (size - gone + text_size > max) {
        return size;
    }
    uint8_t copy[INPUT_MAX];
    if (text_size > sizeof copy) {
        return size;
    }
    memcpy(copy, text, text_size); /* it may stand in `data` itself */
    memmove(data + at + text_size, data + at + gone, size - at - gone);
    memcpy(data + at, copy, text_size);
    return size - gone + text_size;
}
static size_t line_start(const uint8_t *data, size_t at)
{
    while (at > 0 && data[at - 1] != '\n') {
        at--;
    }
    return at;
}
static size_t line_size(const uint8_t *data, size_t size, size_t at)
{
    const uint8_t *end = memchr(data + at, '\n', size - at);
    return end == NULL ? size - at : (size_t)(end - data) - at + 1;
}
/* The word at or before a place: where it begins; its size in *n. */
static size_t word_at(const uint8_t *data, size_t size, size_t at, size_t *n)
{
    static const char ends[] = " \t\n=.:/";
    while (at > 0 && strchr(ends, data[at - 1]) == NULL) {
        at--;
    }
    for (*n = 0; at + *n < size && strchr(ends, data[at + *n]) == NULL;) {
        (*n)++;
    }
    return at;
}

/* A good input with one word that is not: what most mistakes look like, and what gets furthest. */
static size_t one_bad_word(uint8_t *data, size_t max_size)
{
    if (max_size < good_size) {
        return 0;
    }
    memcpy(data, good, good_size);
    const char *word = words[random_below(sizeof words / sizeof words[0])];
    size_t n, from = word_at(data, good_size, random_below(good_size), &n);
    bool instead = random_below(2);
    return edit(data, good_size, max_size, instead ? from : from + n, instead ? n : 0, word, strlen(word));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    random_state = seed;
    max_size = max_size > INPUT_MAX ? INPUT_MAX : max_size;
    if (random_below(4) != 0) {
        return one_bad_word(data, max_size);
    }
    const char *line = lines[random_below(sizeof lines / sizeof lines[0])];
    const char *word = words[random_below(sizeof words / sizeof words[0])];
    size_t at = random_below(size + 1), from = line_start(data, at), n;
    switch (random_below(8)) {
    case 0:
    case 1:
        return edit(data, size, max_size, from, 0, line, strlen(line));
    case 2:
        return edit(data, size, max_size, from, line_size(data, size, from), "", 0);
    case 3: {
        size_t other = line_start(data, random_below(size + 1));
        return edit(data, size, max_size, from, 0, data + other, line_size(data, size, other));
    }
    case 4:
        from = word_at(data, size, at, &n);
        return edit(data, size, max_size, from, n, word, strlen(word));
    case 5:
        return edit(data, size, max_size, at, 0, word, strlen(word));
    case 6:
        for (unsigned i = 1u << random_below(10); i > 0; i--) {
            size = edit(data, size, max_size, at, 0, word, strlen(word));
        }
        return size;
    default:
        return LLVMFuzzerMutate(data, size, max_size);
    }
}
