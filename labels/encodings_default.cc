#include "labels/encodings.h"

namespace labels {
namespace {

constexpr std::string_view kText =
    R"(* What serves a host without a file of its own; see label_encodings(5).
VERSION= zoned default 1

CLASSIFICATIONS:

name= PUBLIC;       sname= PUB; value= 1;
name= INTERNAL;     sname= INT; value= 2;
name= CONFIDENTIAL; sname= CNF; value= 4;
name= SECRET;       sname= SEC; value= 6;

INFORMATION LABELS:

WORDS:

name= ENG; compartments= 0; minclass= INTERNAL;
name= HR; compartments= 1; minclass= INTERNAL;
name= FINANCE; sname= FIN; compartments= 2; minclass= INTERNAL;
name= LEGAL; compartments= 3; minclass= INTERNAL;
name= OPS; compartments= 4; minclass= INTERNAL;

REQUIRED COMBINATIONS:

COMBINATION CONSTRAINTS:

SENSITIVITY LABELS:

WORDS:

name= ENG; compartments= 0; minclass= INTERNAL;
name= HR; compartments= 1; minclass= INTERNAL;
name= FINANCE; sname= FIN; compartments= 2; minclass= INTERNAL;
name= LEGAL; compartments= 3; minclass= INTERNAL;
name= OPS; compartments= 4; minclass= INTERNAL;

REQUIRED COMBINATIONS:

COMBINATION CONSTRAINTS:

CLEARANCES:

WORDS:

name= ENG; compartments= 0; minclass= INTERNAL;
name= HR; compartments= 1; minclass= INTERNAL;
name= FINANCE; sname= FIN; compartments= 2; minclass= INTERNAL;
name= LEGAL; compartments= 3; minclass= INTERNAL;
name= OPS; compartments= 4; minclass= INTERNAL;

REQUIRED COMBINATIONS:

COMBINATION CONSTRAINTS:

CHANNELS:

WORDS:

PRINTER BANNERS:

WORDS:

ACCREDITATION RANGE:

classification= PUBLIC;       all compartment combinations valid;
classification= INTERNAL;     all compartment combinations valid;
classification= CONFIDENTIAL; all compartment combinations valid;
classification= SECRET;       all compartment combinations valid;

minimum clearance= PUB;
minimum sensitivity label= PUB;
minimum protect as classification= PUB;

LOCAL DEFINITIONS:

COLOR NAMES:

label= ADMIN_LOW;    color= #bdbdbd;
label= PUBLIC;       color= forest green;
label= INTERNAL;     color= steel blue;
label= CONFIDENTIAL; color= dark orange;
label= SECRET;       color= red;
label= ADMIN_HIGH;   color= #636363;
)";

}  // namespace

std::string_view Encodings::built_in_text() { return kText; }

}  // namespace labels
