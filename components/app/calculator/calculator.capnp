# SPDX-License-Identifier: MIT OR Apache-2.0
# calculator.capnp: an example service in the manner of Cap'n Proto's own sample: values and functions are capabilities, so a
# client can build on results that it has not seen yet, and can pass functions of its own to the server.

@0xf7442904cfe00520;

interface Calculator {
  evaluate @0 (expression :Expression) -> (value :Value);
  defFunction @1 (paramCount :UInt32, body :Expression) -> (function :Function);
  # A function of its own; `parameter` in the body is an argument of the call.
  getOperator @2 (operator :Operator) -> (function :Function);

  struct Expression {
    union {
      literal @0 :Float64;
      previousResult @1 :Value;
      parameter @2 :UInt32;
      call :group {
        function @3 :Function;
        params @4 :List(Expression);
      }
    }
  }

  interface Value {
    read @0 () -> (value :Float64);
  }
  interface Function {
    call @0 (params :List(Float64)) -> (value :Float64);
  }
  enum Operator {
    add @0;
    subtract @1;
    multiply @2;
    divide @3;
  }
}
