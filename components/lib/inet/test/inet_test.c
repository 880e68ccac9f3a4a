/* SPDX-License-Identifier: MIT OR Apache-2.0
 * inet_test.c: what is an endpoint and what only looks like one; when a scope covers another.
 */
#include "../inet.c"
#include "test.h"

static void test_endpoints(void)
{
    static const char *const bad[] = {"",
                                      "1.2.3.4",
                                      "1.2.3.4:",
                                      "1.2.3.4:0",
                                      "1.2.3.4:65536",
                                      "1.2.3:80",
                                      "1.2.3.4.5:80",
                                      "256.2.3.4:80",
                                      "0.0.0.0:80",
                                      "1.2.3.4:80 ",
                                      " 1.2.3.4:80",
                                      "1.2..4:80",
                                      ":80",
                                      "-1.2.3.4:80",
                                      "1.2.3.4:99999999999",
                                      "*:80",
                                      "any",
                                      "1.2.3.4:+80",
                                      "4294967297.2.3.4:80"};
    struct inet_endpoint e = {7, 7};

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!inet_endpoint_parse(bad[i], &e));
        CHECK(e.address == 7 && e.port == 7);
    }
    CHECK(inet_endpoint_parse("192.0.2.7:80", &e));
    CHECK_EQ(e.address, 0xc0000207u);
    CHECK_EQ(e.port, 80);
    CHECK(inet_endpoint_parse("255.255.255.255:65535", &e));
}

static void test_scopes(void)
{
    static const char *const same[] = {"192.0.2.7:80", "*:80", "192.0.2.7:*", "*:*", "255.255.255.255:65535"};
    static const char *const bad[] = {"*", "**:80", "*:0", "1.2.3.4:**", "any ", "anything", "*:", ":*"};
    char text[INET_TEXT_MAX];
    struct inet_endpoint s = {7, 7};

    for (unsigned i = 0; i < sizeof same / sizeof same[0]; i++) {
        CHECK(inet_scope_parse(same[i], &s));
        inet_text(s, text);
        CHECK_STR(text, same[i]);
    }
    s = (struct inet_endpoint){7, 7};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!inet_scope_parse(bad[i], &s));
        CHECK(s.address == 7 && s.port == 7);
    }
    CHECK(inet_scope_parse("any", &s));
    CHECK(s.address == 0 && s.port == 0);
}

static void test_covers(void)
{
    const struct inet_endpoint any = {0, 0}, host = {1, 0}, port = {0, 80}, one = {1, 80}, other = {2, 80},
                               later = {1, 81};

    CHECK(inet_covers(any, any) && inet_covers(any, one) && inet_covers(host, one) && inet_covers(port, one));
    CHECK(inet_covers(one, one) && inet_covers(host, host) && inet_covers(port, other));
    CHECK(!inet_covers(one, other) && !inet_covers(one, later) && !inet_covers(host, other) &&
          !inet_covers(port, later));
    /* A wildcard is more than any value. */
    CHECK(!inet_covers(one, host) && !inet_covers(one, port) && !inet_covers(host, any) && !inet_covers(port, any));
    CHECK(!inet_covers(host, port) && !inet_covers(port, host));
}

int main(void)
{
    RUN(test_endpoints);
    RUN(test_scopes);
    RUN(test_covers);
    return test_end();
}
