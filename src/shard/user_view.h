// A user as they are at an instant, for a question: time passes for the answer alone.
#pragma once

#include <memory>
#include <string_view>

#include "engine/engine.h"

namespace attune {

// Changes no state and logs nothing. If a timer of the user is due, it is fired in a copy of the user, and what it brings about
// is dropped: the shard's loop fires it by a record of the log.
class UserView {
 public:
  // The user of the engine with every timer fired that is due at or before `now`. The engine must outlive this, and must not
  // change while this is used. Costs a copy of the user's state if a timer is due, else a lookup.
  UserView(Engine* engine, std::string_view id, Millis now);

  // Null: there is none.
  const UserState* user() const { return user_; }
  // The engine that the user is of.
  Engine& engine() { return *engine_; }

 private:
  std::unique_ptr<Engine> copy_;  // holds the copied user
  Engine* engine_;
  const UserState* user_;
};

}  // namespace attune
