// The log on files, opened on a FakeDisk, for tests of modules that do not depend on files.
#pragma once

#include "fake_disk/fake_disk.h"
#include "log/file/file_log.h"
#include "log/file/log_folder.h"
