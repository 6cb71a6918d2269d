// The data that tests read: the compressed files of tests/data, and data sets that may not be redistributed.
// tests/data/README.md lists their sources. Tests run in the root of the tree.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace attune {

// The bytes of tests/data/NAME.xz.
Result<std::string> DataFile(const std::string& name);

// The files of tests/data/NAME.tar.xz: their bytes by name.
Result<std::map<std::string, std::string>> DataArchive(const std::string& name);

// The folder of a data set: tests/data/NAME or, if it may not be redistributed, data/NAME in the folder that
// ATTUNE_SHARED names, else in ../shared. The error kNotFound means that such a data set is not on this machine: skip
// the test and use the message as the reason. Any other error is a failure.
Result<std::string> DataSetFolder(const std::string& name);

}  // namespace attune
