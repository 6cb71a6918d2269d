// A user at an instant, for a question. Time advances only for the answer.
#pragma once

#include <memory>
#include <string_view>

#include "engine/engine.h"

namespace attune {

// Changes no state and logs nothing. If a timer of the user is due, it is fired in a copy of the user and the effects
// are dropped. The shard's loop fires it by a record of the log.
class UserView {
 public:
  // The user of the engine after every timer due at or before `now` has fired. The engine must outlive this and must
  // not change while this is used. Costs a copy of the user's state if a timer is due, else a lookup.
  UserView(Engine* engine, std::string_view id, Millis now);

  // Null: there is no such user.
  const UserState* user() const { return user_; }
  // The engine that holds the user.
  Engine& engine() { return *engine_; }

 private:
  std::unique_ptr<Engine> copy_;  // holds the copied user
  Engine* engine_;
  const UserState* user_;
};

}  // namespace attune
