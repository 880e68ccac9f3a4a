/* SPDX-License-Identifier: MIT OR Apache-2.0
 * call.c++: call: any method of any capability of any image, by the schema that the image hands out.
 */
#include "fail.h"
#include "json.h"
#include "session.h"
#include "value.h"
#include "verbs.h"

#include <capnp/serialize-text.h>

namespace capos
{

static capnp::InterfaceSchema::Method find_method(capnp::InterfaceSchema interface, const std::string &name)
{
    KJ_IF_MAYBE (method, interface.findMethodByName(name.c_str())) {
        return *method;
    }
    std::string there;
    for (auto method : methods_of(interface)) {
        there += std::string(" ") + method.getProto().getName().cStr();
    }
    refuse("unimplemented", short_name(interface) + " has no method '" + name + "'; it has:" + there);
}

/* The request is filled from text that a person typed: what the codec finds wrong is wrong usage, not a failure. */
static void fill_params(const std::string &text, Form form, capnp::DynamicStruct::Builder params)
{
    auto problem = kj::runCatchingExceptions([&]() {
        if (form == Form::JSON) {
            from_json(text, params);
        } else {
            capnp::TextCodec().decode(text.c_str(), params);
        }
    });
    KJ_IF_MAYBE (e, problem) {
        misuse("cannot read the parameters " + text + ": " + failure_of(*e).reason + "; the method takes " +
               "what `capos describe` shows");
    }
}

void run_call(const Args &args)
{
    const std::string &what = args.words[1];
    size_t dot = what.rfind('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == what.size()) {
        misuse("'" + what + "' is not CAP.METHOD, as in store.info");
    }
    Form form = args.has("--json") ? Form::JSON : Form::TEXT;
    State state(args);
    Session session(find_target(state, args.words[0]), args);
    std::string name = what.substr(0, dot);
    auto interface = session.interface_of(name);
    auto method = find_method(interface, what.substr(dot + 1));
    auto cap = session.cap(name).castAs<capnp::DynamicCapability>(interface);
    auto send = [&]() {
        auto request = cap.newRequest(method);
        fill_params(args.words.size() > 2 ? args.words[2] : form == Form::JSON ? "{}" : "()", form, request);
        return kj::Promise<capnp::Response<capnp::DynamicStruct>>(request.send());
    };
    auto answer = args.has("--retry") ? session.ask(send) : session.await(send());
    capnp::DynamicStruct::Reader result = answer;
    printf("%s\n", value_text(result, form).c_str());
}

} // namespace capos
