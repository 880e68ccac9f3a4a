// SPDX-License-Identifier: MIT OR Apache-2.0
// reference.c++: the calculator's client and server on the reference implementation, libcapnp.
// usage: reference client PORT: exit 0 when every answer was right      reference server: prints its port, serves until stdin ends
#include "app/calculator/calculator.capnp.h"
#include <capnp/ez-rpc.h>
#include <iostream>
#include <kj/debug.h>
#include <math.h>
#include <stdlib.h>
#include <thread>
#include <unistd.h>

namespace
{

class ValueImpl final : public Calculator::Value::Server
{
  public:
    explicit ValueImpl(double value) : value(value)
    {
    }
    kj::Promise<void> read(ReadContext context) override
    {
        context.getResults().setValue(value);
        return kj::READY_NOW;
    }

  private:
    double value;
};

using Expression = Calculator::Expression::Reader;

kj::Promise<double> evaluate(Expression expression, kj::ArrayPtr<const double> params)
{
    switch (expression.which()) {
    case Calculator::Expression::LITERAL:
        return expression.getLiteral();
    case Calculator::Expression::PREVIOUS_RESULT:
        return expression.getPreviousResult().readRequest().send().then(
            [](capnp::Response<Calculator::Value::ReadResults> &&r) { return r.getValue(); });
    case Calculator::Expression::PARAMETER:
        KJ_REQUIRE(expression.getParameter() < params.size(), "no such parameter");
        return params[expression.getParameter()];
    case Calculator::Expression::CALL: {
        auto call = expression.getCall();
        auto function = call.getFunction();
        auto promises = KJ_MAP(param, call.getParams())
        {
            return evaluate(param, params);
        };
        return kj::joinPromises(kj::mv(promises)).then([function](kj::Array<double> &&values) mutable {
            auto request = function.callRequest();
            request.setParams(values);
            return request.send().then(
                [](capnp::Response<Calculator::Function::CallResults> &&r) { return r.getValue(); });
        });
    }
    }
    KJ_FAIL_REQUIRE("unknown expression");
}

class OperatorImpl final : public Calculator::Function::Server
{
  public:
    explicit OperatorImpl(Calculator::Operator op) : op(op)
    {
    }
    kj::Promise<void> call(CallContext context) override
    {
        auto params = context.getParams().getParams();
        KJ_REQUIRE(params.size() == 2, "wrong number of parameters");
        double a = params[0], b = params[1];
        double results[] = {a + b, a - b, a * b, a / b};
        context.getResults().setValue(results[static_cast<int>(op)]);
        return kj::READY_NOW;
    }

  private:
    Calculator::Operator op;
};

class FunctionImpl final : public Calculator::Function::Server
{
  public:
    FunctionImpl(uint32_t count, Expression body) : count(count)
    {
        this->body.setRoot(body);
    }
    kj::Promise<void> call(CallContext context) override
    {
        auto params = context.getParams().getParams();
        KJ_REQUIRE(params.size() == count, "wrong number of parameters");
        auto values = kj::heapArray<double>(params.begin(), params.end());
        auto promise = evaluate(body.getRoot<Calculator::Expression>(), values);
        return promise.attach(kj::mv(values)).then([context](double value) mutable {
            context.getResults().setValue(value);
        });
    }

  private:
    uint32_t count;
    capnp::MallocMessageBuilder body;
};

class CalculatorImpl final : public Calculator::Server
{
  public:
    kj::Promise<void> evaluate(EvaluateContext context) override
    {
        return ::evaluate(context.getParams().getExpression(), nullptr).then([context](double value) mutable {
            context.getResults().setValue(kj::heap<ValueImpl>(value));
        });
    }
    kj::Promise<void> defFunction(DefFunctionContext context) override
    {
        auto params = context.getParams();
        context.getResults().setFunction(kj::heap<FunctionImpl>(params.getParamCount(), params.getBody()));
        return kj::READY_NOW;
    }
    kj::Promise<void> getOperator(GetOperatorContext context) override
    {
        context.getResults().setFunction(kj::heap<OperatorImpl>(context.getParams().getOperator()));
        return kj::READY_NOW;
    }
};

class PowerImpl final : public Calculator::Function::Server
{
  public:
    kj::Promise<void> call(CallContext context) override
    {
        auto params = context.getParams().getParams();
        context.getResults().setValue(pow(params[0], params[1]));
        return kj::READY_NOW;
    }
};

Calculator::Function::Client operatorOf(Calculator::Client &calculator, Calculator::Operator op)
{
    auto request = calculator.getOperatorRequest();
    request.setOperator(op);
    return request.send().getFunction();
}

// Everything that goes out before anything has come back.
void pipelined(Calculator::Client &calculator, kj::WaitScope &wait)
{
    auto add = operatorOf(calculator, Calculator::Operator::ADD);
    auto multiply = operatorOf(calculator, Calculator::Operator::MULTIPLY);
    auto request = calculator.evaluateRequest();
    auto call = request.getExpression().initCall();
    call.setFunction(multiply);
    auto params = call.initParams(2);
    params[0].setLiteral(4);
    params[1].setLiteral(6);
    auto product = request.send().getValue();
    auto read1 = [&](double more) {
        auto request = calculator.evaluateRequest();
        auto call = request.getExpression().initCall();
        call.setFunction(add);
        auto params = call.initParams(2);
        params[0].setPreviousResult(product);
        params[1].setLiteral(more);
        return request.send().getValue().readRequest().send();
    };
    auto three = read1(3), five = read1(5);
    KJ_REQUIRE(three.wait(wait).getValue() == 27);
    KJ_REQUIRE(five.wait(wait).getValue() == 29);
}

void nested(Calculator::Client &calculator, kj::WaitScope &wait)
{
    auto request = calculator.evaluateRequest();
    auto subtract = request.getExpression().initCall();
    subtract.setFunction(operatorOf(calculator, Calculator::Operator::SUBTRACT));
    auto outer = subtract.initParams(2);
    auto add = outer[0].initCall();
    add.setFunction(operatorOf(calculator, Calculator::Operator::ADD));
    auto inner = add.initParams(2);
    inner[0].setLiteral(123);
    inner[1].setLiteral(45);
    outer[1].setLiteral(67);
    KJ_REQUIRE(request.send().getValue().readRequest().send().wait(wait).getValue() == 101);
}

void clientsFunction(Calculator::Client &calculator, kj::WaitScope &wait)
{
    auto request = calculator.evaluateRequest();
    auto call = request.getExpression().initCall();
    call.setFunction(kj::heap<PowerImpl>());
    auto params = call.initParams(2);
    params[0].setLiteral(2);
    params[1].setLiteral(9);
    KJ_REQUIRE(request.send().getValue().readRequest().send().wait(wait).getValue() == 512);
}

// f(x, y) = x * 100 + y, and g(x) = f(x, x + 1), a function of a function.
void defined(Calculator::Client &calculator, kj::WaitScope &wait)
{
    auto add = operatorOf(calculator, Calculator::Operator::ADD);
    auto defF = calculator.defFunctionRequest();
    defF.setParamCount(2);
    auto sum = defF.getBody().initCall();
    sum.setFunction(add);
    auto terms = sum.initParams(2);
    auto product = terms[0].initCall();
    product.setFunction(operatorOf(calculator, Calculator::Operator::MULTIPLY));
    auto factors = product.initParams(2);
    factors[0].setParameter(0);
    factors[1].setLiteral(100);
    terms[1].setParameter(1);
    auto f = defF.send().getFunction();
    auto defG = calculator.defFunctionRequest();
    defG.setParamCount(1);
    auto callF = defG.getBody().initCall();
    callF.setFunction(f);
    auto params = callF.initParams(2);
    params[0].setParameter(0);
    auto next = params[1].initCall();
    next.setFunction(add);
    auto nextParams = next.initParams(2);
    nextParams[0].setParameter(0);
    nextParams[1].setLiteral(1);
    auto g = defG.send().getFunction();
    auto request = g.callRequest();
    request.setParams({12.0});
    KJ_REQUIRE(request.send().wait(wait).getValue() == 1213);
}

void failures(Calculator::Client &calculator, kj::WaitScope &wait)
{
    auto request = calculator.evaluateRequest();
    request.getExpression().setParameter(3);
    auto promise = request.send();
    auto value = promise.getValue();
    auto read = value.readRequest().send();
    auto e = kj::runCatchingExceptions([&]() { promise.wait(wait); });
    KJ_IF_MAYBE (exception, e) {
        KJ_REQUIRE(exception->getType() == kj::Exception::Type::FAILED);
        KJ_REQUIRE(exception->getDescription() == "remote exception: a parameter that the function has not, or an "
                                                  "unknown kind of expression",
                   exception->getDescription());
    } else {
        KJ_FAIL_REQUIRE("a parameter of no function was evaluated");
    }
    e = kj::runCatchingExceptions([&]() { read.wait(wait); });
    KJ_IF_MAYBE (exception, e) {
        KJ_REQUIRE(exception->getType() == kj::Exception::Type::FAILED);
    } else {
        KJ_FAIL_REQUIRE("a value that is not was read");
    }
    auto unknown = capnp::Capability::Client(calculator).castAs<Calculator::Value>();
    e = kj::runCatchingExceptions([&]() { unknown.readRequest().send().wait(wait); });
    KJ_IF_MAYBE (exception, e) {
        KJ_REQUIRE(exception->getType() == kj::Exception::Type::UNIMPLEMENTED);
    } else {
        KJ_FAIL_REQUIRE("the calculator is no value");
    }
}

void many(Calculator::Client &calculator, kj::WaitScope &wait)
{
    kj::Vector<capnp::RemotePromise<Calculator::GetOperatorResults>> promises;
    for (int i = 0; i < 150; i++) {
        auto request = calculator.getOperatorRequest();
        request.setOperator(Calculator::Operator::DIVIDE);
        if (i % 3 == 0) {
            auto cancelled = request.send(); // dropped at once
        } else if (promises.size() < 40) {
            promises.add(request.send());
        }
    }
    for (auto &promise : promises) {
        promise.wait(wait);
    }
}

int client(const char *port)
{
    capnp::EzRpcClient client(kj::str("127.0.0.1:", port));
    auto &wait = client.getWaitScope();
    {
        auto calculator = client.getMain<Calculator>();
        pipelined(calculator, wait);
        nested(calculator, wait);
        clientsFunction(calculator, wait);
        defined(calculator, wait);
        failures(calculator, wait);
        many(calculator, wait);
    }
    std::cout << "all answers were right" << std::endl;
    return 0;
}

int server()
{
    capnp::EzRpcServer server(kj::heap<CalculatorImpl>(), "127.0.0.1", 0);
    auto &wait = server.getWaitScope();
    std::cout << server.getPort().wait(wait) << std::endl;
    std::thread([]() {
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
        _exit(0);
    }).detach();
    kj::NEVER_DONE.wait(wait);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 3 && kj::StringPtr(argv[1]) == "client") {
        return client(argv[2]);
    }
    if (argc == 2 && kj::StringPtr(argv[1]) == "server") {
        return server();
    }
    std::cerr << "usage: reference client PORT | reference server" << std::endl;
    return 2;
}
