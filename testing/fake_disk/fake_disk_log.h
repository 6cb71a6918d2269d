// The log on files, for tests of modules that do not know of files: they open it on a FakeDisk.
#pragma once

#include "fake_disk/fake_disk.h"
#include "log/file/file_log.h"
#include "log/file/log_folder.h"
