// Holds what a life left behind to the oracle.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "simulator/chronicle.h"
#include "simulator/listener.h"
#include "simulator/log_contents.h"
#include "simulator/plans.h"
#include "simulator/questions.h"

namespace attune::simulate {

// What was found in the end.
struct Evidence {
  LogContents log;
  std::function<const oracle::Record&(const LogRecord&)> record_of;
  Millis until = 0;
  std::vector<Heard> heard;          // by the client of the stream
  std::vector<Heard> kept;           // by the outbox
  std::vector<std::string> users;    // their values
  std::vector<Heard> kept_again;     // the same two of a process that had an empty store, and began with the last plan
  std::vector<std::string> users_again;
  std::vector<Answer> answers;
};

// False: something does not hold, which the chronicle is told. `gave_up`: the oracle gave up a plan.
bool Judge(const Evidence& evidence, const Plans& plans, PlansInForce* in_force, Chronicle* chronicle, bool* gave_up);

}  // namespace attune::simulate
