#include "server/page_assets.h"

#include "base/embedded_file.h"

namespace attune {

ATTUNE_EMBED(PageHtml, "web/page/page.html")
ATTUNE_EMBED(PageJs, "web/page/app.js")
ATTUNE_EMBED(PageCss, "web/page/app.css")

}  // namespace attune
