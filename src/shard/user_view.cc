#include "shard/user_view.h"

#include "base/bytes.h"
#include "base/check.h"
#include "engine/state/user.h"

namespace attune {

UserView::UserView(Engine* engine, std::string_view id, Millis now) : engine_(engine), user_(engine->Find(id)) {
  if (!user_ || user_->next_due > now) return;
  ByteWriter bytes;
  WriteUser(*user_, engine->interner(), &bytes);
  copy_ = std::make_unique<Engine>(engine->shared_program());
  ATTUNE_CHECK(copy_->Restore(id, bytes.view()).ok(), "a user who was just written can be read");
  UserState* const copy = copy_->Find(id);
  Effects dropped;
  copy_->AdvanceUser(copy, now, &dropped);
  engine_ = copy_.get();
  user_ = copy;
}

}  // namespace attune
