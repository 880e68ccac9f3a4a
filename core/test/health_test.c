/* SPDX-License-Identifier: MIT OR Apache-2.0
 * health_test.c: the first that is ill speaks, until it is well.
 */
#include "../run/health.c"
#include "test.h"

static void test_first_that_is_ill(void)
{
    struct health a, b;

    CHECK(health_ill() == NULL);
    health_add(&a, "a");
    health_add(&b, "b");
    CHECK(health_ill() == NULL);
    health_set(&b, "no disk");
    CHECK(health_ill() == &b);
    health_set(&a, "no wire");
    CHECK(health_ill() == &a);
    CHECK_STR(health_ill()->why, "no wire");
    health_set(&a, NULL);
    CHECK(health_ill() == &b);
    health_set(&b, NULL);
    CHECK(health_ill() == NULL);
}

int main(void)
{
    RUN(test_first_that_is_ill);
    return test_end();
}
