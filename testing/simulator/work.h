// How much work a life may make, in numbers that do not depend on the machine. Judged in every
// life; the crowds of history.h come near the bounds.
#pragma once

#include <string>

#include "oracle/record.h"
#include "simulator/history.h"
#include "simulator/log_contents.h"
#include "simulator/simulation.h"

namespace attune::simulate {

// Bytes that loops read from the disk. While a loop reads, every user of its shards waits, and while
// all meet, everybody: a merge into a long history would stop the server for as long as reading it
// takes.
inline constexpr uint64_t kMostLoopBytesRead = 0;

// Meetings beside those for which there is a reason: a merge, an un-merge, or another plan. An identify that merges nothing,
// as browsers send with each page, must stop nobody; but a process meets once for each known person whom a record asks to be
// merged into another, and for a duplicate that asks for what the record before it was refused.
inline constexpr uint64_t kMostIdleMeetings = 0;

// Records that merges of a crowd read back from the log, for each record of it and each doubling of
// their number: when the smaller history joins the larger one, a record moves so often at the most.
// Reading both histories at each merge would be the square of their number. An un-merge may read the whole history.
inline constexpr uint64_t kMostReadBack = 2;

// Which bound the work of a life is beyond, with the numbers; empty: none. `crowd`: of the life; null
// when it was none.
std::string BeyondBounds(const LifeCounts& work, uint64_t starts, const LogContents& log, const Crowd* crowd,
                         const std::function<const oracle::Record&(const LogRecord&)>& record_of);

}  // namespace attune::simulate
