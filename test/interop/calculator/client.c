/* SPDX-License-Identifier: MIT OR Apache-2.0
 * client.c: uses a calculator of the reference implementation through our vat: pipelining, a function of ours that the
 * server calls, one that comes back to us (embargo), failures. usage: client PORT
 */
#include "app/calculator/calculator.capnp.h"
#include "asks.h"

static struct object *operator_of(struct object *calculator, enum calculator_operator which)
{
    struct ask *a = ask_new();
    calculator_get_operator_params_set_operator(BEGIN(a, calculator_get_operator, calculator), which);
    object_call(calculator, &a->call);
    return result_of(a);
}
static struct ask *read_of(struct object *value)
{
    struct ask *a = ask_new();
    BEGIN(a, calculator_value_read, value);
    object_call(value, &a->call);
    return a;
}
static double number(struct ask *a)
{
    wait_for(a);
    if (a->failed) {
        fprintf(stderr, "failed: %s\n", a->reason);
    }
    REQUIRE(!a->failed);
    return calculator_value_read_results_get_value(calculator_value_read_answer(&a->call));
}
/* function(left, right) as a value that is not waited for; left NULL: the literal. */
static struct object *evaluate(struct object *calculator, struct object *function, struct object *left, double literal,
                               double right)
{
    struct ask *a = ask_new();
    struct calculator_expression_builder e =
        calculator_evaluate_params_init_expression(BEGIN(a, calculator_evaluate, calculator));
    struct calculator_expression_call_builder call = calculator_expression_init_call(e);
    calculator_expression_call_set_function(call, function);
    struct calculator_expression_builders params = calculator_expression_call_init_params(call, 2);
    if (left != NULL) {
        calculator_expression_set_previous_result(calculator_expression_builder_at(params, 0), left);
    } else {
        calculator_expression_set_literal(calculator_expression_builder_at(params, 0), literal);
    }
    calculator_expression_set_literal(calculator_expression_builder_at(params, 1), right);
    object_call(calculator, &a->call);
    return result_of(a);
}

/* A function of ours: power, by multiplying. */
static unsigned power_calls;
static void power(struct object *self, struct call *call, struct calculator_function_call_params_reader params)
{
    struct capnp_list list = calculator_function_call_params_get_params(params);
    double x = capnp_double(capnp_list_u64(list, 0)), result = 1;
    for (int i = 0; i < (int)capnp_double(capnp_list_u64(list, 1)); i++) {
        result *= x;
    }
    power_calls++;
    calculator_function_call_results_set_value(calculator_function_call_results(call, 2), result);
    call_return(call);
}
static void power_dispatch(struct object *self, struct call *call)
{
    static const struct calculator_function_server_ops ops = {.call = power};
    calculator_function_dispatch(&ops, self, call);
}
static const struct object_ops power_ops = {.call = power_dispatch};
static struct object power_object;

static void test_pipelining(struct object *calculator)
{
    struct object *add = operator_of(calculator, CALCULATOR_OPERATOR_ADD);
    struct object *subtract = operator_of(calculator, CALCULATOR_OPERATOR_SUBTRACT);
    struct object *sum = evaluate(calculator, add, NULL, 120, 45);
    struct object *difference = evaluate(calculator, subtract, sum, 0, 64);
    struct ask *a = read_of(difference), *b = read_of(sum);
    CHECK(!a->done); /* five questions deep, and nothing has come back */
    CHECK(number(a) == 101);
    CHECK(number(b) == 165);
    object_put(add);
    object_put(subtract);
    object_put(sum);
    object_put(difference);
    asks_free();
}

static void test_server_calls_us(struct object *calculator)
{
    struct object *value = evaluate(calculator, &power_object, NULL, 2, 10);
    CHECK(number(read_of(value)) == 1024);
    CHECK_EQ(power_calls, 1);
    object_put(value);
    asks_free();
}

/* f(x) = power(x, 3), defined there, calling here. */
static void test_defined_function(struct object *calculator)
{
    struct ask *def = ask_new();
    struct calculator_def_function_params_builder params = BEGIN(def, calculator_def_function, calculator);
    calculator_def_function_params_set_param_count(params, 1);
    struct calculator_expression_call_builder call =
        calculator_expression_init_call(calculator_def_function_params_init_body(params));
    calculator_expression_call_set_function(call, &power_object);
    struct calculator_expression_builders body = calculator_expression_call_init_params(call, 2);
    calculator_expression_set_parameter(calculator_expression_builder_at(body, 0), 0);
    calculator_expression_set_literal(calculator_expression_builder_at(body, 1), 3);
    object_call(calculator, &def->call);
    struct object *function = result_of(def);
    struct ask *a = ask_new();
    struct capnp_list_builder list =
        calculator_function_call_params_init_params(BEGIN(a, calculator_function_call, function), 1);
    capnp_list_put_u64(list, 0, capnp_double_bits(5));
    object_call(function, &a->call);
    CHECK(number(a) == 125);
    object_put(function);
    asks_free();
}

static void test_failure(struct object *calculator)
{
    struct ask *a = ask_new();
    calculator_expression_set_parameter(
        calculator_evaluate_params_init_expression(BEGIN(a, calculator_evaluate, calculator)), 7);
    object_call(calculator, &a->call);
    struct object *value = result_of(a);
    struct ask *b = read_of(value);
    wait_for(a);
    wait_for(b);
    CHECK(a->failed && b->failed);
    CHECK(strstr(a->reason, "parameter") != NULL);
    object_put(value);
    asks_free();
}

static void test_cancel(struct object *calculator)
{
    struct object *add = operator_of(calculator, CALCULATOR_OPERATOR_ADD);
    struct object *value = evaluate(calculator, add, NULL, 1, 2);
    for (unsigned i = 0; i < asked; i++) {
        call_cancel(&asks[i].call);
    }
    CHECK(number(read_of(value)) == 3); /* what is pipelined on them lives on */
    object_put(add);
    object_put(value);
    asks_free();
}

int main(int argc, char **argv)
{
    struct vat *vat = vat_host();

    REQUIRE(argc == 2);
    object_init(&power_object, &power_ops);
    connect_to(vat, argv[1]);
    struct object *calculator = vat_bootstrap(c);
    test_pipelining(calculator);
    test_server_calls_us(calculator);
    test_defined_function(calculator);
    test_failure(calculator);
    test_cancel(calculator);
    object_put(calculator);
    part();
    CHECK_EQ(vat_host_left(vat, 0), 0);
    return test_end();
}
