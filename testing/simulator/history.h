// What the clients of a life have to say: the records of a drawn case, and links between ids.
#pragma once

#include <string>
#include <vector>

#include "oracle/generator.h"
#include "oracle/random.h"
#include "oracle/record.h"

namespace attune::simulate {

// A plan and a history as the oracle's tests draw them.
oracle::Case DrawCase(uint64_t seed);

// Adds to a history, which is not empty, ids with some events each that are linked: a star (several
// ids become one), a shared id (which several want), a chain, a tangle of links that may contradict
// each other. In any order with the records that were there.
void AddLinks(oracle::Random* random, std::vector<oracle::Record>* records);

// Many links, or long histories: what a merge may cost.
struct Crowd {
  enum class Kind {
    kShared,   // an anonymous id that many users claim; only the first gets it
    kStar,     // many anonymous ids become one user
    kChain,    // each id becomes the next one
    kLong,     // a user with a long history logs in again and again
    kParting,  // a star, and then all un-merged at once
  };
  Kind kind = Kind::kStar;
  std::string plan;  // YAML
  std::vector<oracle::Record> records;
  std::vector<std::string> unmerged;  // when all has been sent
};
Crowd DrawCrowd(uint64_t seed, oracle::Random* random);

// Every id that the records name, each once.
std::vector<std::string> IdsOf(const std::vector<oracle::Record>& records);

}  // namespace attune::simulate
