/* SPDX-License-Identifier: MIT OR Apache-2.0
 * record_svg.c: the timeline as a picture.
 *
 *  (1) Time goes to the right, but no more than IDLE_NS of it passes between two marks: a run is a second of work and a minute
 *      of waiting. Where more was left out stands a dashed line; numbers on the axis are the run's own seconds.
 *  (2) The picture has a bound: the last MARKS_MAX of each kind are drawn, since a broken promise is near the end; its head
 *      says how many there were.
 *  (3) Nothing in it comes from the host: the same run gives the same bytes.
 */
#include "record_svg.h"
#include <stdlib.h>
#include <string.h>
#include "run.h"

#define MARKS_MAX 5000u
#define IDLE_NS (10 * NS_PER_MS)
#define LEFT 110.0
#define WIDTH 3600.0
#define TOP 70
#define LANE 90
#define LABEL_APART 80.0

struct drawing {
    FILE *to;
    struct mark *ring[MARK_KINDS]; /* of MARKS_MAX each */
    uint64_t count[MARK_KINDS];    /* all that there were */
    uint64_t numbers;
    struct mark *all; /* from here on when it ends: in the order of time */
    double *x;        /* of each of `all` */
    size_t size;
};

struct drawing *drawing_new(FILE *to)
{
    struct drawing *drawing = sim_alloc(sizeof *drawing);

    drawing->to = to;
    for (unsigned i = 0; i < MARK_KINDS; i++) {
        drawing->ring[i] = sim_alloc(MARKS_MAX * sizeof(struct mark));
    }
    return drawing;
}

void drawing_mark(struct drawing *drawing, const struct mark *mark)
{
    struct mark *at = &drawing->ring[mark->kind][drawing->count[mark->kind]++ % MARKS_MAX];

    free(at->text);
    *at = *mark;
    at->number = drawing->numbers++;
}

/* --- where things stand ---------------------------------------------------------------------------------------------- */

static int earlier(const void *a, const void *b)
{
    const struct mark *one = a, *other = b;

    if (one->time_ns != other->time_ns) {
        return one->time_ns < other->time_ns ? -1 : 1;
    }
    return one->number < other->number ? -1 : 1;
}

static double passed(uint64_t ns)
{
    return (double)(ns < IDLE_NS ? ns : IDLE_NS); /* (1) */
}

static void lay_out(struct drawing *drawing)
{
    size_t size = 0;

    drawing->all = sim_alloc(MARK_KINDS * MARKS_MAX * sizeof(struct mark));
    drawing->x = sim_alloc(MARK_KINDS * MARKS_MAX * sizeof(double));
    for (unsigned kind = 0; kind < MARK_KINDS; kind++) {
        for (unsigned i = 0; i < MARKS_MAX && i < drawing->count[kind]; i++) {
            drawing->all[size++] = drawing->ring[kind][i];
        }
    }
    qsort(drawing->all, size, sizeof(struct mark), earlier);
    drawing->size = size;
    for (size_t i = 1; i < size; i++) {
        drawing->x[i] = drawing->x[i - 1] + passed(drawing->all[i].time_ns - drawing->all[i - 1].time_ns);
    }
    double whole = size > 0 && drawing->x[size - 1] > 0 ? drawing->x[size - 1] : 1;
    for (size_t i = 0; i < size; i++) {
        drawing->x[i] = LEFT + drawing->x[i] * WIDTH / whole;
    }
}

/* Of a time at or after that of mark `from`: where the last mark before it stands. */
static double x_of(const struct drawing *drawing, size_t from, uint64_t time_ns)
{
    size_t high = drawing->size;

    while (high - from > 1) {
        size_t middle = from + (high - from) / 2;
        if (drawing->all[middle].time_ns <= time_ns) {
            from = middle;
        } else {
            high = middle;
        }
    }
    return drawing->x[from];
}

/* The world's lane is the first. */
static int y_of(int node)
{
    return TOP + (node + 1) * LANE;
}

/* --- what is drawn --------------------------------------------------------------------------------------------------- */

static void print_text(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        default:
            fputc(*text >= ' ' && *text <= '~' ? *text : *text == '\n' ? ' ' : '?', to);
        }
    }
}

static void print_title(const struct drawing *drawing, const struct run *run, const struct mark *mark)
{
    fprintf(drawing->to, "<title>%.6f s, ", (double)mark->time_ns / (double)NS_PER_S);
    print_text(drawing->to, mark->from < 0 ? "world" : run->node[mark->from].name);
    if (mark->kind == MARK_FRAME || mark->kind == MARK_LOST) {
        fputs(" to ", drawing->to);
        print_text(drawing->to, run->node[mark->to].name);
        fputs(mark->kind == MARK_LOST ? ", lost" : "", drawing->to);
    }
    fputs(": ", drawing->to);
    print_text(drawing->to, mark->text != NULL ? mark->text : "");
    fputs("</title>", drawing->to);
}

/* A note by how it begins ("card: device-reset" is no reset), a line by what is in it. */
static bool says(const struct mark *mark, const char *word)
{
    if (mark->text == NULL) {
        return false;
    }
    return mark->kind == MARK_NOTE ? strncmp(mark->text, word, strlen(word)) == 0 : strstr(mark->text, word) != NULL;
}

/* How a line or a note looks. */
static const char *class_of(const struct mark *mark)
{
    static const struct {
        enum mark_kind kind;
        const char *word, *class;
    } known[] = {{MARK_NOTE, "on, ", "on"},     {MARK_NOTE, "power cut", "cut"}, {MARK_NOTE, "reset", "cut"},
                 {MARK_NOTE, "cable", "cable"}, {MARK_LINE, "ready ", "ready"},  {MARK_LINE, "*** panic", "panic"}};

    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (mark->kind == known[i].kind && says(mark, known[i].word)) {
            return known[i].class;
        }
    }
    return mark->kind == MARK_NOTE ? "note" : mark->kind == MARK_LINE ? "line" : "disk";
}

/* A stroke on its lane, or through all lanes when it is the world's. */
static void draw_stroke(const struct drawing *drawing, const struct run *run, size_t i)
{
    static const struct {
        int up, down;
    } reach[MARK_KINDS] = {[MARK_NOTE] = {22, 22}, [MARK_LINE] = {12, 0}, [MARK_DISK] = {0, 10}};
    const struct mark *mark = &drawing->all[i];
    bool world = mark->from < 0;
    int y = y_of(mark->from);
    int last = y_of((int)run->node_count - 1) + 20;

    fprintf(drawing->to, "<path class=\"%s\" d=\"M%.1f %dV%d\">", world ? "world" : class_of(mark), drawing->x[i],
            y - reach[mark->kind].up, world ? last : y + reach[mark->kind].down);
    print_title(drawing, run, mark);
    fputs("</path>\n", drawing->to);
}

static void draw_flight(const struct drawing *drawing, const struct run *run, size_t i)
{
    const struct mark *mark = &drawing->all[i];

    fprintf(drawing->to, "<path class=\"%s\" d=\"M%.1f %dL%.1f %d\">", mark->kind == MARK_LOST ? "lost" : "frame",
            drawing->x[i], y_of(mark->from), x_of(drawing, i, mark->time_ns + mark->travel_ns), y_of(mark->to));
    print_title(drawing, run, mark);
    fputs("</path>\n", drawing->to);
}

static void draw_marks(const struct drawing *drawing, const struct run *run)
{
    for (size_t i = 0; i < drawing->size; i++) {
        if (drawing->all[i].kind == MARK_FRAME || drawing->all[i].kind == MARK_LOST) {
            draw_flight(drawing, run, i);
        } else {
            draw_stroke(drawing, run, i);
        }
    }
}

static void draw_axis(const struct drawing *drawing, int bottom)
{
    double labelled = -LABEL_APART;

    for (size_t i = 0; i < drawing->size; i++) {
        double x = drawing->x[i];
        bool left_out = i > 0 && drawing->all[i].time_ns - drawing->all[i - 1].time_ns > IDLE_NS;
        if (left_out) {
            fprintf(drawing->to, "<path class=\"idle\" d=\"M%.1f %dV%d\"/>\n", x, TOP, bottom);
        }
        if (x - labelled >= LABEL_APART) {
            labelled = x;
            fprintf(drawing->to, "<path class=\"tick\" d=\"M%.1f %dv6\"/><text x=\"%.1f\" y=\"%d\">%.6f</text>\n", x,
                    bottom, x, bottom + 20, (double)drawing->all[i].time_ns / (double)NS_PER_S);
        }
    }
}

static void draw_lane(const struct drawing *drawing, int node, const char *name)
{
    fprintf(drawing->to, "<g class=\"lane\"><path d=\"M%.0f %dH%.0f\"/><text x=\"8\" y=\"%d\">", LEFT, y_of(node),
            LEFT + WIDTH, y_of(node) + 4);
    print_text(drawing->to, name);
    fputs("</text></g>\n", drawing->to);
}

static void draw_head(const struct drawing *drawing, const struct run *run)
{
    static const char *const words[MARK_KINDS] = {"acts", "lines", "frames", "lost frames", "disk commands"};

    fprintf(drawing->to,
            "<text class=\"head\" x=\"8\" y=\"24\">seed %lu, hash %016lX, %.3f s: ", (unsigned long)run->seed,
            (unsigned long)run->hash, (double)run->now_ns / (double)NS_PER_S);
    for (unsigned i = 0; i < MARK_KINDS; i++) {
        fprintf(drawing->to, "%s%lu %s", i > 0 ? ", " : "", (unsigned long)drawing->count[i], words[i]);
        if (drawing->count[i] > MARKS_MAX) {
            fprintf(drawing->to, " (the last %u drawn)", MARKS_MAX);
        }
    }
    fputs("</text>\n<text class=\"head\" x=\"8\" y=\"44\">", drawing->to);
    print_text(drawing->to, run->violation[0] != '\0' ? run->violation : "every promise was kept");
    fputs("</text>\n", drawing->to);
}

static const char style[] =
    "<style>text{font:11px monospace}.head{font-size:13px}path{fill:none;stroke:#999;stroke-width:1}"
    ".lane path{stroke:#ccc;stroke-width:2}.frame{stroke:#8ab;stroke-width:.5;marker-end:url(#tip)}"
    ".lost{stroke:#d00;stroke-width:.7;stroke-dasharray:5 3}.line{stroke:#666}.disk{stroke:#a60}"
    ".on,.ready{stroke:#080;stroke-width:3}.cut,.panic{stroke:#d00;stroke-width:4}.cable{stroke:#80c;stroke-width:3}"
    ".world{stroke:#06c;stroke-width:1.5}.idle{stroke:#bbb;stroke-dasharray:2 4}</style>\n"
    "<defs><marker id=\"tip\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"5\" markerHeight=\"5\" "
    "orient=\"auto\" markerUnits=\"userSpaceOnUse\"><path d=\"M0 0L6 3L0 6\"/></marker></defs>\n"
    "<text x=\"8\" y=\"62\">green: power on, ready; thick red: power cut, panic; violet: cable; above a lane: console "
    "lines; "
    "below: disk commands; arrows: frames, red: lost; dashed: idle time left out. Hover for more.</text>\n";

static void drawing_free(struct drawing *drawing)
{
    for (size_t i = 0; i < drawing->size; i++) {
        free(drawing->all[i].text);
    }
    for (unsigned i = 0; i < MARK_KINDS; i++) {
        free(drawing->ring[i]);
    }
    free(drawing->all);
    free(drawing->x);
    free(drawing);
}

void drawing_end(struct drawing *drawing, const struct run *run)
{
    int bottom = y_of((int)run->node_count - 1) + 30;

    lay_out(drawing);
    fprintf(drawing->to, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%d\">\n",
            LEFT + WIDTH + 100, bottom + 40);
    fputs(style, drawing->to);
    draw_head(drawing, run);
    draw_axis(drawing, bottom);
    draw_lane(drawing, -1, "world");
    for (unsigned i = 0; i < run->node_count; i++) {
        draw_lane(drawing, (int)i, run->node[i].name);
    }
    draw_marks(drawing, run);
    fputs("</svg>\n", drawing->to);
    if (fclose(drawing->to) != 0) {
        sim_fail("cannot write the picture");
    }
    drawing_free(drawing);
}
