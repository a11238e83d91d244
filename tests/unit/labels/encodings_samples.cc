#include "tests/unit/labels/encodings_samples.h"

namespace samples {

const char kRich[] = R"(* Comments at the start of a line, with any UTF-8: “§”.
	VERSION=   rich	sample 1  ;

classifications:    * and where a keyword could start
name= OPEN; sname= O; value= 0;
name= GUARDED; sname= G; aname= GUARD; value= 10; initial compartments= 4 5 9; initial markings= 3 7
name= VERY GUARDED; sname= VG;	value= 200
  initial compartments= 4-5 9;
  initial   markings= 3 7;

INFORMATION LABELS:
WORDS:
name= REL; prefix;
name= PROJECT; sname= PROJ; prefix; compartments= 10-11;
name= EYES ONLY; sname= EO; suffix;
name= TRIPLE; compartments= 0-2; minclass= VG;
name= ALPHA; sname= A; iname= ALEPH; iname= ALF; compartments= 0; minclass= GUARDED;
name= BETA/B; compartments= 1; minclass= G;
name= GAMMA; compartments= 2; minclass= G;
name= HIGH; compartments= 3 8; minclass= G;
name= LOW; compartments= 3 ~8; minclass= G;
name= LAND ONE; sname= L1; prefix= REL; compartments= ~4; minclass= G; ominclass= G;
name= LAND TWO; sname= L2; prefix= REL; compartments= ~5; minclass= G; ominclass= G;
name= X; prefix= PROJ; compartments= ~10 11; minclass= G;
name= Y; prefix= PROJECT; compartments= 10 ~11; minclass= G;
name= P1; suffix= EYES ONLY; compartments= 6; minclass= G; maxclass= GUARDED;
name= P2; suffix= EO; compartments= 7; minclass= G;
name= ALWAYS; compartments= 9; minclass= G; access related;
name= NOTE; markings= 0; flags= 3 5;
name= NOTE TWO; markings= 1; access related;
name= RELEASED; markings= ~3; minclass= G; ominclass= G;
name= ORIGIN; compartments= 0; markings= 2; minclass= G;
REQUIRED COMBINATIONS:
PROJECT X  ALPHA
COMBINATION CONSTRAINTS:
HIGH | LOW ! P1 EYES ONLY * neither of them
NOTE &  \
   NOTE TWO | ALWAYS \
   | ALPHA | RELEASED

SENSITIVITY LABELS:
WORDS:
name= REL; prefix;
name= PROJECT; sname= PROJ; prefix; compartments= 10-11;
name= EYES ONLY; sname= EO; suffix;
name= TRIPLE; compartments= 0-2; minclass= VG;
name= ALPHA; sname= A; iname= ALEPH; compartments= 0; minclass= GUARDED;
name= BETA/B; compartments= 1; minclass= G;
name= GAMMA; compartments= 2; minclass= G;
name= HIGH; compartments= 3 8; minclass= G;
name= LOW; compartments= 3 ~8; minclass= G;
name= LAND ONE; sname= L1; prefix= REL; compartments= ~4; minclass= G; ominclass= G;
name= LAND TWO; sname= L2; prefix= REL; compartments= ~5; minclass= G; ominclass= G;
name= X; prefix= PROJ; compartments= ~10 11; minclass= G;
name= Y; prefix= PROJECT; compartments= 10 ~11; minclass= G;
name= P1; suffix= EYES ONLY; compartments= 6; minclass= G; maxclass= GUARDED;
name= P2; suffix= EO; compartments= 7; minclass= G;
name= ALWAYS; compartments= 9; minclass= G;
REQUIRED COMBINATIONS:
PROJECT X  ALPHA
ALPHA      REL LAND TWO
COMBINATION CONSTRAINTS:
HIGH | LOW ! P1 EYES ONLY
GAMMA & ALWAYS | BETA B | HIGH

CLEARANCES:
WORDS:
name= REL; prefix;
name= PROJECT; sname= PROJ; prefix; compartments= 10-11;
name= EYES ONLY; sname= EO; suffix;
name= TRIPLE; compartments= 0-2; minclass= VG;
name= ALPHA; sname= A; compartments= 0; minclass= GUARDED;
name= BETA/B; compartments= 1; minclass= G;
name= GAMMA; compartments= 2; minclass= G;
name= HIGH; compartments= 3 8; minclass= G;
name= LOW; compartments= 3 ~8; minclass= G;
name= LAND ONE; sname= L1; prefix= REL; compartments= ~4; minclass= G; ominclass= G;
name= LAND TWO; sname= L2; prefix= REL; compartments= ~5; minclass= G; ominclass= G;
name= X; prefix= PROJ; compartments= ~10 11; minclass= G;
name= Y; prefix= PROJECT; compartments= 10 ~11; minclass= G;
name= P1; suffix= EYES ONLY; compartments= 6; minclass= G; maxclass= GUARDED;
name= P2; suffix= EO; compartments= 7; minclass= G;
name= ALWAYS; compartments= 9; minclass= G;
REQUIRED COMBINATIONS:
COMBINATION CONSTRAINTS:
P2 EYES ONLY &

CHANNELS:
WORDS:
name= JOINTLY; suffix;
name= ONLY; suffix;
name= (ALPHA); suffix= JOINTLY; compartments= 0 1;
name= (ALPHA); suffix= ONLY; compartments= 0 ~1;

PRINTER BANNERS:
WORDS:
name= ORIGINAL; markings= 2; ominclass= G;

ACCREDITATION RANGE:
classification= OPEN; only valid compartment combinations:
O
classification= G; all compartment combinations valid except:
G ALPHA REL LAND TWO ALWAYS
G HIGH ALWAYS  * not alone
classification= VG; all compartment combinations valid;
minimum clearance= G P2 EYES ONLY ALWAYS;
minimum sensitivity label= O;
minimum protect as classification= G;

NAME INFORMATION LABELS:
name= ALPHA;
name= A; il= G ALWAYS;
name= (ALPHA); il= GUARDED ALWAYS;

LOCAL DEFINITIONS:
Admin Low Name= bottom;
Admin High Name= top of all;
default flags= 0x0;
forced flags= 0;
Default Label View is External;
Float Process Information Label;
Classification Name= Class; Compartments Name= Comps; Markings Name= Marks;
Default User Sensitivity Label= G ALWAYS;
COLOR NAMES:
label= Admin_Low; color= #BDBDBD;
label= o; color= Green;
label= g; color= light blue;
label= vg; color= #f80;
word= beta b; color= cyan;
word= project x; color= magenta;
label= vg high; color= pink;
label= top of all; color= #636363;
)";

const char kTrusted[] = R"(* In the style of a demonstration file.
VERSION= SAMPLE OF A DEMONSTRATION 1.2

CLASSIFICATIONS:
name= UNCLASSIFIED;  sname= U;  value= 1;
name= CONFIDENTIAL;  sname= C;  value= 4; initial compartments= 4-5 190-239; initial markings= 11;
name= SECRET;        sname= S;  value= 5; initial compartments= 4-5 190-239; initial markings= 11;
name= TOP SECRET;    sname= TS; value= 6; initial compartments= 4-5 190-239; initial markings= 11;

INFORMATION LABELS:
WORDS:
name= REL;	prefix;
name= ORCON; prefix;
name= CC;	minclass= TS; compartments= 3; access related;
name= SB;	minclass= TS; compartments= 2; access related;
name= bravo1; minclass= TS; compartments= 2; markings= 5;
name= B;	minclass= C; compartments= 1; access related;
name= A;	minclass= C; compartments= 0; access related;
name= org x; prefix= ORCON; minclass= C; markings= 13;
name= CNTRY1; sname= c1; prefix= REL; compartments= ~4; minclass= C; ominclass= C;
name= CNTRY2; sname= c2; prefix= REL; compartments= ~5; minclass= C; ominclass= C;
name= CNTRY3; sname= c3; prefix= REL; markings= ~11; minclass= C; ominclass= C;
REQUIRED COMBINATIONS:
SB B
bravo1 SB
COMBINATION CONSTRAINTS:
REL CNTRY1 ! ORCON org x
SENSITIVITY LABELS:
WORDS:
name= REL;	prefix;
name= CC;	minclass= TS; compartments= 3;
name= SB;	minclass= TS; compartments= 2;
name= B;	minclass= C; compartments= 1;
name= A;	minclass= C; compartments= 0;
name= CNTRY1; sname= c1; prefix= REL; compartments= ~4; minclass= C; ominclass= C;
name= CNTRY2; sname= c2; prefix= REL; compartments= ~5; minclass= C; ominclass= C;
REQUIRED COMBINATIONS:
SB B
COMBINATION CONSTRAINTS:
CLEARANCES:
WORDS:
name= REL;	prefix;
name= CC;	minclass= TS; compartments= 3;
name= SB;	minclass= TS; compartments= 2;
name= B;	minclass= C; compartments= 1;
name= A;	minclass= C; compartments= 0;
name= CNTRY1; prefix= REL; compartments= ~4; minclass= C; ominclass= TS;
name= CNTRY2; prefix= REL; compartments= ~5; minclass= C; ominclass= TS;
REQUIRED COMBINATIONS:
SB B
COMBINATION CONSTRAINTS:
CHANNELS:
WORDS:
name= HANDLE VIA; prefix;
name= CHANNELS JOINTLY; suffix;
name= CHANNELS ONLY; suffix;
name= (CH A); prefix= HANDLE VIA; suffix= CHANNELS JOINTLY; compartments= 0 1;
name= (CH B); prefix= HANDLE VIA; suffix= CHANNELS JOINTLY; compartments= 0 1;
name= (CH A); prefix= HANDLE VIA; suffix= CHANNELS ONLY; compartments= 0;
name= (CH B); prefix= HANDLE VIA; suffix= CHANNELS ONLY; compartments= 1;
PRINTER BANNERS:
WORDS:
name= ORCON; prefix;
name= (FULL SB NAME); compartments= 2;
name= org x; prefix= ORCON; markings= 13;
ACCREDITATION RANGE:
classification= U; all compartment combinations valid;
classification= C; all compartment combinations valid except:
C
C A
C B
C B A
classification= S; only valid compartment combinations:
S A
S B
S B A REL CNTRY1
classification= TS; all compartment combinations valid;
minimum clearance= C;
minimum sensitivity label= U;
minimum protect as classification= C;
)";

const char kSmall[] = R"(VERSION= small
CLASSIFICATIONS:
name= LOW; sname= L; value= 1;
name= HIGH; sname= H; value= 5; initial compartments= 3;
INFORMATION LABELS:
WORDS:
name= REL; prefix;
name= ONLY; suffix;
name= A; compartments= 0; minclass= H;
name= B; compartments= 1; minclass= H; name= E; compartments= 5-6; minclass= H;
name= C; compartments= 2; minclass= H; suffix= ONLY; markings= 1;
name= D; compartments= ~3; minclass= H; ominclass= H; prefix= REL;
REQUIRED COMBINATIONS:
A B
COMBINATION CONSTRAINTS:
B ! C ONLY
SENSITIVITY LABELS:
WORDS:
name= REL; prefix;
name= ONLY; suffix;
name= A; compartments= 0; minclass= H;
name= B; compartments= 1; minclass= H; name= E; compartments= 5-6; minclass= H;
name= C; compartments= 2; minclass= H; suffix= ONLY;
name= D; compartments= ~3; minclass= H; ominclass= H; prefix= REL;
REQUIRED COMBINATIONS:
A B
COMBINATION CONSTRAINTS:
B ! C ONLY
CLEARANCES:
WORDS:
name= REL; prefix;
name= A; compartments= 0; minclass= H;
name= B; compartments= 1; minclass= H; name= E; compartments= 5-6; minclass= H;
name= C; compartments= 2; minclass= H;
name= D; compartments= ~3; minclass= H; ominclass= H; prefix= REL;
REQUIRED COMBINATIONS:
COMBINATION CONSTRAINTS:
CHANNELS:
WORDS:
name= CH A; compartments= 0;
PRINTER BANNERS:
WORDS:
name= BANNER; markings= 1;
ACCREDITATION RANGE:
classification= LOW; all compartment combinations valid;
classification= HIGH; all compartment combinations valid except:
H A B
minimum clearance= L;
minimum sensitivity label= L;
minimum protect as classification= L;
NAME INFORMATION LABELS:
name= CH A; il= LOW;
LOCAL DEFINITIONS:
default flags= 0;
COLOR NAMES:
label= L; color= green;
)";

}  // namespace samples
