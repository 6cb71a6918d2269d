// What a server gives up before it begins: rights that it does not need.
#pragma once

namespace attune {

// No memory of it, which holds people's data, goes to a core file or to another process of its user; and no program that it
// might start could gain rights.
void HardenProcess();

}  // namespace attune
