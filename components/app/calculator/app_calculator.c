/* SPDX-License-Identifier: MIT OR Apache-2.0
 * app_calculator.c: the Calculator service, an example of a server that itself calls objects of its clients.
 *
 * An expression becomes nodes of an evaluation. A node that is known tells its parent; a parent that knows all arguments
 * calls its function, which may live anywhere.
 *
 *  (1) An evaluation ends when nothing of it is out any more: `out` counts its calls, and one for who builds it.
 *  (2) The first failure is the evaluation's; what is still out is waited for and dropped.
 *  (3) Nesting is bounded by NODES_MAX, so the recursion of build() and deliver() is.
 */
#include "config.h"
#include "core/assert.h"
#include "core/fmt.h"
#include "core/mem.h"
#include "app/calculator/calculator.capnp.h"

#define NODES_MAX 16u
#define ARGUMENTS_MAX 8u
#define WORDS 20u       /* of a node's messages: ARGUMENTS_MAX numbers and what is around them */
#define BODY_WORDS 128u /* of a function's body */

struct evaluation;

struct node {
    struct evaluation *evaluation;
    struct node *parent;     /* NULL: the root */
    uint32_t place;          /* among the parent's arguments */
    uint32_t count;          /* of arguments */
    uint32_t unknown;        /* of them */
    struct object *function; /* one reference */
    double argument[ARGUMENTS_MAX];
    struct call call;
    struct message params, results;
    struct message_segment params_segment, results_segment;
    uint64_t params_words[WORDS], results_words[WORDS];
};

struct evaluation {
    struct call *asker; /* evaluate(), or call() of a function that a client defined */
    bool of_function;
    bool failed;
    enum exception type;
    char reason[CALL_REASON_MAX];
    double value;
    double parameter[ARGUMENTS_MAX];
    uint32_t parameters;
    uint32_t out; /* (1) */
    uint32_t nodes;
    struct node node[NODES_MAX];
};

struct value {
    struct object object;
    double number;
};

struct function {
    struct object object;
    uint32_t parameters;
    struct message body;
    struct message_segment segment;
    struct object *caps[ARGUMENTS_MAX];
    uint64_t words[BODY_WORDS];
};

static struct calculator_state {
    struct object object;
    struct object operator[4];
    struct pool evaluations, values, functions;
    bool ready;
} self;

static void build(struct evaluation *e, struct node *parent, uint32_t place, struct calculator_expression_reader x)
    REQUIRES(LOOP);

/* ---- values ---- */

static void value_read(struct object *object, struct call *call, struct calculator_value_read_params_reader params)
{
    room_assert_loop();
    struct value *value = CONTAINER_OF(object, struct value, object);

    calculator_value_read_results_set_value(calculator_value_read_results(call, 2), value->number);
    call_return(call);
}

static void value_call(struct object *object, struct call *call)
{
    static const struct calculator_value_server_ops ops = {.read = value_read};

    room_assert_loop();
    calculator_value_dispatch(&ops, object, call);
}

static void value_dead(struct object *object)
{
    room_assert_loop();
    pool_put(&self.values, CONTAINER_OF(object, struct value, object));
}

static void return_value(struct call *call, double number) REQUIRES(LOOP)
{
    static const struct object_ops ops = {.call = value_call, .dead = value_dead};
    struct value *value = pool_get(&self.values);

    if (value == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "more than %u values are held", self.values.count);
        return;
    }
    object_init(&value->object, &ops);
    value->number = number;
    calculator_evaluate_results_set_value(calculator_evaluate_results(call, 2), &value->object);
    object_put(&value->object);
    call_return(call);
}

/* ---- evaluations ---- */

static struct evaluation *evaluation_new(struct call *asker) REQUIRES(LOOP)
{
    struct evaluation *e = pool_get(&self.evaluations);

    if (e == NULL) {
        call_fail(asker, EXCEPTION_OVERLOADED, "%u expressions are evaluated already", self.evaluations.count);
        return NULL;
    }
    e->asker = asker;
    e->out = 1;
    return e;
}

/* (1) */
static void evaluation_put(struct evaluation *e) REQUIRES(LOOP)
{
    ASSERT(e->out > 0);
    if (--e->out > 0) {
        return;
    }
    for (uint32_t i = 0; i < e->nodes; i++) {
        object_put(e->node[i].function);
    }
    struct call *asker = e->asker;
    if (e->failed) {
        call_fail(asker, e->type, "%s", e->reason);
    } else if (e->of_function) {
        calculator_function_call_results_set_value(calculator_function_call_results(asker, 2), e->value);
        call_return(asker);
    } else {
        return_value(asker, e->value);
    }
    pool_put(&self.evaluations, e);
}

static void fail(struct evaluation *e, enum exception type, const char *reason)
{
    if (!e->failed) {
        e->failed = true;
        e->type = type;
        fmt_text(e->reason, sizeof(e->reason), "%s", reason);
    }
}

static struct payload node_results(struct call *call, uint32_t words)
{
    struct node *node = CONTAINER_OF(call, struct node, call);

    capnp_message_build(&node->results, &node->results_segment, node->results_words, WORDS, NULL, 0);
    return capnp_root(&node->results);
}

static void node_ask(struct node *node) REQUIRES(LOOP);

static void deliver(struct node *node, double value) REQUIRES(LOOP)
{
    struct node *parent = node->parent;

    if (parent == NULL) {
        node->evaluation->value = value;
        return;
    }
    parent->argument[node->place] = value;
    if (--parent->unknown == 0 && !node->evaluation->failed) {
        node_ask(parent);
    }
}

static void node_returned(struct call *call)
{
    room_assert_loop();
    struct node *node = CONTAINER_OF(call, struct node, call);

    /* Both methods that a node calls return one number at the same place. */
    deliver(node, calculator_value_read_results_get_value(calculator_value_read_answer(call)));
    evaluation_put(node->evaluation);
}

static void node_failed(struct call *call, enum exception type, const char *reason)
{
    room_assert_loop();
    struct node *node = CONTAINER_OF(call, struct node, call);

    fail(node->evaluation, type, reason);
    evaluation_put(node->evaluation);
}

static const struct call_source node_source = {node_results, node_returned, node_failed};

static struct payload node_params(struct node *node)
{
    capnp_message_build(&node->params, &node->params_segment, node->params_words, WORDS, NULL, 0);
    return capnp_root(&node->params);
}

static void node_ask(struct node *node)
{
    struct calculator_function_call_params_builder params =
        calculator_function_call_begin(&node->call, node->function, node_params(node), &node_source);
    struct capnp_list_builder list = calculator_function_call_params_init_params(params, node->count);

    for (uint32_t i = 0; i < node->count; i++) {
        capnp_list_put_u64(list, i, capnp_double_bits(node->argument[i]));
    }
    node->evaluation->out++;
    object_call(node->function, &node->call);
}

static void build_previous(struct node *node, struct object *value) REQUIRES(LOOP)
{
    if (value == NULL) {
        fail(node->evaluation, EXCEPTION_FAILED, "no previous result");
        return;
    }
    calculator_value_read_begin(&node->call, value, node_params(node), &node_source);
    node->evaluation->out++;
    object_call(value, &node->call);
}

static void build_call(struct node *node, struct calculator_expression_call_reader call) REQUIRES(LOOP)
{
    struct calculator_expression_readers params = calculator_expression_call_get_params(call);
    struct object *function = calculator_expression_call_get_function(call);

    node->count = calculator_expression_count(params);
    if (function == NULL || node->count > ARGUMENTS_MAX) {
        fail(node->evaluation, EXCEPTION_FAILED, function == NULL ? "no function" : "too many arguments");
        return;
    }
    node->function = object_get(function);
    node->unknown = node->count;
    if (node->count == 0) {
        node_ask(node);
    }
    for (uint32_t i = 0; i < node->count; i++) {
        build(node->evaluation, node, i, calculator_expression_at(params, i));
    }
}

/* (3) */
static void build(struct evaluation *e, struct node *parent, uint32_t place, struct calculator_expression_reader x)
{
    if (e->failed) {
        return;
    }
    if (e->nodes == NODES_MAX) {
        fail(e, EXCEPTION_OVERLOADED, "the expression is too large");
        return;
    }
    struct node *node = &e->node[e->nodes++];
    node->evaluation = e;
    node->parent = parent;
    node->place = place;
    uint32_t parameter = calculator_expression_get_parameter(x);
    switch (calculator_expression_get_which(x)) {
    case CALCULATOR_EXPRESSION_WHICH_LITERAL:
        deliver(node, calculator_expression_get_literal(x));
        return;
    case CALCULATOR_EXPRESSION_WHICH_PREVIOUS_RESULT:
        build_previous(node, calculator_expression_get_previous_result(x));
        return;
    case CALCULATOR_EXPRESSION_WHICH_PARAMETER:
        if (parameter < e->parameters) {
            deliver(node, e->parameter[parameter]);
            return;
        }
        break;
    case CALCULATOR_EXPRESSION_WHICH_CALL:
        build_call(node, calculator_expression_get_call(x));
        return;
    }
    fail(e, EXCEPTION_FAILED, "a parameter that the function has not, or an unknown kind of expression");
}

/* ---- functions ---- */

static void function_call(struct object *object, struct call *call,
                          struct calculator_function_call_params_reader params)
{
    room_assert_loop();
    struct function *function = CONTAINER_OF(object, struct function, object);
    struct capnp_list arguments = calculator_function_call_params_get_params(params);

    if (arguments.count != function->parameters) {
        call_fail(call, EXCEPTION_FAILED, "the function takes %u arguments", function->parameters);
        return;
    }
    struct evaluation *e = evaluation_new(call);
    if (e == NULL) {
        return;
    }
    e->of_function = true;
    e->parameters = arguments.count;
    for (uint32_t i = 0; i < arguments.count; i++) {
        e->parameter[i] = capnp_double(capnp_list_u64(arguments, i));
    }
    function->body.read_limit_words = CAPNP_READ_LIMIT(BODY_WORDS);
    build(e, NULL, 0, calculator_expression_read(capnp_root(&function->body)));
    evaluation_put(e);
}

static void function_dispatch(struct object *object, struct call *call)
{
    static const struct calculator_function_server_ops ops = {.call = function_call};

    room_assert_loop();
    calculator_function_dispatch(&ops, object, call);
}

static void function_dead(struct object *object)
{
    room_assert_loop();
    struct function *function = CONTAINER_OF(object, struct function, object);

    message_release_caps(&function->body);
    pool_put(&self.functions, function);
}

static void operator_call(struct object *object, struct call *call,
                          struct calculator_function_call_params_reader params)
{
    room_assert_loop();
    struct capnp_list arguments = calculator_function_call_params_get_params(params);

    if (arguments.count != 2) {
        call_fail(call, EXCEPTION_FAILED, "an operator takes 2 arguments");
        return;
    }
    double a = capnp_double(capnp_list_u64(arguments, 0));
    double b = capnp_double(capnp_list_u64(arguments, 1));
    const double result[] = {a + b, a - b, a * b, a / b};
    calculator_function_call_results_set_value(calculator_function_call_results(call, 2),
                                               result[object - self.operator]);
    call_return(call);
}

static void operator_dispatch(struct object *object, struct call *call)
{
    static const struct calculator_function_server_ops ops = {.call = operator_call};

    room_assert_loop();
    calculator_function_dispatch(&ops, object, call);
}

/* ---- the calculator ---- */

static void evaluate(struct object *object, struct call *call, struct calculator_evaluate_params_reader params)
{
    room_assert_loop();
    struct evaluation *e = evaluation_new(call);

    if (e != NULL) {
        build(e, NULL, 0, calculator_evaluate_params_get_expression(params));
        evaluation_put(e);
    }
}

static void def_function(struct object *object, struct call *call, struct calculator_def_function_params_reader params)
{
    static const struct object_ops ops = {.call = function_dispatch, .dead = function_dead};

    room_assert_loop();
    struct function *function = pool_get(&self.functions);
    if (function == NULL) {
        call_fail(call, EXCEPTION_OVERLOADED, "more than %u functions are held", self.functions.count);
        return;
    }
    object_init(&function->object, &ops);
    function->parameters = calculator_def_function_params_get_param_count(params);
    capnp_message_build(&function->body, &function->segment, function->words, BODY_WORDS, function->caps,
                        ARGUMENTS_MAX);
    capnp_set_struct(capnp_payload_slot(capnp_root(&function->body)),
                     calculator_def_function_params_get_body(params).s);
    if (function->body.failed || function->parameters > ARGUMENTS_MAX) {
        object_put(&function->object);
        call_fail(call, EXCEPTION_OVERLOADED, "the function is too large");
        return;
    }
    calculator_def_function_results_set_function(calculator_def_function_results(call, 2), &function->object);
    object_put(&function->object);
    call_return(call);
}

static void get_operator(struct object *object, struct call *call, struct calculator_get_operator_params_reader params)
{
    room_assert_loop();
    uint32_t operator= calculator_get_operator_params_get_operator(params);

    if (operator>= sizeof(self.operator) / sizeof(self.operator[0])) {
        call_fail(call, EXCEPTION_UNIMPLEMENTED, "an operator that is not known here");
        return;
    }
    calculator_get_operator_results_set_function(calculator_get_operator_results(call, 2), &self.operator[operator]);
    call_return(call);
}

static void dispatch(struct object *object, struct call *call)
{
    static const struct calculator_server_ops ops = {
        .evaluate = evaluate,
        .def_function = def_function,
        .get_operator = get_operator,
    };

    room_assert_loop();
    calculator_dispatch(&ops, object, call);
}

struct object *app_calculator_provide_calculator(void) REQUIRES(BOOT);
struct object *app_calculator_provide_calculator(void)
{
    static const struct object_ops object_ops = {.call = dispatch};
    static const struct object_ops operator_ops = {.call = operator_dispatch};

    if (!self.ready) {
        object_init(&self.object, &object_ops);
        for (unsigned i = 0; i < 4; i++) {
            object_init(&self.operator[i], &operator_ops);
        }
        pool_init(&self.evaluations, "evaluations", sizeof(struct evaluation), APP_CALCULATOR_EVALUATIONS);
        pool_init(&self.values, "values", sizeof(struct value), APP_CALCULATOR_VALUES);
        pool_init(&self.functions, "functions", sizeof(struct function), APP_CALCULATOR_FUNCTIONS);
        self.ready = true;
    }
    return &self.object;
}

status_t app_calculator_start(void) REQUIRES(BOOT);
status_t app_calculator_start(void)
{
    (void)app_calculator_provide_calculator();
    return ST_OK;
}
