/* SPDX-License-Identifier: MIT OR Apache-2.0
 * state.h: what this user's fleet looks like, kept between two runs of capos.
 *
 * STATE/NAME/node.json describes one node; its console socket and its log lie beside it. STATE is --state DIR, else
 * $CAPOS_STATE, else $XDG_RUNTIME_DIR/capos, else /tmp/capos-UID, which must be ours and closed to others.
 */
#pragma once

#include "args.h"
#include "capos.capnp.h"

#include <capnp/message.h>
#include <kj/string.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace capos
{

/* A NodeState that owns its memory. */
class Node_record
{
  public:
    Node_record() : message(std::make_unique<capnp::MallocMessageBuilder>()), root(message->initRoot<NodeState>())
    {
    }
    NodeState::Builder operator*()
    {
        return root;
    }
    NodeState::Builder *operator->()
    {
        return &root;
    }

  private:
    std::unique_ptr<capnp::MallocMessageBuilder> message;
    NodeState::Builder root;
};

class State
{
  public:
    /* Finds and, if it is not there, makes the directory. */
    explicit State(const Args &args);

    std::string dir(const std::string &node) const;
    std::vector<std::string> names() const;

    /* The record with `state` and `pid` brought up to date; nothing when there is none. */
    std::optional<Node_record> load(const std::string &node) const;
    void save(const std::string &node, NodeState::Builder record) const;
    void forget(const std::string &node) const;

    const std::string root;
};

/* What can be the name of a folder in STATE and of a NODE argument. */
bool is_node_name(const std::string &name);

/* Where a NODE argument leads. */
struct Target {
    std::string name;
    std::string host;
    unsigned port;
};
Target find_target(const State &state, const std::string &node);

/* The path from the root, without looking at what is there. */
std::string absolute(const std::string &path);

/* Whole-file helpers. read_file: nothing when there is no such file. */
std::optional<std::string> read_file(const std::string &path);
void write_file_atomically(const std::string &path, const std::string &text);

} // namespace capos
